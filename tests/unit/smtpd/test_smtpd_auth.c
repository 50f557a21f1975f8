/* AUTH in the session: its place, its forms, what it changes. */
#include "tests/unit/smtpd/world.h"
#include "tests/unit/unit.h"

#include "auth.h"

#define HI "EHLO c.example\r\n"
#define GOOD "AUTH PLAIN Z29vZA==\r\n"

static const struct cfg_listener submission = { .name = "submission", .protocol = CFG_PROTO_SUBMISSION };
static const struct cfg_listener port25 = { .name = "smtp", .protocol = CFG_PROTO_SMTP };

static void open_at(struct world *w, const struct cfg_listener *l, const char *ip)
{
	world_open(w, CLIENT_NET);
	w->cfg.auth.sender_ownership = CFG_OWNERSHIP_ENVELOPE;
	static const char *domains[] = { "here.example" };
	w->cfg.global.domains = (struct cfg_list){ domains, 1 };
	w->s.client.listener = l;
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(ip), &w->s.client.addr));
}

struct row {
	const char *lines, *want;
};

static void check(const struct cfg_listener *l, const char *ip, const struct row *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct world w;
		struct buf codes = BUF_INIT(4000);
		open_at(&w, l, ip);
		world_say(&w, sv_of(t[i].lines), 1 + i % 3 * 7);
		CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].want);
		if (strcmp(buf_str(&codes), t[i].want) != 0)
			fprintf(stderr, "row %zu: got %s\n", i, buf_str(&codes));
		world_close(&w);
		CU_ASSERT_FALSE(w.dialogue);
		buf_free(&codes);
	}
}

static void the_dialogue_has_its_place_and_forms(void)
{
	static const struct row t[] = {
		{ HI GOOD, "250 235/2.7.0" },
		{ HI "auth plain Z29vZA==\r\n", "250 235/2.7.0" },
		{ HI "AUTH PLAIN\r\nZ29vZA==\r\n", "250 334 235/2.7.0" },
		{ HI "AUTH PLAIN\r\nbW9yZQ==\r\nZ29vZA==\r\n", "250 334 334 235/2.7.0" },
		{ HI "AUTH PLAIN\r\n*\r\n" GOOD, "250 334 501/5.7.0 235/2.7.0" },
		{ HI "AUTH PLAIN\r\nQUIT\r\nNOOP\r\n", "250 334 535/5.7.8 250/2.0.0" },
		{ HI "AUTH PLAIN\r\n\r\nNOOP\r\n", "250 334 535/5.7.8 250/2.0.0" },
		{ HI "AUTH PLAIN\r\nZ29v\nNOOP\r\n", "250 334 500/5.5.2 250/2.0.0" },
		{ HI "AUTH PLAIN YmFk\r\n", "250 535/5.7.8" },
		{ HI "AUTH PLAIN bad\r\n", "250 501/5.5.2" },
		{ HI "AUTH PLAIN a b\r\n", "250 501/5.5.4" },
		{ HI "AUTH\r\n", "250 501/5.5.4" },
		{ HI "AUTH CRAM-MD5\r\n", "250 504/5.5.4" },
		{ HI "AUTH SCRAM-SHA-256-PLUS\r\n", "250 504/5.5.4" },
		{ HI "AUTH EXTERNAL =\r\n", "250 504/5.5.4" },
		{ HI GOOD GOOD, "250 235/2.7.0 503/5.5.1" },
		{ HI GOOD "MAIL FROM:<al@here.example>\r\nAUTH PLAIN\r\n", "250 235/2.7.0 250/2.1.0 503/5.5.1" },
		{ "AUTH PLAIN\r\n", "503/5.5.1" },
		{ "HELO c.example\r\n" GOOD, "250 503/5.5.1" },
		{ HI "MAIL FROM:<al@here.example>\r\n", "250 530/5.7.0" },
		{ HI GOOD "MAIL FROM:<al@here.example> AUTH=<>\r\n", "250 235/2.7.0 250/2.1.0" },
		{ HI GOOD "MAIL FROM:<al@here.example>\r\nRCPT TO:<far@there.example>\r\n", "250 235/2.7.0 250/2.1.0 250/2.1.5" },
	};
	check(&submission, "127.0.0.1", t, COUNT(t));
}

static void passwords_do_not_travel_in_the_clear(void)
{
	static const struct row away[] = { { HI GOOD, "250 538/5.7.11" } };
	static const struct row smtp[] = { { HI GOOD, "250 502/5.5.1" } };
	check(&submission, "192.0.2.1", away, COUNT(away));
	check(&port25, "127.0.0.1", smtp, COUNT(smtp));
}

static void addresses_are_ones_own(void)
{
	static const struct row t[] = {
		{ HI GOOD "MAIL FROM:<AL@Here.example>\r\n", "250 235/2.7.0 250/2.1.0" },
		{ HI GOOD "MAIL FROM:<al+shop@here.example>\r\n", "250 235/2.7.0 250/2.1.0" },
		{ HI GOOD "MAIL FROM:<>\r\n", "250 235/2.7.0 250/2.1.0" },
		{ HI GOOD "MAIL FROM:<bea@here.example>\r\n", "250 235/2.7.0 553/5.7.1" },
		{ HI GOOD "MAIL FROM:<al@there.example>\r\n", "250 235/2.7.0 553/5.7.1" },
		{ HI GOOD "MAIL FROM:<alas@here.example>\r\n", "250 235/2.7.0 553/5.7.1" },
	};
	check(&submission, "127.0.0.1", t, COUNT(t));
}

#define SEND HI GOOD "MAIL FROM:<al@here.example>\r\nRCPT TO:<user@here.example>\r\nDATA\r\n"
#define SENT "250 235/2.7.0 250/2.1.0 250/2.1.5 354 "

static void authors_are_ones_own_where_that_is_asked_for(void)
{
	static const struct row t[] = {
		{ SEND "From: Al <AL@here.example>\r\n\r\nx\r\n.\r\n", SENT "250/2.0.0" },
		{ SEND "From: al+shop@here.example, Al <al@here.example>\r\n\r\nx\r\n.\r\n", SENT "250/2.0.0" },
		{ SEND "Subject: one is added\r\n\r\nFrom: boss@here.example\r\n.\r\n", SENT "250/2.0.0" },
		{ SEND "text alone\r\nFrom: boss@here.example\r\n.\r\n", SENT "250/2.0.0" }, /* it becomes the body */
		{ SEND "From: boss@here.example\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "from : boss@here.example\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: al@here.example,\r\n boss@here.example\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: al@here.example\r\nSubject: x\r\nFrom: boss@here.example\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: \"al@here.example\" <boss@here.example>\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: team: boss@here.example;\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: boss@here.example:;\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From:\r\n\r\nx\r\n.\r\n", SENT "550/5.7.1" },
		{ SEND "From: al@here.example\r\nno field\r\nFrom: boss@here.example\r\n\r\nx\r\n.\r\n", SENT "550/5.6.0" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct buf codes = BUF_INIT(4000);
		open_at(&w, &submission, "127.0.0.1");
		w.cfg.auth.sender_ownership = CFG_OWNERSHIP_HEADER;
		world_say(&w, sv_of(t[i].lines), 1 + i % 3 * 100);
		CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].want);
		if (strcmp(buf_str(&codes), t[i].want) != 0)
			fprintf(stderr, "row %zu: got %s\n", i, buf_str(&codes));
		world_close(&w);
		buf_free(&codes);
	}
}

/* A megabyte is looked at: what comes behind it must not be header still. */
static void an_author_cannot_hide_behind_a_long_header(void)
{
	struct world w;
	struct buf in = BUF_INIT(2u << 20), codes = BUF_INIT(4000);
	open_at(&w, &submission, "127.0.0.1");
	w.cfg.auth.sender_ownership = CFG_OWNERSHIP_HEADER;
	buf_puts(&in, SEND "From: al@here.example\r\n");
	for (size_t i = 0; i < 20000; i++)
		buf_puts(&in, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	buf_puts(&in, "From: boss@here.example\r\n\r\nx\r\n.\r\n");
	world_say(&w, buf_sv(&in), 4096);
	CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), SENT "550/5.6.0");
	world_close(&w);
	buf_free(&in);
	buf_free(&codes);
}

static const char *with_table(const char *table, const char *lines, struct buf *codes)
{
	struct world w;
	open_at(&w, &submission, "127.0.0.1");
	w.cfg.auth.sender_logins = table;
	world_say(&w, sv_of(lines), 1000);
	world_codes(&w, codes);
	world_close(&w);
	return buf_str(codes);
}

static void a_table_says_whose_an_address_is(void)
{
	static const char table[] = "inline:{boss@here.example=bea, al; al@here.example=bea; @shop.example=al}";
	struct buf c = BUF_INIT(1000);
	CU_ASSERT_STRING_EQUAL(with_table(table, HI GOOD "MAIL FROM:<boss@here.example>\r\n", &c), "250 235/2.7.0 250/2.1.0");
	CU_ASSERT_STRING_EQUAL(with_table(table, HI GOOD "MAIL FROM:<any@shop.example>\r\n", &c), "250 235/2.7.0 250/2.1.0");
	CU_ASSERT_STRING_EQUAL(with_table(table, HI GOOD "MAIL FROM:<al@here.example>\r\n", &c), "250 235/2.7.0 553/5.7.1");
	CU_ASSERT_STRING_EQUAL(
		with_table("text:/nonexistent/table", HI GOOD "MAIL FROM:<al@here.example>\r\n", &c), "250 235/2.7.0 451/4.3.0");
	buf_free(&c);
}

static const char *troubled(bool no_authd, enum auth_budget budget, const char *lines, struct buf *codes)
{
	struct world w;
	open_at(&w, &submission, "127.0.0.1");
	w.budget = budget;
	w.no_authd = no_authd;
	world_say(&w, sv_of(lines), 1000);
	world_codes(&w, codes);
	world_close(&w);
	return buf_str(codes);
}

static void troubles_of_authd_are_temporary_and_budgets_bind(void)
{
	static const char send[] = HI GOOD "MAIL FROM:<al@here.example>\r\nRCPT TO:<user@here.example>\r\n";
	struct buf c = BUF_INIT(1000);
	CU_ASSERT_STRING_EQUAL(troubled(true, AUTH_GRANTED, HI GOOD "NOOP\r\n", &c), "250 454/4.7.0 250/2.0.0");
	CU_ASSERT_STRING_EQUAL(troubled(false, AUTH_GRANTED, send, &c), "250 235/2.7.0 250/2.1.0 250/2.1.5");
	CU_ASSERT_STRING_EQUAL(troubled(false, AUTH_LATER, send, &c), "250 235/2.7.0 250/2.1.0 450/4.7.1");
	CU_ASSERT_STRING_EQUAL(troubled(false, AUTH_FROZEN, send, &c), "250 235/2.7.0 250/2.1.0 550/5.7.1");
	buf_free(&c);
}

static void scram_is_shown_where_somebody_can_use_it(void)
{
	static const char *const all[] = { "PLAIN", "SCRAM-SHA-256" };
	static const struct {
		bool no_authd, no_verifiers;
		struct cfg_list mechanisms;
		const char *want;
	} t[] = {
		{ false, false, { (const char **)(uintptr_t)all, 2 }, " PLAIN SCRAM-SHA-256" },
		{ false, true, { (const char **)(uintptr_t)all, 2 }, " PLAIN" },
		{ true, true, { (const char **)(uintptr_t)all, 2 }, " PLAIN SCRAM-SHA-256" },  /* who knows */
		{ false, true, { (const char **)(uintptr_t)(all + 1), 1 }, " SCRAM-SHA-256" }, /* there is no other */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct buf out = BUF_INIT(200), codes = BUF_INIT(200);
		open_at(&w, &submission, "127.0.0.1");
		w.cfg.auth.auth_mechanisms = t[i].mechanisms;
		w.no_authd = t[i].no_authd;
		w.no_verifiers = t[i].no_verifiers;
		world_say(&w, SV(HI), 1000);
		auth_mechanisms(&w.s, &out);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
		if (t[i].no_verifiers && !t[i].no_authd && t[i].mechanisms.n > 1) {
			world_say(&w, SV("AUTH SCRAM-SHA-256 Z29vZA==\r\n"), 1000);
			CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), "250 504/5.5.4");
		}
		world_close(&w);
		buf_free(&out);
		buf_free(&codes);
	}
}

static void tls_forgets_who_it_was(void)
{
	struct world w;
	struct tls_facts tls = { .version = "TLSv1.3" };
	open_at(&w, &submission, "127.0.0.1");
	world_say(&w, SV(HI GOOD), 1000);
	CU_ASSERT_STRING_EQUAL(w.s.account, "al");
	session_tls_started(&w.s, &tls);
	CU_ASSERT_STRING_EQUAL(w.s.account, "");
	world_close(&w);
}

static void a_client_that_leaves_ends_the_dialogue(void)
{
	struct world w;
	open_at(&w, &submission, "127.0.0.1");
	world_say(&w, SV(HI "AUTH PLAIN\r\n"), 1000);
	CU_ASSERT_TRUE(w.dialogue);
	world_close(&w);
	CU_ASSERT_FALSE(w.dialogue);
	CU_ASSERT_EQUAL(w.cancels, 1);
}

void suite_smtpd_auth(void)
{
	static const struct unit_case cases[] = {
		UNIT(the_dialogue_has_its_place_and_forms),
		UNIT(passwords_do_not_travel_in_the_clear),
		UNIT(addresses_are_ones_own),
		UNIT(authors_are_ones_own_where_that_is_asked_for),
		UNIT(an_author_cannot_hide_behind_a_long_header),
		UNIT(a_table_says_whose_an_address_is),
		UNIT(troubles_of_authd_are_temporary_and_budgets_bind),
		UNIT(scram_is_shown_where_somebody_can_use_it),
		UNIT(tls_forgets_who_it_was),
		UNIT(a_client_that_leaves_ends_the_dialogue),
		UNIT_END,
	};
	unit_suite("smtpd_auth", cases);
}
