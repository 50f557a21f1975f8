#include "world.h"

#include "unit/unit.h"

/* The order of the columns below: each phase, and how to come to it. */
static const struct {
	enum phase phase;
	const char *how;
} phases[] = {
	{ PH_START, "" },
	{ PH_HELLO, "EHLO c.example\r\n" },
	{ PH_MAIL, "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\n" },
	{ PH_RCPT, "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<user@here.example>\r\n" },
};

static void every_command_in_every_phase_is_answered_by_the_table(void)
{
	static const struct {
		const char *line;
		struct {
			const char *code;
			enum phase next;
		} in[4];
	} t[] = {
		{ "EHLO d.example", { { "250", PH_HELLO }, { "250", PH_HELLO }, { "250", PH_HELLO }, { "250", PH_HELLO } } },
		{ "HELO d.example", { { "250", PH_HELLO }, { "250", PH_HELLO }, { "250", PH_HELLO }, { "250", PH_HELLO } } },
		{ "MAIL FROM:<>", { { "503/5.5.1", PH_START }, { "250/2.1.0", PH_MAIL }, { "503/5.5.1", PH_MAIL },
					  { "503/5.5.1", PH_RCPT } } },
		{ "RCPT TO:<user@here.example>", { { "503/5.5.1", PH_START }, { "503/5.5.1", PH_HELLO }, { "250/2.1.5", PH_RCPT },
							 { "250/2.1.5", PH_RCPT } } },
		{ "DATA", { { "503/5.5.1", PH_START }, { "503/5.5.1", PH_HELLO }, { "503/5.5.1", PH_MAIL }, { "354", PH_DATA } } },
		{ "RSET", { { "250/2.0.0", PH_START }, { "250/2.0.0", PH_HELLO }, { "250/2.0.0", PH_HELLO },
				  { "250/2.0.0", PH_HELLO } } },
		{ "NOOP x", { { "250/2.0.0", PH_START }, { "250/2.0.0", PH_HELLO }, { "250/2.0.0", PH_MAIL },
				    { "250/2.0.0", PH_RCPT } } },
		{ "VRFY u", { { "252/2.5.2", PH_START }, { "252/2.5.2", PH_HELLO }, { "252/2.5.2", PH_MAIL },
				    { "252/2.5.2", PH_RCPT } } },
		{ "EXPN l", { { "502/5.7.0", PH_START }, { "502/5.7.0", PH_HELLO }, { "502/5.7.0", PH_MAIL },
				    { "502/5.7.0", PH_RCPT } } },
		{ "HELP", { { "214/2.0.0", PH_START }, { "214/2.0.0", PH_HELLO }, { "214/2.0.0", PH_MAIL },
				  { "214/2.0.0", PH_RCPT } } },
		{ "QUIT", { { "221/2.0.0", PH_QUIT }, { "221/2.0.0", PH_QUIT }, { "221/2.0.0", PH_QUIT },
				  { "221/2.0.0", PH_QUIT } } },
		{ "FOO", { { "500/5.5.2", PH_START }, { "500/5.5.2", PH_HELLO }, { "500/5.5.2", PH_MAIL },
				 { "500/5.5.2", PH_RCPT } } },
		{ "", { { "500/5.5.2", PH_START }, { "500/5.5.2", PH_HELLO }, { "500/5.5.2", PH_MAIL },
			      { "500/5.5.2", PH_RCPT } } },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t k = 0; k < COUNT(phases); k++) {
			struct world w;
			struct buf codes = BUF_INIT(1000);
			world_open(&w, CLIENT_NET);
			world_say(&w, sv_of(phases[k].how), 1000);
			CU_ASSERT_EQUAL(w.s.phase, phases[k].phase);
			buf_reset(&w.replies);
			world_say(&w, sv_of(t[i].line), 1000);
			world_say(&w, SV("\r\n"), 1000);
			CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].in[k].code);
			CU_ASSERT_EQUAL(w.s.phase, t[i].in[k].next);
			buf_free(&codes);
			world_close(&w);
		}
}

/* A dialog: what the client says, and the codes of all answers. */
struct dialog {
	const char *in, *want;
};

static void run_dialogs(enum client_kind kind, const struct dialog *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct world w;
		struct buf codes = BUF_INIT(4000);
		world_open(&w, kind);
		world_say(&w, sv_of(d[i].in), 7);
		if (strcmp(world_codes(&w, &codes), d[i].want) != 0)
			fprintf(stderr, "\n%s\n  gave %s\n  not  %s\n", d[i].in, buf_str(&codes), d[i].want);
		CU_ASSERT_STRING_EQUAL(buf_str(&codes), d[i].want);
		buf_free(&codes);
		world_close(&w);
	}
}

#define HELLO "EHLO c.example\r\n"
#define MAIL "MAIL FROM:<a@c.example>\r\n"
#define RCPT "RCPT TO:<user@here.example>\r\n"
#define MESSAGE "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

static void mail_checks_its_syntax_and_parameters(void)
{
	static const struct dialog d[] = {
		{ HELLO "mail from:<>\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM: <a@c.example>\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<@x.example,@y.example:a@c.example>\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<\"a b\"@c.example>\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<a@[192.0.2.1]>\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL TO:<a@c.example>\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:a@c.example\r\n", "250 501/5.1.7" },
		{ HELLO "MAIL FROM:<a@c.example\r\n", "250 501/5.1.7" },
		{ HELLO "MAIL FROM:<a@@c.example>\r\n", "250 501/5.1.7" },
		{ HELLO "MAIL FROM:<a>\r\n", "250 504/5.5.2" },
		{ HELLO "MAIL FROM:<a@c.example>SIZE=1\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=1 body=8bitmime SMTPUTF8\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<a@c.example> BODY=7BIT\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<a@c.example> BODY=BINARYMIME\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<a@c.example> BODY=MIME\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=3145728\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=3145729\r\n", "250 552/5.3.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=99999999999999999999\r\n", "250 552/5.3.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=999999999999999999999\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=-1\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SIZE=1 SIZE=1\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> SMTPUTF8=yes\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> AUTH=<>\r\n", "250 555/5.5.4" },
		{ HELLO "MAIL FROM:<a@c.example> =x\r\n", "250 501/5.5.4" },
		{ HELLO "MAIL FROM:<j\xc3\xbcrgen@c.example>\r\n", "250 553/5.6.7" },
		{ HELLO "MAIL FROM:<j\xc3\xbcrgen@c.example> SMTPUTF8\r\n", "250 250/2.1.0" },
		{ HELLO "MAIL FROM:<j\xfcrgen@c.example> SMTPUTF8\r\n", "250 501/5.1.7" },
	};
	run_dialogs(CLIENT_NET, d, COUNT(d));
}

static void rcpt_says_what_is_known_about_the_recipient(void)
{
	static const struct dialog d[] = {
		{ HELLO MAIL "RCPT TO:<user@here.example>\r\n", "250 250/2.1.0 250/2.1.5" },
		{ HELLO MAIL "RCPT TO:<nosuch@here.example>\r\n", "250 250/2.1.0 550/5.1.1" },
		{ HELLO MAIL "RCPT TO:<postmaster>\r\nRCPT TO:<Postmaster>\r\n", "250 250/2.1.0 250/2.1.5 250/2.1.5" },
		{ HELLO MAIL "RCPT TO:<user>\r\n", "250 250/2.1.0 550/5.1.2" },
		{ HELLO MAIL "RCPT TO:<>\r\n", "250 250/2.1.0 501/5.1.3" },
		{ HELLO MAIL "RCPT FROM:<user@here.example>\r\n", "250 250/2.1.0 501/5.5.4" },
		{ HELLO MAIL "RCPT TO:<user@here.example> FOO=NEVER\r\n", "250 250/2.1.0 555/5.5.4" },
		{ HELLO MAIL "RCPT TO:<later@here.example>\r\n", "250 250/2.1.0 451/4.4.3" },
		{ HELLO MAIL "RCPT TO:<loop@here.example>\r\n", "250 250/2.1.0 550/5.4.6" },
		{ HELLO MAIL "RCPT TO:<dead@here.example>\r\n", "250 250/2.1.0 451/4.3.0" },
		{ HELLO MAIL "RCPT TO:<odd@here.example>\r\n", "250 250/2.1.0 451/4.3.0" },
		{ HELLO MAIL "RCPT TO:<list1000@here.example>\r\n", "250 250/2.1.0 452/4.5.3" },
		{ HELLO MAIL "RCPT TO:<j\xc3\xbcrgen@here.example>\r\n", "250 250/2.1.0 553/5.6.7" },
		{ HELLO "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<j\xc3\xbcrgen@here.example>\r\n", "250 250/2.1.0 250/2.1.5" },
		/* nobody relays here but by our own aliases and [relay] sections */
		{ HELLO MAIL "RCPT TO:<far@there.example>\r\n", "250 250/2.1.0 550/5.7.1" },
		{ HELLO MAIL "RCPT TO:<lie@there.example>\r\n", "250 250/2.1.0 550/5.7.1" },
		{ HELLO MAIL "RCPT TO:<@here.example:far@there.example>\r\n", "250 250/2.1.0 550/5.7.1" },
		{ HELLO MAIL "RCPT TO:<forward@here.example>\r\n", "250 250/2.1.0 250/2.1.5" },
		{ HELLO MAIL "RCPT TO:<list@here.example>\r\n", "250 250/2.1.0 250/2.1.5" },
		{ HELLO MAIL "RCPT TO:<far@relay.example>\r\n", "250 250/2.1.0 250/2.1.5" },
	};
	run_dialogs(CLIENT_NET, d, COUNT(d));
}

static void local_programs_may_leave_domains_away_relay_and_expand(void)
{
	static const struct dialog d[] = {
		{ HELLO "MAIL FROM:<alice>\r\nRCPT TO:<user>\r\nRCPT TO:<far@there.example>\r\n",
			"250 250/2.1.0 250/2.1.5 250/2.1.5" },
		{ "EXPN list@here.example\r\nEXPN <nosuch@here.example>\r\nEXPN\r\n", "250/2.1.5 550/5.1.1 501/5.1.3" },
	};
	run_dialogs(CLIENT_SUBMIT, d, COUNT(d));
}

static void data_needs_a_recipient_that_was_taken(void)
{
	static const struct dialog d[] = {
		{ HELLO MAIL "DATA\r\n", "250 250/2.1.0 503/5.5.1" },
		{ HELLO MAIL "RCPT TO:<nosuch@here.example>\r\nDATA\r\n", "250 250/2.1.0 550/5.1.1 554/5.5.1" },
		{ HELLO MAIL "RCPT TO:<\r\nDATA\r\n", "250 250/2.1.0 501/5.1.3 554/5.5.1" },
		{ HELLO MAIL RCPT "DATA now\r\n", "250 250/2.1.0 250/2.1.5 501/5.5.4" },
		{ HELLO MAIL "RCPT TO:<nosuch@here.example>\r\n" RCPT MESSAGE, "250 250/2.1.0 550/5.1.1 250/2.1.5 354 250/2.0.0" },
		{ HELLO MAIL RCPT MESSAGE MAIL RCPT MESSAGE "QUIT\r\n",
			"250 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0" },
		{ HELLO MAIL RCPT MESSAGE RCPT, "250 250/2.1.0 250/2.1.5 354 250/2.0.0 503/5.5.1" },
	};
	run_dialogs(CLIENT_NET, d, COUNT(d));
}

static void hello_takes_any_printable_name(void)
{
	static const struct dialog d[] = {
		{ "EHLO\r\n", "501/5.5.4" },
		{ "EHLO c\r\n", "250" },
		{ "EHLO [192.0.2.1]\r\n", "250" },
		{ "EHLO [IPv6:2001:db8::1]\r\n", "250" },
		{ "HELO my_pc!\r\n", "250" },
		{ "HELO a b\r\n", "501/5.5.2" },
		{ "EHLO (comment)\r\n", "501/5.5.2" },
		{ "EHLO a\tb\r\n", "501/5.5.2" },
		{ "EHLO \xff\r\n", "501/5.5.2" },
	};
	run_dialogs(CLIENT_NET, d, COUNT(d));
}

static void a_host_name_has_at_most_255_bytes(void)
{
	for (size_t n = 255; n <= 256; n++) {
		struct world w;
		struct buf codes = BUF_INIT(100);
		world_open(&w, CLIENT_NET);
		world_say(&w, SV("EHLO "), 1000);
		for (size_t i = 0; i < n; i++)
			world_say(&w, SV("x"), 1);
		world_say(&w, SV("\r\n"), 1000);
		CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), n == 255 ? "250" : "501/5.5.2");
		buf_free(&codes);
		world_close(&w);
	}
}

static void a_line_that_is_none_is_refused_and_the_next_one_is_run(void)
{
	static const struct {
		struct sv line;
		const char *want;
	} t[] = {
		{ SV("NOOP\n"), "500/5.5.2 250/2.0.0" },
		{ SV("\n"), "500/5.5.2 250/2.0.0" },
		{ SV("NOOP\rNOOP\r\n"), "500/5.5.2 250/2.0.0" },
		{ SV("NOOP\r\r\n"), "500/5.5.2 250/2.0.0" },
		{ SV("NO\0OP\r\n"), "500/5.5.2 250/2.0.0" },
		{ SV("NOOP \0\r\n"), "500/5.5.2 250/2.0.0" },
		{ SV("QUIT\n"), "500/5.5.2 250/2.0.0" },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t chunk = 1; chunk < 20; chunk++) {
			struct world w;
			struct buf codes = BUF_INIT(100);
			world_open(&w, CLIENT_NET);
			world_say(&w, t[i].line, chunk);
			world_say(&w, SV("NOOP\r\n"), chunk);
			CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].want);
			buf_free(&codes);
			world_close(&w);
		}
}

static void a_line_is_too_long_from_line_max_on_whatever_its_length(void)
{
	static const size_t lengths[] = { 511, 512, 513, 514, 2000, 100000 };
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t chunk = 100; chunk < 200000; chunk *= 7) {
			struct world w;
			struct buf codes = BUF_INIT(100), line = BUF_INIT(200000);
			world_open(&w, CLIENT_NET);
			buf_puts(&line, "NOOP ");
			buf_fill(&line, 'x', lengths[i] - strlen("NOOP \r\n"));
			buf_puts(&line, "\r\n");
			world_say(&w, buf_sv(&line), chunk);
			CU_ASSERT(w.pending.cap <= 2 * (chunk + 2048));
			world_say(&w, SV("NOOP\r\n"), chunk);
			CU_ASSERT_STRING_EQUAL(
				world_codes(&w, &codes), lengths[i] <= 512 ? "250/2.0.0 250/2.0.0" : "500/5.5.2 250/2.0.0");
			buf_free(&codes);
			buf_free(&line);
			world_close(&w);
		}
}

static void after_any_failing_command_the_next_message_is_as_in_a_fresh_session(void)
{
	static const char *const trouble[] = { "FOO\r\n", "MAIL FROM:<x\r\n", "MAIL FROM:<x@y.example> SIZE=9999999999\r\n",
		"RCPT TO:<user@here.example>\r\n", "DATA\r\n", "EHLO\r\n", "NOOP\n",
		MAIL "RCPT TO:<other@here.example>\r\nRSET\r\n", MAIL "RCPT TO:<other@here.example>\r\nEHLO c.example\r\n",
		MAIL "RCPT TO:<nosuch@here.example>\r\nDATA\r\nRSET\r\n",
		"MAIL FROM:<j\xc3\xbc@c.example> SMTPUTF8\r\nRCPT TO:<other@here.example>\r\nDATA\r\nbad\nline\r\n.\r\n",
		MAIL "RCPT TO:<other@here.example>\r\nRCPT TO:<list1000@here.example>\r\nDATA\r\n\r\n\0.\r\n.\r\n" };
	struct world fresh;
	world_open(&fresh, CLIENT_NET);
	world_say(&fresh, SV(HELLO MAIL RCPT MESSAGE), 1000);
	CU_ASSERT_EQUAL_FATAL(fresh.commits, 1);
	for (size_t i = 0; i < COUNT(trouble); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		world_say(&w, SV(HELLO), 1000);
		world_say(&w, sv_of(trouble[i]), 1000);
		if (w.s.phase == PH_DATA)
			world_say(&w, SV("x\n\r\n.\r\n"), 1000);
		world_say(&w, SV(MAIL RCPT MESSAGE), 1000);
		CU_ASSERT_EQUAL(w.commits, 1);
		CU_ASSERT(sv_eq(buf_sv(&w.file), buf_sv(&fresh.file)));
		world_close(&w);
	}
	world_close(&fresh);
}

static void errors_slow_a_client_down_and_then_turn_it_out(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	w.cfg.smtpd.errors_soft = 2;
	w.cfg.smtpd.errors_max = 4;
	w.cfg.smtpd.error_delay = 3;
	static const uint64_t delays[] = { 0, 0, 3000, 3000 };
	for (size_t i = 0; i < COUNT(delays); i++) {
		CU_ASSERT_EQUAL(w.s.phase, PH_START);
		CU_ASSERT_EQUAL(session_feed(&w.s, SV("FOO\r\n"), &w.replies), 5);
		CU_ASSERT_EQUAL(w.s.delay_ms, delays[i]);
	}
	struct buf codes = BUF_INIT(200);
	CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), "500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 421/4.7.0");
	CU_ASSERT_EQUAL(w.s.phase, PH_QUIT);
	CU_ASSERT_EQUAL(session_feed(&w.s, SV("NOOP\r\n"), &w.replies), 0);
	buf_free(&codes);
	world_close(&w);
}

static void those_who_may_relay_are_not_punished_for_errors(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	w.s.client.trusted = true;
	w.cfg.smtpd.errors_soft = w.cfg.smtpd.errors_max = 1;
	for (int i = 0; i < 10; i++)
		world_say(&w, SV("FOO\r\n"), 100);
	CU_ASSERT_EQUAL(w.s.phase, PH_START);
	CU_ASSERT_EQUAL(w.s.delay_ms, 0);
	world_close(&w);
}

static void our_own_trouble_is_not_the_clients_error(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(HELLO MAIL "RCPT TO:<later@here.example>\r\nRCPT TO:<dead@here.example>\r\n"), 1000);
	CU_ASSERT_EQUAL(w.s.errors, 0);
	world_say(&w, SV("RCPT TO:<nosuch@here.example>\r\n"), 1000);
	CU_ASSERT_EQUAL(w.s.errors, 1);
	world_say(&w, SV(RCPT MESSAGE), 1000);
	CU_ASSERT_EQUAL(w.s.errors, 0);
	world_close(&w);
}

static void web_requests_end_the_connection(void)
{
	static const struct dialog d[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n", "421/4.7.0" },
		{ "POST /x HTTP/1.0\r\nMAIL FROM:<>\r\n", "421/4.7.0" },
	};
	run_dialogs(CLIENT_NET, d, COUNT(d));
}

static void soft_bounce_softens_refusals_and_not_protocol_errors(void)
{
	struct world w;
	struct buf codes = BUF_INIT(200);
	world_open(&w, CLIENT_NET);
	w.cfg.global.soft_bounce = true;
	world_say(&w, SV(HELLO "FOO\r\n" MAIL "RCPT TO:<nosuch@here.example>\r\n" RCPT "DATA\r\na\nb\r\n.\r\n"), 1000);
	CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), "250 500/5.5.2 250/2.1.0 450/4.1.1 250/2.1.5 354 450/4.6.11");
	buf_free(&codes);
	world_close(&w);
}

static void ehlo_lists_what_is_there_without_enhanced_codes(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	session_greet(&w.s, &w.replies);
	world_say(&w, SV("EHLO c.example\r\n"), 100);
	CU_ASSERT_STRING_EQUAL(buf_str(&w.replies),
		"220 mx.here.example ESMTP Postern\r\n250-mx.here.example greets "
		"c.example\r\n250-PIPELINING\r\n250-SIZE 3145728\r\n"
		"250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n"
		"250-DSN\r\n250-MT-PRIORITY\r\n250-DELIVERBY\r\n250-LIMITS RCPTMAX=100\r\n250 HELP\r\n");
	world_close(&w);
}

static void the_101st_recipient_waits_for_another_message(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(HELLO MAIL), 100);
	for (int i = 0; i < 100; i++)
		world_say(&w, SV(RCPT), 100);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("452")) < 0);
	world_say(&w, SV(RCPT), 100);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("452 4.5.3")) > 0);
	CU_ASSERT_EQUAL(w.s.txn.rcpts.len, 1);
	world_close(&w);
}

static void each_mailbox_is_a_recipient_once(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w,
		SV(HELLO MAIL RCPT
			"RCPT TO:<User@here.example>\r\nRCPT TO:<list@here.example>\r\nRCPT TO:<forward@here.example>\r\n"),
		100);
	CU_ASSERT_EQUAL_FATAL(w.s.txn.rcpts.len, 3);
	static const char *const finals[] = { "user@here.example", "other@here.example", "far@there.example" };
	static const char *const origs[] = { "", "list@here.example", "list@here.example" };
	for (size_t i = 0; i < COUNT(finals); i++) {
		char text[MADDR_TEXT_MAX + 1];
		const struct spool_rcpt *r = VEC_AT(&w.s.txn.rcpts, struct spool_rcpt, i);
		CU_ASSERT_STRING_EQUAL(maddr_text(&r->addr, text), finals[i]);
		CU_ASSERT_STRING_EQUAL(r->orig.null ? "" : maddr_text(&r->orig, text), origs[i]);
		CU_ASSERT_EQUAL(r->number, i);
	}
	world_close(&w);
}

static void an_alias_that_does_not_fit_adds_nobody(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	w.s.txn.rcpts.max = 2;
	world_say(&w, SV(HELLO MAIL "RCPT TO:<list@here.example>\r\n"), 100);
	CU_ASSERT_EQUAL(w.s.txn.rcpts.len, 0);
	CU_ASSERT_EQUAL(w.s.phase, PH_MAIL);
	CU_ASSERT(!w.s.txn.remote);
	world_say(&w, SV(RCPT "RCPT TO:<other@here.example>\r\n"), 100);
	CU_ASSERT_EQUAL(w.s.txn.rcpts.len, 2);
	world_close(&w);
}

static void talk_without_end_is_an_error(void)
{
	static const char *const idle[] = { "NOOP\r\n", "RSET\r\n", "HELP\r\n", "VRFY x\r\n", "EHLO c.example\r\n" };
	for (size_t i = 0; i < COUNT(idle); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		w.cfg.smtpd.errors_max = 3;
		world_say(&w, SV("EHLO c.example\r\n"), 100);
		for (unsigned k = 0; k < 99; k++)
			world_say(&w, sv_of(idle[i]), 100);
		CU_ASSERT(w.s.errors == 0 && w.s.phase == PH_HELLO);
		world_say(&w, SV("MAIL FROM:<>\r\nRCPT TO:<user@here.example>\r\nDATA\r\n\r\n.\r\n"), 100);
		for (unsigned k = 0; k < 102; k++) /* a message is a purpose: the count begins anew */
			world_say(&w, sv_of(idle[i]), 100);
		CU_ASSERT(w.s.errors == 2 && w.s.phase == PH_HELLO);
		world_say(&w, sv_of(idle[i]), 100);
		CU_ASSERT(w.s.phase == PH_QUIT && sv_find(buf_sv(&w.replies), SV("421 4.7.0 ")) > 0);
		world_close(&w);
	}
}

void suite_smtpd_session(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_command_in_every_phase_is_answered_by_the_table),
		UNIT(mail_checks_its_syntax_and_parameters),
		UNIT(rcpt_says_what_is_known_about_the_recipient),
		UNIT(local_programs_may_leave_domains_away_relay_and_expand),
		UNIT(data_needs_a_recipient_that_was_taken),
		UNIT(hello_takes_any_printable_name),
		UNIT(a_host_name_has_at_most_255_bytes),
		UNIT(a_line_that_is_none_is_refused_and_the_next_one_is_run),
		UNIT(a_line_is_too_long_from_line_max_on_whatever_its_length),
		UNIT(after_any_failing_command_the_next_message_is_as_in_a_fresh_session),
		UNIT(errors_slow_a_client_down_and_then_turn_it_out),
		UNIT(those_who_may_relay_are_not_punished_for_errors),
		UNIT(our_own_trouble_is_not_the_clients_error),
		UNIT(web_requests_end_the_connection),
		UNIT(soft_bounce_softens_refusals_and_not_protocol_errors),
		UNIT(ehlo_lists_what_is_there_without_enhanced_codes),
		UNIT(the_101st_recipient_waits_for_another_message),
		UNIT(each_mailbox_is_a_recipient_once),
		UNIT(an_alias_that_does_not_fit_adds_nobody),
		UNIT(talk_without_end_is_an_error),
		UNIT_END,
	};
	unit_suite("smtpd_session", cases);
}
