/* Rules, as a client meets them. */
#include "world.h"

#include "unit/unit.h"

#define HEAD                                                                                                                      \
	"hostname = mx.here.example\ndomains = here.example\n[listener in]\naddress = 127.0.0.1:2525\n[listener out]\naddress = " \
	"127.0.0.1:2587\n"

struct guest { /* who comes */
	const char *ip, *account, *peer, *name;
	bool tls, no_dns;
	enum client_kind kind;
};

struct scene {
	struct world w;
	struct cfg *parsed;
	struct buf codes;
};

/* 192.0.2.1 unless the guest says otherwise. */
static void scene_open(struct scene *c, const char *rules, const struct guest *g)
{
	struct vec faults = VEC_INIT(struct cfg_fault, 20);
	struct buf text = BUF_INIT(10000);
	buf_putf(&text, HEAD "%s", rules);
	c->parsed = cfg_parse(buf_sv(&text), &faults);
	for (size_t i = 0; i < faults.len; i++)
		if (!VEC_AT(&faults, struct cfg_fault, i)->warning)
			fprintf(stderr, "%s\n", VEC_AT(&faults, struct cfg_fault, i)->text);
	CU_ASSERT_EQUAL(cfg_errors(&faults), 0);
	vec_free(&faults);
	buf_free(&text);
	world_open(&c->w, g ? g->kind : CLIENT_NET);
	c->w.cfg.rules = c->parsed->rules;
	c->w.cfg.global.domains = c->parsed->global.domains;
	c->w.cfg.global.recipient_delimiter = "+";
	c->w.s.client.listener = VEC_AT(&c->parsed->listeners, struct cfg_listener, 0);
	if (g && g->ip)
		CU_ASSERT_TRUE(addr_parse_ip(sv_of(g->ip), &c->w.s.client.addr));
	addr_text(&c->w.s.client.addr, c->w.s.client_text);
	if (g && g->account)
		CU_ASSERT_TRUE(sv_copy(sv_of(g->account), c->w.s.account, sizeof c->w.s.account));
	if (g && g->account) /* whose addresses these are is not the matter here */
		c->w.cfg.auth.sender_logins = "inline:{@c.example=ann bea}";
	if (g && g->peer)
		CU_ASSERT_TRUE(sv_copy(sv_of(g->peer), c->w.s.tls.peer, sizeof c->w.s.tls.peer));
	c->w.client_name = g ? g->name : NULL;
	c->w.no_dns = g && g->no_dns;
	c->w.s.tls_active = g && g->tls;
	c->codes = (struct buf)BUF_INIT(2000);
	session_greet(&c->w.s, &c->w.replies);
}

static void scene_close(struct scene *c)
{
	world_close(&c->w);
	cfg_free(c->parsed);
	buf_free(&c->codes);
}

static const char *say(struct scene *c, const char *lines)
{
	world_say(&c->w, sv_of(lines), 1000);
	return world_codes(&c->w, &c->codes);
}

#define HI "EHLO c.example\r\n"
#define FROM(a) "MAIL FROM:<" a ">\r\n"
#define TO(a) "RCPT TO:<" a ">\r\n"
#define DIALOG HI FROM("a@c.example") TO("user@here.example")
#define MESSAGE "DATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n"

struct row {
	const char *rules, *lines, *want;
	struct guest guest;
};

static void check(const struct row *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct scene c;
		scene_open(&c, t[i].rules, &t[i].guest);
		const char *got = say(&c, t[i].lines);
		CU_ASSERT_STRING_EQUAL(got, t[i].want);
		if (strcmp(got, t[i].want) != 0)
			fprintf(stderr, "row %zu: %s\n got %s\nwant %s\n", i, t[i].rules, got, t[i].want);
		scene_close(&c);
	}
}

#define RULE(conditions, action) "[rule r]\n" conditions "action = " action "\n"

static void each_rule_answers_at_the_earliest_stage(void)
{
	static const struct row t[] = {
		{ "", DIALOG, "220 250 250/2.1.0 250/2.1.5", { 0 } },
		{ RULE("client = 192.0.2.0/24\n", "reject"), DIALOG, "554", { 0 } },
		{ RULE("client = 192.0.2.0/24\n", "tempfail"), DIALOG, "421", { 0 } },
		{ RULE("client = 192.0.3.0/24\n", "reject"), DIALOG, "220 250 250/2.1.0 250/2.1.5", { 0 } },
		{ RULE("listener = in\n", "reject"), DIALOG, "554", { 0 } },
		{ RULE("listener = out\n", "reject"), DIALOG, "220 250 250/2.1.0 250/2.1.5", { 0 } },
		{ RULE("helo = c.example\n", "reject"), HI FROM("a@c.example") "HELO d.example\r\n", "220 550 503/5.5.1 250",
			{ 0 } },
		{ RULE("helo = .example\n", "tempfail 451"), HI, "220 451", { 0 } },
		{ RULE("sender = c.example\n", "reject 553 5.1.8 not you"), DIALOG, "220 250 553/5.1.8 503/5.5.1", { 0 } },
		{ RULE("account = none\n", "reject 550 5.7.0 log in"), DIALOG, "220 250 550/5.7.0 503/5.5.1", { 0 } },
		{ RULE("account = none\n", "reject"), DIALOG, "220 250 250/2.1.0 250/2.1.5", { .account = "ann" } },
		{ RULE("tls = no\n", "tempfail"), DIALOG, "220 250 450/4.7.1 503/5.5.1", { 0 } },
		{ RULE("tls = no\n", "reject"), DIALOG, "220 250 250/2.1.0 250/2.1.5", { .tls = true } },
		{ RULE("recipient = user@here.example\n", "reject"), DIALOG TO("other@here.example"),
			"220 250 250/2.1.0 550/5.7.1 250/2.1.5", { 0 } },
		{ RULE("recipient = user@\nclient = 192.0.2.1\n", "tempfail"), DIALOG, "220 250 250/2.1.0 450/4.7.1", { 0 } },
	};
	check(t, COUNT(t));
}

#define PASS "220 250 250/2.1.0 250/2.1.5"
#define AT_MAIL "220 250 550/5.7.1 503/5.5.1"
#define AT_RCPT "220 250 250/2.1.0 550/5.7.1"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void words_fit_what_they_say(void)
{
	static const struct row t[] = {
		{ RULE("client = 10.0.0.0/8, !192.0.2.1\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("client = !10.0.0.0/8\n", "reject"), DIALOG, "554", { 0 } },
		{ RULE("client = !192.0.2.0/24\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("client = 2001:db8::/32\n", "reject"), DIALOG, "554", { .ip = "2001:db8::5" } },
		{ RULE("sender = a@c.example\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = A@C.example\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = a@\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = @c.example\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = .example\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = example\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = .c.example\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = b@c.example, d.example, !a@c.example\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = <>\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = <>\n", "reject"), HI FROM(""), "220 250 550/5.7.1", { 0 } },
		{ RULE("sender = !<>\n", "reject"), HI FROM("") TO("user@here.example"), PASS, { 0 } },
		{ RULE("sender = a@c.example\n", "reject"), HI FROM("a+x@c.example"), "220 250 550/5.7.1", { 0 } },
		{ RULE("sender = a+y@c.example\n", "reject"), HI FROM("a+x@c.example") TO("user@here.example"), PASS, { 0 } },
		{ RULE("sender = xn--bcher-kva.example\n", "reject"),
			HI "MAIL FROM:<a@b\xc3\xbc"
			   "cher.example> SMTPUTF8\r\n",
			"220 250 550/5.7.1", { 0 } },
		{ RULE("sender = .b\xc3\xbc"
		       "cher.example\n",
			  "reject"),
			HI "MAIL FROM:<a@x.b\xc3\xbc"
			   "cher.example> SMTPUTF8\r\n",
			"220 250 550/5.7.1", { 0 } },
		{ RULE("sender = a@b\xc3\xbc"
		       "cher.example\n",
			  "reject"),
			HI FROM("a@xn--bcher-kva.example"), "220 250 550/5.7.1", { 0 } },
		{ RULE("account = ann\n", "reject"), DIALOG, AT_MAIL, { .account = "Ann" } },
		{ RULE("account = ann\n", "reject"), DIALOG, PASS, { .account = "bea" } },
		{ RULE("account = any\n", "reject"), DIALOG, AT_MAIL, { .account = "bea" } },
		{ RULE("account = !ann\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("account = any, !ann\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("tls = yes\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("tls = fingerprint:" HEX64 "\n", "reject"), DIALOG, AT_MAIL, { .tls = true, .peer = HEX64 } },
		{ RULE("tls = fingerprint:" HEX64 "\n", "reject"), DIALOG, PASS, { .peer = HEX64 } },
		{ RULE("tls = fingerprint:" HEX64 "\n", "reject"), DIALOG, PASS, { .tls = true, .peer = "00" } },
		{ RULE("tls = verified\n", "reject"), DIALOG, PASS, { .tls = true, .peer = HEX64 } },
		{ RULE("ptr = unknown\n", "reject"), DIALOG, AT_RCPT, { 0 } },
		{ RULE("ptr = unknown\n", "reject"), DIALOG, PASS, { .name = "mx.c.example" } },
		{ RULE("ptr = unknown\n", "reject"), DIALOG, PASS, { .no_dns = true } },
		{ RULE("ptr = .c.example\n", "reject"), DIALOG, PASS, { .name = "mx.c.example", .no_dns = true } },
		{ RULE("ptr = tempfail\n", "reject"), DIALOG, AT_RCPT, { .no_dns = true } },
		{ RULE("ptr = tempfail\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("ptr = tempfail\n", "reject"), DIALOG, PASS, { .name = "mx.c.example" } },
		{ RULE("ptr = !tempfail\n", "reject"), DIALOG, PASS, { .no_dns = true } },
		{ RULE("ptr = inline:{mx.c.example=x}\n", "reject"), DIALOG, PASS, { .no_dns = true } },
		{ RULE("ptr = .c.example, other.example\n", "reject"), DIALOG, AT_RCPT, { .name = "mx.c.example" } },
		{ RULE("ptr = c.example\n", "reject"), DIALOG, PASS, { .name = "mx.c.example" } },
		{ RULE("ptr = inline:{.c.example=x}\n", "reject"), DIALOG, AT_RCPT, { .name = "mx.c.example" } },
		{ RULE("ptr = inline:{.c.example=x}\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("recipient = here.example\nsender = a@c.example\n", "reject"), DIALOG, AT_RCPT, { 0 } },
		{ RULE("recipient = here.example\nsender = b@c.example\n", "reject"), DIALOG, PASS, { 0 } },
	};
	check(t, COUNT(t));
}

static void tables_are_asked_for_the_address_the_user_and_the_domain(void)
{
	static const struct row t[] = {
		{ RULE("sender = inline:{a@c.example=x}\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = inline:{c.example=x}\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = inline:{a@c.example=x}\n", "reject"), HI FROM("a+b@c.example"), "220 250 550/5.7.1", { 0 } },
		{ RULE("sender = inline:{example=x; b@c.example=y}\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = !inline:{c.example=x}\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("sender = ! inline:{d.example=x}\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("sender = inline:{<>=x}\n", "reject"), HI FROM(""), "220 250 550/5.7.1", { 0 } },
		{ RULE("helo = inline:{.example=x}\n", "reject"), HI, "220 550", { 0 } },
		{ RULE("helo = inline:{c.example=x}\n", "reject"), HI, "220 550", { 0 } },
		{ RULE("helo = inline:{example=x}\n", "reject"), HI, "220 250", { 0 } },
		{ RULE("client = inline:{192.0.2.1=x}\n", "reject"), HI, "554", { 0 } },
		{ RULE("account = inline:{ann=x}\n", "reject"), DIALOG, AT_MAIL, { .account = "ann" } },
		{ RULE("account = inline:{ann=x}\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("account = !inline:{ann=x}\n", "reject"), DIALOG, AT_MAIL, { 0 } },
		{ RULE("tls = inline:{" HEX64 "=x}\n", "reject"), DIALOG, AT_MAIL, { .tls = true, .peer = HEX64 } },
		{ RULE("recipient = inline:{here.example=x}\n", "reject"), DIALOG, AT_RCPT, { 0 } },
	};
	check(t, COUNT(t));
}

static void a_table_that_cannot_be_read_is_no_way_through(void)
{
	static const struct row t[] = {
		{ RULE("client = cidr:/nowhere/x\n", "reject"), DIALOG, "421", { 0 } },
		{ RULE("helo = regexp:/nowhere/x\n", "accept"), DIALOG, "220 451 503/5.5.1 503/5.5.1", { 0 } },
		{ RULE("sender = text:/nowhere/x\n", "tag X"), DIALOG, "220 250 451/4.3.0 503/5.5.1", { 0 } },
		{ RULE("recipient = bdb:/nowhere/x\n", "hold"), DIALOG, "220 250 250/2.1.0 451/4.3.0", { 0 } },
		{ RULE("recipient = !text:/nowhere/x\naccount = any\n", "relay"), DIALOG, "220 250 250/2.1.0 451/4.3.0",
			{ .account = "ann" } },
		/* but a rule that does not hold anyway needs no table */
		{ RULE("client = 10.0.0.0/8\nsender = text:/nowhere/x\n", "reject"), DIALOG, PASS, { 0 } },
	};
	check(t, COUNT(t));
}

static void the_first_rule_that_ends_the_matter_decides(void)
{
	static const struct row t[] = {
		{ "[rule a]\nclient = 192.0.2.1\naction = accept\n[rule b]\nclient = 192.0.2.0/24\naction = reject\n", DIALOG, PASS,
			{ 0 } },
		{ "[rule b]\nclient = 192.0.2.0/24\naction = reject\n[rule a]\nclient = 192.0.2.1\naction = accept\n", DIALOG,
			"554", { 0 } },
		/* an exception that is known only later makes the refusal wait for it */
		{ "[rule a]\nrecipient = other@here.example\naction = accept\n[rule b]\nclient = 192.0.2.0/24\naction = reject\n",
			DIALOG TO("other@here.example"), "220 250 250/2.1.0 550/5.7.1 250/2.1.5", { 0 } },
		{ "[rule a]\nsender = b@c.example\naction = accept\n[rule b]\nclient = 192.0.2.0/24\naction = reject\n", DIALOG,
			AT_MAIL, { 0 } },
		/* one that cannot hold any more does not */
		{ "[rule a]\nclient = 10.0.0.1\nrecipient = x@here.example\naction = accept\n[rule b]\nclient = "
		  "192.0.2.0/24\naction = reject\n",
			DIALOG, "554", { 0 } },
		/* a refusal before it is no exception */
		{ "[rule a]\nrecipient = x@here.example\naction = tempfail\n[rule b]\nclient = 192.0.2.0/24\naction = reject\n",
			DIALOG, "554", { 0 } },
		/* hold and tag do not end the list */
		{ "[rule a]\naction = tag X\n[rule c]\naction = hold\n[rule b]\nrecipient = here.example\naction = reject\n",
			DIALOG, AT_RCPT, { 0 } },
	};
	check(t, COUNT(t));
}

static void only_relay_widens_and_only_when_it_holds(void)
{
	static const char far[] = HI FROM("a@c.example") TO("far@there.example");
	static const struct row t[] = {
		{ RULE("account = any\n", "relay"), far, "220 250 250/2.1.0 550/5.7.1", { 0 } },
		{ RULE("account = any\n", "relay"), far, PASS, { .account = "ann" } },
		{ RULE("client = 192.0.2.1\n", "accept"), far, "220 250 250/2.1.0 550/5.7.1", { 0 } },
		{ RULE("client = 192.0.2.1\n", "relay"), far, PASS, { 0 } },
		{ RULE("client = 192.0.2.1\nsender = b@c.example\n", "relay"), far, "220 250 250/2.1.0 550/5.7.1", { 0 } },
		{ RULE("tls = fingerprint:" HEX64 "\n", "relay"), far, PASS, { .tls = true, .peer = HEX64 } },
		{ RULE("client = 192.0.2.1\n", "tag X"), far, "220 250 250/2.1.0 550/5.7.1", { 0 } },
		{ RULE("client = 192.0.2.1\n", "relay"), HI FROM("a@c.example") TO("nobody@here.example"),
			"220 250 250/2.1.0 550/5.1.1", { 0 } },
	};
	check(t, COUNT(t));
}

static void the_postmaster_is_reached_by_whoever_came_so_far(void)
{
	static const char mail[] = HI FROM("a@c.example") TO("postmaster") TO("Postmaster@here.example") TO("user@here.example");
	static const struct row t[] = {
		{ RULE("recipient = here.example\n", "reject"), HI FROM("a@c.example") TO("postmaster") TO("user@here.example"),
			"220 250 250/2.1.0 250/2.1.5 550/5.7.1", { 0 } },
		{ RULE("recipient = postmaster@\n", "reject"), HI FROM("a@c.example") TO("postmaster"), PASS, { 0 } },
		{ RULE("recipient = postmaster@\n", "reject"), HI FROM("a@c.example") TO("postmaster@there.example"),
			"220 250 250/2.1.0 550/5.7.1", { 0 } },
		{ RULE("client = 192.0.2.1\n", "reject"), mail, "554", { 0 } },
		{ RULE("sender = c.example\n", "reject"), HI FROM("a@c.example"), "220 250 550/5.7.1", { 0 } },
	};
	check(t, COUNT(t));
}

static void programs_of_this_machine_are_asked_only_by_rules_that_name_them(void)
{
	static const struct row t[] = {
		{ RULE("client = !10.0.0.0/8\n", "reject"), DIALOG, PASS, { .kind = CLIENT_SUBMIT } },
		{ RULE("", "reject"), DIALOG, PASS, { .kind = CLIENT_SUBMIT } },
		{ RULE("client = local\n", "reject"), DIALOG, "554", { .kind = CLIENT_SUBMIT } },
		{ RULE("client = local, 10.0.0.1\nrecipient = user@\n", "reject"), DIALOG, AT_RCPT, { .kind = CLIENT_SUBMIT } },
		{ RULE("client = local\n", "reject"), DIALOG, PASS, { 0 } },
		{ RULE("client = local\n", "reject"), DIALOG, PASS, { .kind = CLIENT_BOUNCE } },
	};
	check(t, COUNT(t));
}

static void soft_bounce_softens_rules_too(void)
{
	static const struct {
		const char *rules, *want;
	} t[] = {
		{ RULE("client = 192.0.2.1\n", "reject"), "421" },
		{ RULE("helo = c.example\n", "reject"), "220 450 503/5.5.1 503/5.5.1" },
		{ RULE("sender = c.example\n", "reject 553 5.1.8"), "220 250 450/4.1.8 503/5.5.1" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct scene c;
		scene_open(&c, t[i].rules, NULL);
		c.w.cfg.global.soft_bounce = true;
		buf_reset(&c.w.replies);
		c.w.s.phase = PH_START;
		session_greet(&c.w.s, &c.w.replies);
		CU_ASSERT_STRING_EQUAL(say(&c, DIALOG), t[i].want);
		scene_close(&c);
	}
}

static void a_redirected_recipient_is_resolved_anew(void)
{
	static const struct row t[] = {
		{ RULE("recipient = nobody@here.example\n", "redirect other@here.example"),
			HI FROM("a@c.example") TO("nobody@here.example") MESSAGE, "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0",
			{ 0 } },
		{ RULE("recipient = user@\n", "redirect nobody@here.example"), DIALOG, "220 250 250/2.1.0 550/5.1.1", { 0 } },
		{ RULE("recipient = user@\n", "redirect far@there.example"), DIALOG, PASS, { 0 } },
		{ RULE("recipient = user@\n", "redirect dead@here.example"), DIALOG, "220 250 250/2.1.0 451/4.3.0", { 0 } },
	};
	check(t, COUNT(t));
	struct scene c;
	scene_open(&c, t[0].rules, NULL);
	say(&c, t[0].lines);
	CU_ASSERT_TRUE(sv_find(buf_sv(&c.w.file), SV("other@here.example")) >= 0);
	scene_close(&c);
}

static void tags_stand_in_the_message_once_and_hold_in_the_note(void)
{
	static const char rules[] =
		"[rule a]\naction = tag suspicious\n[rule b]\nrecipient = other@\naction = tag X-Origin: from outside\n"
		"[rule c]\nrecipient = other@\naction = hold looks odd\n";
	struct scene c;
	scene_open(&c, rules, NULL);
	say(&c, DIALOG MESSAGE);
	struct sv file = buf_sv(&c.w.file);
	CU_ASSERT_TRUE(sv_find(file, SV("\nX-Postern-Tag: suspicious\n")) > 0);
	CU_ASSERT_TRUE(sv_find(file, SV("X-Origin")) < 0);
	CU_ASSERT_EQUAL(c.w.note.hold, 0);
	say(&c, FROM("a@c.example") TO("user@here.example") TO("other@here.example") MESSAGE);
	file = buf_sv(&c.w.file);
	ptrdiff_t first = sv_find(file, SV("\nX-Postern-Tag: suspicious\n"));
	CU_ASSERT_TRUE(first > 0 && sv_find(sv_skip(file, (size_t)first + 2), SV("X-Postern-Tag")) < 0);
	CU_ASSERT_TRUE(sv_find(file, SV("\nX-Origin: from outside\n")) > first);
	CU_ASSERT_EQUAL(c.w.note.hold, 1);
	CU_ASSERT_TRUE(sv_find(file, SV("\nX-Postern: held=yes\n")) > 0);
	CU_ASSERT_EQUAL(c.w.commits, 2);
	say(&c, FROM("a@c.example") TO("user@here.example") MESSAGE); /* nothing of one message reaches the next */
	CU_ASSERT_EQUAL(c.w.note.hold, 0);
	scene_close(&c);
}

static void a_table_is_asked_once_for_all_recipients_of_a_message(void)
{
	static const char rules[] = "[rule a]\nclient = inline:{10.0.0.1=x}\naction = tag A\n"
				    "[rule b]\nsender = inline:{x.example=x}\nhelo = !inline:{x.example=x}\naction = tag B\n"
				    "[rule c]\nrecipient = inline:{x.example=x}\naction = tag C\n";
	struct scene c;
	unsigned at_mail, first, second;
	scene_open(&c, rules, NULL);
	say(&c, HI FROM("a@c.example"));
	at_mail = c.w.looks;
	say(&c, TO("user@here.example"));
	first = c.w.looks - at_mail;
	say(&c, TO("other@here.example"));
	second = c.w.looks - at_mail - first;
	CU_ASSERT(at_mail > 0 && first > 0); /* the first asks for itself, and for what MAIL left open */
	CU_ASSERT_EQUAL(second, 1);          /* other@here.example */
	unsigned before = c.w.looks;
	say(&c, "RSET\r\n" FROM("a@c.example"));
	CU_ASSERT(c.w.looks > before); /* the table may have changed */
	scene_close(&c);
}

void suite_smtpd_rules(void)
{
	static const struct unit_case cases[] = {
		UNIT(each_rule_answers_at_the_earliest_stage),
		UNIT(words_fit_what_they_say),
		UNIT(tables_are_asked_for_the_address_the_user_and_the_domain),
		UNIT(a_table_that_cannot_be_read_is_no_way_through),
		UNIT(the_first_rule_that_ends_the_matter_decides),
		UNIT(only_relay_widens_and_only_when_it_holds),
		UNIT(the_postmaster_is_reached_by_whoever_came_so_far),
		UNIT(programs_of_this_machine_are_asked_only_by_rules_that_name_them),
		UNIT(soft_bounce_softens_rules_too),
		UNIT(a_redirected_recipient_is_resolved_anew),
		UNIT(tags_stand_in_the_message_once_and_hold_in_the_note),
		UNIT(a_table_is_asked_once_for_all_recipients_of_a_message),
		UNIT_END,
	};
	unit_suite("smtpd_rules", cases);
}
