#include "world.h"

#include "unit/unit.h"

#define EHLO "EHLO c.example\r\n"
#define MESSAGE "MAIL FROM:<>\r\nRCPT TO:<user@here.example>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

static void expect(struct world *w, const char *in, const char *want)
{
	struct buf codes = BUF_INIT(4000);
	buf_reset(&w->replies);
	world_say(w, sv_of(in), 5);
	if (strcmp(world_codes(w, &codes), want) != 0)
		fprintf(stderr, "\n%s\n  gave %s\n  not  %s\n", in, buf_str(&codes), want);
	CU_ASSERT_STRING_EQUAL(buf_str(&codes), want);
	buf_free(&codes);
}

static bool said(const struct world *w, const char *text) { return sv_find(buf_sv(&w->replies), sv_of(text)) >= 0; }

static void starttls_is_answered_by_where_and_when_it_is_said(void)
{
	static const struct {
		bool listener, ready;
		int tls;
		const char *in, *want;
	} t[] = {
		{ true, true, CFG_TLS_AUTO, "STARTTLS\r\n", "220/2.0.0" },
		{ true, true, CFG_TLS_AUTO, EHLO "starttls\r\n", "250 220/2.0.0" },
		{ true, true, CFG_TLS_AUTO, EHLO "STARTTLS x\r\n", "250 501/5.5.4" },
		{ true, true, CFG_TLS_AUTO, EHLO "MAIL FROM:<a@c.example>\r\nSTARTTLS\r\n", "250 250/2.1.0 503/5.5.1" },
		{ true, true, CFG_TLS_AUTO, "STARTTLS\r\nSTARTTLS\r\n", "220/2.0.0 503/5.5.1" },
		{ true, false, CFG_TLS_AUTO, EHLO "STARTTLS\r\n", "250 454/4.7.0" },
		{ true, false, CFG_TLS_OFF, EHLO "STARTTLS\r\n", "250 502/5.5.1" },
		{ false, false, CFG_TLS_AUTO, EHLO "STARTTLS\r\n", "250 502/5.5.1" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		if (t[i].listener)
			world_offer_tls(&w);
		w.listener.tls = t[i].tls;
		w.s.client.tls_ready = t[i].ready;
		expect(&w, t[i].in, t[i].want);
		world_close(&w);
	}
}

static void ehlo_offers_it_once(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_offer_tls(&w);
	expect(&w, EHLO, "250");
	CU_ASSERT_TRUE(said(&w, "250-STARTTLS\r\n"));
	CU_ASSERT_FALSE(said(&w, "REQUIRETLS"));
	expect(&w, "STARTTLS\r\n" EHLO, "220/2.0.0 250");
	CU_ASSERT_FALSE(said(&w, "STARTTLS\r\n250"));
	CU_ASSERT_TRUE(said(&w, "REQUIRETLS"));
	world_close(&w);
}

static void nothing_from_before_the_handshake_counts(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_offer_tls(&w);
	expect(&w, EHLO "STARTTLS\r\n", "250 220/2.0.0");
	expect(&w, "MAIL FROM:<a@c.example>\r\nRCPT TO:<user@here.example>\r\n", "503/5.5.1 503/5.5.1");
	CU_ASSERT_EQUAL(w.lends, 0);
	world_close(&w);
}

static void errors_from_before_the_handshake_do(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_offer_tls(&w);
	w.cfg.smtpd.errors_max = 3;
	expect(&w, "X\r\nX\r\nSTARTTLS\r\nX\r\n", "500/5.5.2 500/5.5.2 220/2.0.0 500/5.5.2 421/4.7.0");
	world_close(&w);
}

static void no_handshake_without_room_in_the_rate(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_offer_tls(&w);
	w.too_often = LIMIT_TLS;
	expect(&w, EHLO "STARTTLS\r\nNOOP\r\n", "250 454/4.7.0 250/2.0.0");
	CU_ASSERT_EQUAL(w.handshakes, 0);
	world_close(&w);
}

static void a_listener_may_demand_tls_and_an_account(void)
{
	static const struct {
		int protocol, tls;
		const char *account, *want; /* to MAIL in the clear, STARTTLS, EHLO, MAIL */
	} t[] = {
		{ CFG_PROTO_SMTP, CFG_TLS_AUTO, "", "250/2.1.0" },
		{ CFG_PROTO_SMTP, CFG_TLS_REQUIRE, "", "530/5.7.0" },
		{ CFG_PROTO_SUBMISSION, CFG_TLS_AUTO, "", "530/5.7.0" },
		{ CFG_PROTO_SUBMISSION, CFG_TLS_AUTO, "al", "250/2.1.0" },
		{ CFG_PROTO_SUBMISSION, CFG_TLS_REQUIRE, "al", "530/5.7.0" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		world_offer_tls(&w);
		w.listener.protocol = t[i].protocol;
		w.listener.tls = t[i].tls;
		world_say(&w, sv_of(EHLO), 100);
		snprintf(w.s.account, sizeof w.s.account, "%s", t[i].account);
		expect(&w, "MAIL FROM:<>\r\n", t[i].want);
		expect(&w, "RSET\r\nSTARTTLS\r\n" EHLO, "250/2.0.0 220/2.0.0 250");
		CU_ASSERT_STRING_EQUAL(w.s.account, "");
		snprintf(w.s.account, sizeof w.s.account, "%s", t[i].account);
		bool open = t[i].protocol == CFG_PROTO_SMTP || *t[i].account;
		expect(&w, "MAIL FROM:<>\r\n", open ? "250/2.1.0" : "530/5.7.0");
		world_close(&w);
	}
}

static void received_says_how_the_message_came(void)
{
	static const struct {
		const char *hello, *account, *want;
	} t[] = {
		{ EHLO, "", "with ESMTPS\n\t(version=TLSv1.3 cipher=TLS_TEST)\n\tid " },
		{ EHLO, "al", "with ESMTPSA\n\t(version=TLSv1.3 cipher=TLS_TEST)\n\tid " },
		{ "HELO c.example\r\n", "", "with SMTP\n\t(version=TLSv1.3 cipher=TLS_TEST)\n\tid " },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		world_offer_tls(&w);
		world_say(&w, sv_of("STARTTLS\r\n"), 100);
		world_say(&w, sv_of(t[i].hello), 100);
		snprintf(w.s.account, sizeof w.s.account, "%s", t[i].account);
		expect(&w, MESSAGE, "250/2.1.0 250/2.1.5 354 250/2.0.0");
		CU_ASSERT_TRUE(sv_find(buf_sv(&w.file), sv_of(t[i].want)) >= 0);
		world_close(&w);
	}
}

void suite_smtpd_starttls(void)
{
	static const struct unit_case cases[] = { UNIT(starttls_is_answered_by_where_and_when_it_is_said),
		UNIT(ehlo_offers_it_once), UNIT(nothing_from_before_the_handshake_counts),
		UNIT(errors_from_before_the_handshake_do), UNIT(no_handshake_without_room_in_the_rate),
		UNIT(a_listener_may_demand_tls_and_an_account), UNIT(received_says_how_the_message_came), UNIT_END };
	unit_suite("smtpd_starttls", cases);
}
