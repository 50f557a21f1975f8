/* No open relay: what the configuration's check lets pass, no stranger can use. Rules are made at random from parts that are each
 * innocent or not; the check judges them, and then strangers of all kinds try. */
#include "world.h"

#include "unit/unit.h"

#define ROUNDS 4000
#define PARTS_MAX 12

static const char head[] = "hostname = mx.here.example\ndomains = here.example\n[listener in]\naddress = 127.0.0.1:2525\n";

/* "" leaves a condition away. Strangers are none of 10.1.0.0/16 or relay.example, which are named and narrow. */
static const struct {
	const char *name, *values[PARTS_MAX];
} conditions[] = {
	{ "client", { "", "10.1.0.0/16", "!10.1.0.0/16", "128.0.0.0/1", "0.0.0.0/0", "!0.0.0.0/1", "local", "!local", "2000::/3",
			    "inline:{10.1.0.1=x}", "!inline:{10.1.0.1=x}" } },
	{ "account", { "", "", "any", "!any", "none", "!none", "ann", "!ann", "inline:{ann=x}", "!inline:{ann=x}" } },
	{ "tls", { "", "", "yes", "no", "!yes", "verified", "!verified", "!no" } },
	{ "helo", { "", "", "c.example", "!c.example", "inline:{c.example=x}", "!inline:{d.example=x}" } },
	{ "sender", { "", "", "here.example", "!<>", "c.example", "!inline:{x.example=y}" } },
	{ "ptr", { "", "", "unknown", "!unknown", "tempfail", ".c.example", "inline:{mx.c.example=x}" } },
	{ "listener", { "", "", "", "in", "!in" } },
	{ "recipient", { "", "", "relay.example", "!relay.example", "far@", "!user@", ".example", "inline:{relay.example=x}",
			       "!inline:{relay.example=x}", "there.example, !far@" } },
};
static const char *const actions[] = { "relay", "relay", "relay", "accept", "reject", "tempfail", "hold", "tag x",
	"redirect user@here.example" };

static unsigned pick(uint64_t *seed, size_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((*seed >> 33) % n);
}

static void make_rules(uint64_t *seed, struct buf *out)
{
	unsigned n = 1 + pick(seed, 3);
	buf_reset(out);
	buf_puts(out, head);
	for (unsigned i = 0; i < n; i++) {
		buf_putf(out, "[rule r%u]\n", i);
		for (size_t k = 0; k < COUNT(conditions); k++) {
			size_t choices = 0;
			while (choices < PARTS_MAX && conditions[k].values[choices])
				choices++;
			const char *value = conditions[k].values[pick(seed, choices)];
			if (*value && pick(seed, 3) == 0)
				buf_putf(out, "%s = %s\n", conditions[k].name, value);
		}
		buf_putf(out, "action = %s\n", actions[pick(seed, COUNT(actions))]);
	}
}

struct stranger {
	const char *ip, *helo, *sender, *name;
	bool tls, no_dns;
};

static bool may_relay(const struct cfg *parsed, const struct stranger *g)
{
	struct world w;
	char dialog[300];
	world_open(&w, CLIENT_NET);
	w.cfg.rules = parsed->rules;
	w.cfg.global.domains = parsed->global.domains;
	w.s.client.listener = VEC_AT(&parsed->listeners, struct cfg_listener, 0);
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(g->ip), &w.s.client.addr));
	addr_text(&w.s.client.addr, w.s.client_text);
	w.client_name = g->name;
	w.no_dns = g->no_dns;
	w.s.tls_active = g->tls;
	if (g->tls) /* a certificate of its own making */
		memset(w.s.tls.peer, 'a', 64);
	snprintf(dialog, sizeof dialog, "EHLO %s\r\nMAIL FROM:<%s>\r\nRCPT TO:<far@there.example>\r\n", g->helo, g->sender);
	session_greet(&w.s, &w.replies);
	world_say(&w, sv_of(dialog), 1000);
	bool may = w.s.txn.remote;
	world_close(&w);
	return may;
}

static bool somebody_may_relay(const struct cfg *parsed)
{
	static const char *const ips[] = { "192.0.2.1", "100.64.0.1", "2001:db8::1" };
	static const char *const helos[] = { "c.example", "d.example" };
	static const char *const senders[] = { "a@c.example", "a@here.example", "" };
	static const char *const names[] = { NULL, "mx.c.example" };
	for (unsigned i = 0; i < 3 * 2 * 3 * 3 * 2; i++) {
		unsigned dns = i / 18 % 3;
		struct stranger g = { ips[i % 3], helos[i / 3 % 2], senders[i / 6 % 3], names[dns == 1], i / 54 % 2 == 1,
			dns == 2 };
		if (may_relay(parsed, &g))
			return true;
	}
	return false;
}

static bool is_called_open(const struct vec *faults)
{
	for (size_t i = 0; i < faults->len; i++) {
		const struct cfg_fault *f = VEC_AT(faults, struct cfg_fault, i);
		if (!f->warning && strstr(f->text, "open relay"))
			return true;
	}
	return false;
}

static void what_the_check_lets_pass_no_stranger_can_use(void)
{
	unsigned good = 0, open = 0, used = 0;
	uint64_t seed = 1;
	struct buf text = BUF_INIT(10000);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct vec faults = VEC_INIT(struct cfg_fault, 50);
		make_rules(&seed, &text);
		struct cfg *parsed = cfg_parse(buf_sv(&text), &faults);
		bool called = is_called_open(&faults);
		if (!called && cfg_errors(&faults) > 0)
			printf("%s\n%s\n", VEC_AT(&faults, struct cfg_fault, 0)->text, buf_str(&text));
		CU_ASSERT(called || cfg_errors(&faults) == 0);
		bool is = somebody_may_relay(parsed);
		if (is && !called)
			printf("an open relay that the check lets pass:\n%s\n", buf_str(&text));
		CU_ASSERT(called || !is);
		good += !called;
		open += called;
		used += is;
		vec_free(&faults);
		cfg_free(parsed);
	}
	/* both kinds have come, and the check is not afraid of everything */
	CU_ASSERT(good > ROUNDS / 4 && open > ROUNDS / 10 && used > open / 2);
	buf_free(&text);
}

void suite_smtpd_relay(void)
{
	static const struct unit_case cases[] = { UNIT(what_the_check_lets_pass_no_stranger_can_use), UNIT_END };
	unit_suite("smtpd_relay", cases);
}
