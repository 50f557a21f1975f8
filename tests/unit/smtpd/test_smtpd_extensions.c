#include "world.h"

#include "unit/unit.h"

#define HELLO "EHLO c.example\r\n"
#define MAIL "MAIL FROM:<a@c.example>"
#define RCPT "RCPT TO:<user@here.example>"
#define MESSAGE "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"

/* What the client says behind a prefix, and the codes of its answers. */
struct dialog {
	const char *in, *want;
};

static void run(struct world *w, const char *before, const struct dialog *d)
{
	struct buf codes = BUF_INIT(4000);
	world_say(w, sv_of(before), 1000);
	buf_reset(&w->replies);
	world_say(w, sv_of(d->in), 7);
	if (strcmp(world_codes(w, &codes), d->want) != 0)
		fprintf(stderr, "\n%s\n  gave %s\n  not  %s\n", d->in, buf_str(&codes), d->want);
	CU_ASSERT_STRING_EQUAL(buf_str(&codes), d->want);
	buf_free(&codes);
}

static void run_dialogs(enum client_kind kind, const char *before, const struct dialog *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct world w;
		world_open(&w, kind);
		run(&w, before, &d[i]);
		world_close(&w);
	}
}

static bool ehlo_has(const struct world *w, const char *line)
{
	char text[100];
	snprintf(text, sizeof text, "250-%s\r\n", line);
	bool middle = sv_find(buf_sv(&w->replies), sv_of(text)) >= 0;
	text[3] = ' ';
	return middle || sv_find(buf_sv(&w->replies), sv_of(text)) >= 0;
}

static void dsn_parameters_are_checked_strictly(void)
{
	static const struct dialog mail[] = {
		{ MAIL " RET=FULL ENVID=a+2Bb\r\n", "250/2.1.0" },
		{ MAIL " ret=hdrs\r\n", "250/2.1.0" },
		{ MAIL " RET=BODY\r\n", "501/5.5.4" },
		{ MAIL " RET\r\n", "501/5.5.4" },
		{ MAIL " RET=FULL RET=FULL\r\n", "501/5.5.4" },
		{ MAIL " ENVID=\r\n", "501/5.5.4" },
		{ MAIL " ENVID=a+2\r\n", "501/5.5.4" },
		{ MAIL " ENVID=a+0Ab\r\n", "501/5.5.4" },
		{ MAIL " ENVID=a+FFb\r\n", "501/5.5.4" },
		{ MAIL " NOTIFY=NEVER\r\n", "555/5.5.4" },
	};
	static const struct dialog rcpt[] = {
		{ RCPT " NOTIFY=NEVER\r\n", "250/2.1.5" },
		{ RCPT " notify=success,Failure,DELAY\r\n", "250/2.1.5" },
		{ RCPT " NOTIFY=NEVER,DELAY\r\n", "501/5.5.4" },
		{ RCPT " NOTIFY=SUCCESS,\r\n", "501/5.5.4" },
		{ RCPT " NOTIFY=ALWAYS\r\n", "501/5.5.4" },
		{ RCPT " NOTIFY\r\n", "501/5.5.4" },
		{ RCPT " NOTIFY=DELAY NOTIFY=DELAY\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=rfc822;user@here.example NOTIFY=DELAY\r\n", "250/2.1.5" },
		{ RCPT " ORCPT=X400;/A+3Db\r\n", "250/2.1.5" },
		{ RCPT " ORCPT=rfc822\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=rfc822;\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=;a@b\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=rfc(822;a@b\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=rfc822;a+zz\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=rfc822;a+C3+BC@b\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;j\\x{FC}rgen@here.example\r\n", "250/2.1.5" },
		{ RCPT " ORCPT=utf-8;a\\x{2B}b@here.example\r\n", "250/2.1.5" },
		{ RCPT " ORCPT=utf-8;\\x{1F600}@here.example\r\n", "250/2.1.5" },
		{ RCPT " ORCPT=utf-8;\\x{61}@here.example\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;\\x{D800}@here.example\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;\\x{110000}@here.example\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;\\x{0FC}@here.example\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;a\\b@here.example\r\n", "501/5.5.4" },
		{ RCPT " ORCPT=utf-8;j\xc3\xbcrgen@here.example\r\n", "501/5.5.4" },
		{ "RSET\r\nMAIL FROM:<> SMTPUTF8\r\n" RCPT " ORCPT=utf-8;j\xc3\xbcrgen@here.example\r\n",
			"250/2.0.0 250/2.1.0 250/2.1.5" },
		{ RCPT " RET=FULL\r\n", "555/5.5.4" },
	};
	run_dialogs(CLIENT_NET, HELLO, mail, COUNT(mail));
	run_dialogs(CLIENT_NET, HELLO MAIL "\r\n", rcpt, COUNT(rcpt));
}

static void envid_and_orcpt_have_their_limits(void)
{
	char line[700], value[601];
	static const struct {
		const char *format;
		size_t len;
		const char *want;
	} t[] = {
		{ MAIL " ENVID=%.*s\r\n", 100, "250/2.1.0" },
		{ MAIL " ENVID=%.*s\r\n", 101, "501/5.5.4" },
		{ MAIL "\r\n" RCPT " ORCPT=a;%.*s\r\n", 498, "250/2.1.0 250/2.1.5" },
		{ MAIL "\r\n" RCPT " ORCPT=a;%.*s\r\n", 499, "250/2.1.0 501/5.5.4" },
	};
	memset(value, 'x', sizeof value);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		w.cfg.smtpd.line_max = 2048;
		snprintf(line, sizeof line, t[i].format, (int)t[i].len, value); /* NOLINT */
		run(&w, HELLO, &(struct dialog){ line, t[i].want });
		world_close(&w);
	}
}

/* The envelope of the message that `says` hands in. */
static bool envelope(struct world *w, const char *says, struct spool_envelope *env)
{
	world_open(w, CLIENT_NET);
	world_say(w, sv_of(says), 1000);
	CU_ASSERT_EQUAL_FATAL(w->commits, 1);
	return spool_envelope_parse(buf_sv(&w->file), env, NULL);
}

static void what_dsn_asks_for_is_kept_in_the_queue_file(void)
{
	struct world w;
	struct spool_envelope env;
	struct spool_options o;
	CU_ASSERT_FATAL(envelope(&w,
		HELLO MAIL " RET=HDRS ENVID=a+20b\r\n" RCPT " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old+2Bx@far.example\r\n" MESSAGE,
		&env));
	CU_ASSERT_FATAL(spool_options_parse(sv_of(env.postern), &o, NULL));
	CU_ASSERT_EQUAL(o.ret, SPOOL_RET_HDRS);
	CU_ASSERT_STRING_EQUAL(o.envid, "a b");
	CU_ASSERT_FALSE(env.plain);
	CU_ASSERT_EQUAL(env.rcpt[0].notify, SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_DELAY);
	CU_ASSERT_STRING_EQUAL(env.rcpt[0].orcpt, "rfc822;old+2Bx@far.example");
	spool_envelope_free(&env);
	world_close(&w);
}

static void an_alias_passes_on_what_dsn_asks_for(void)
{
	struct world w;
	struct spool_envelope env;
	CU_ASSERT_FATAL(
		envelope(&w, HELLO MAIL "\r\nRCPT TO:<forward@here.example> NOTIFY=SUCCESS ORCPT=rfc822;f@x\r\n" MESSAGE, &env));
	CU_ASSERT_EQUAL(env.n_rcpt, 1);
	CU_ASSERT_EQUAL(env.rcpt[0].notify, SPOOL_NOTIFY_SUCCESS);
	CU_ASSERT_STRING_EQUAL(env.rcpt[0].orcpt, "rfc822;f@x");
	spool_envelope_free(&env);
	world_close(&w);
}

static void success_of_a_list_is_its_expansion_and_not_each_members(void)
{
	static const struct {
		const char *notify;
		uint8_t want;
	} t[] = {
		{ "", 0 },
		{ " NOTIFY=NEVER", SPOOL_NOTIFY_NEVER },
		{ " NOTIFY=SUCCESS", SPOOL_NOTIFY_NEVER },
		{ " NOTIFY=SUCCESS,FAILURE", SPOOL_NOTIFY_FAILURE },
		{ " NOTIFY=DELAY", SPOOL_NOTIFY_DELAY },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char says[300];
		struct world w;
		struct spool_envelope env;
		snprintf(says, sizeof says, HELLO MAIL "\r\nRCPT TO:<list@here.example>%s\r\n" MESSAGE, t[i].notify);
		CU_ASSERT_FATAL(envelope(&w, says, &env));
		bool told = strstr(t[i].notify, "SUCCESS");
		CU_ASSERT_EQUAL_FATAL(env.n_rcpt, told ? 4 : 3);
		for (size_t k = 0; k < 3; k++)
			CU_ASSERT_EQUAL(env.rcpt[k].notify, t[i].want);
		CU_ASSERT(!told || (env.rcpt[3].status == SPOOL_OWED_EXPANDED && env.rcpt[3].notify == SPOOL_NOTIFY_SUCCESS));
		spool_envelope_free(&env);
		world_close(&w);
	}
}

static void one_recipient_named_twice_is_reported_on_when_either_asked(void)
{
	static const struct {
		const char *a, *b;
		uint8_t want;
	} t[] = {
		{ "", "", 0 },
		{ " NOTIFY=NEVER", " NOTIFY=NEVER", SPOOL_NOTIFY_NEVER },
		{ " NOTIFY=NEVER", " NOTIFY=DELAY", SPOOL_NOTIFY_DELAY },
		{ " NOTIFY=SUCCESS", "", SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_FAILURE | SPOOL_NOTIFY_DELAY },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char says[300];
		struct world w;
		struct spool_envelope env;
		snprintf(says, sizeof says, HELLO MAIL "\r\n" RCPT "%s\r\nRCPT TO:<User@here.example>%s\r\n" MESSAGE, t[i].a,
			t[i].b);
		CU_ASSERT_FATAL(envelope(&w, says, &env));
		CU_ASSERT_EQUAL(env.n_rcpt, 1);
		CU_ASSERT_EQUAL(env.rcpt[0].notify, t[i].want);
		spool_envelope_free(&env);
		world_close(&w);
	}
}

static void requiretls_is_there_under_tls_alone(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(HELLO), 100);
	CU_ASSERT(!ehlo_has(&w, "REQUIRETLS"));
	run(&w, "", &(struct dialog){ MAIL " REQUIRETLS\r\n", "555/5.5.4" });
	w.s.tls_active = true;
	world_say(&w, SV(HELLO), 100);
	CU_ASSERT(ehlo_has(&w, "REQUIRETLS"));
	run(&w, "", &(struct dialog){ MAIL " REQUIRETLS=yes\r\n" MAIL " REQUIRETLS\r\n", "501/5.5.4 250/2.1.0" });
	CU_ASSERT(w.s.txn.options.requiretls);
	world_close(&w);
}

static void limits_are_told_and_true(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(HELLO), 100);
	CU_ASSERT(ehlo_has(&w, "LIMITS RCPTMAX=100"));
	world_close(&w);
}

static void a_message_is_held_for_those_who_may_relay(void)
{
	static const struct {
		const char *param, *want;
		uint64_t until;
	} t[] = {
		{ "HOLDFOR=60", "250/2.1.0", WORLD_NOW + 60 },
		{ "HOLDFOR=3600", "250/2.1.0", WORLD_NOW + 3600 },
		{ "HOLDFOR=3601", "501/5.5.4", 0 },
		{ "HOLDFOR=0", "501/5.5.4", 0 },
		{ "HOLDFOR=-1", "501/5.5.4", 0 },
		{ "HOLDFOR=0000000060", "501/5.5.4", 0 },
		{ "HOLDUNTIL=2026-11-18T11:07:00Z", "250/2.1.0", 1795000020 },
		{ "HOLDUNTIL=2026-11-18t12:07:00.5+01:00", "250/2.1.0", 1795000020 },
		{ "HOLDUNTIL=2020-01-01T00:00:00Z", "250/2.1.0", 1577836800 },
		{ "HOLDUNTIL=2026-11-18T13:00:00Z", "501/5.5.4", 0 },
		{ "HOLDUNTIL=tomorrow", "501/5.5.4", 0 },
		{ "HOLDFOR=60 HOLDUNTIL=2020-01-01T00:00:00Z", "501/5.5.4", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		char says[100];
		world_open(&w, CLIENT_SUBMIT);
		w.cfg.smtpd.future_release_max = 3600;
		snprintf(says, sizeof says, MAIL " %s\r\n", t[i].param);
		run(&w, HELLO, &(struct dialog){ says, t[i].want });
		CU_ASSERT_EQUAL(w.s.txn.options.hold_until, t[i].until);
		world_close(&w);
	}
}

static void future_release_is_told_with_its_limits_and_not_to_strangers(void)
{
	struct world w;
	world_open(&w, CLIENT_SUBMIT);
	w.cfg.smtpd.future_release_max = 3600;
	world_say(&w, SV(HELLO), 100);
	CU_ASSERT(ehlo_has(&w, "FUTURERELEASE 3600 2026-11-18T12:06:40Z"));
	world_close(&w);
	world_open(&w, CLIENT_NET);
	w.cfg.smtpd.future_release_max = 3600;
	world_say(&w, SV(HELLO), 100);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("FUTURERELEASE")) < 0);
	run(&w, "", &(struct dialog){ MAIL " HOLDFOR=5\r\n", "555/5.5.4" });
	world_close(&w);
}

static void priority_of_strangers_is_never_high(void)
{
	static const struct {
		enum client_kind kind;
		const char *value, *want;
		int priority;
	} t[] = {
		{ CLIENT_SUBMIT, "9", "250/2.1.0", 9 },
		{ CLIENT_SUBMIT, "-9", "250/2.1.0", -9 },
		{ CLIENT_NET, "1", "250/2.3.6", 0 },
		{ CLIENT_NET, "0", "250/2.1.0", 0 },
		{ CLIENT_NET, "-3", "250/2.1.0", -3 },
		{ CLIENT_NET, "10", "501/5.5.4", 0 },
		{ CLIENT_NET, "-0", "501/5.5.4", 0 },
		{ CLIENT_NET, "+1", "501/5.5.4", 0 },
		{ CLIENT_NET, "01", "501/5.5.4", 0 },
		{ CLIENT_NET, "-", "501/5.5.4", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		char says[100];
		world_open(&w, t[i].kind);
		snprintf(says, sizeof says, MAIL " MT-PRIORITY=%s\r\n", t[i].value);
		run(&w, HELLO, &(struct dialog){ says, t[i].want });
		CU_ASSERT_EQUAL(w.s.txn.options.priority, t[i].priority);
		world_close(&w);
	}
}

static void deliver_by_is_a_time_and_what_to_do_then(void)
{
	static const struct {
		const char *value, *want;
		uint64_t by;
		char mode;
		bool trace;
	} t[] = {
		{ "120;R", "250/2.1.0", WORLD_NOW + 120, 'R', false },
		{ "+120;nt", "250/2.1.0", WORLD_NOW + 120, 'N', true },
		{ "-5;N", "250/2.1.0", WORLD_NOW - 5, 'N', false },
		{ "0;R", "501/5.5.4", 0, 0, false },
		{ "-5;R", "501/5.5.4", 0, 0, false },
		{ "+-5;N", "501/5.5.4", 0, 0, false },
		{ "120", "501/5.5.4", 0, 0, false },
		{ "120;X", "501/5.5.4", 0, 0, false },
		{ "120;RR", "501/5.5.4", 0, 0, false },
		{ "120;RTT", "501/5.5.4", 0, 0, false },
		{ "1000000000;R", "501/5.5.4", 0, 0, false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		char says[100];
		world_open(&w, CLIENT_NET);
		snprintf(says, sizeof says, MAIL " BY=%s\r\n", t[i].value);
		run(&w, HELLO, &(struct dialog){ says, t[i].want });
		CU_ASSERT_EQUAL(w.s.txn.options.deliver_by, t[i].by);
		CU_ASSERT_EQUAL(w.s.txn.options.by_mode, t[i].mode);
		CU_ASSERT_EQUAL(w.s.txn.options.by_trace, t[i].trace);
		world_close(&w);
	}
}

static void expn_is_for_the_authenticated_and_shows_utf8_when_asked(void)
{
	static const struct dialog d[] = {
		{ "EXPN list@here.example\r\nEXPN j\xc3\xbcrgen@here.example\r\nEXPN <j\xc3\xbcrgen@here.example> SMTPUTF8\r\n",
			"250/2.1.5 553/5.6.7 250/2.1.5" },
		{ "EXPN SMTPUTF8\r\nEXPN\r\n", "550/5.1.1 501/5.1.3" },
	};
	struct world w;
	run_dialogs(CLIENT_SUBMIT, HELLO, d, COUNT(d));
	world_open(&w, CLIENT_NET);
	run(&w, HELLO, &(struct dialog){ "EXPN list@here.example\r\n", "502/5.7.0" });
	snprintf(w.s.account, sizeof w.s.account, "alice");
	run(&w, "", &d[0]);
	world_close(&w);
}

/* --- the audit log --- */
static int audit_socket = -1;

static int audit_connect(void *arg)
{
	(void)arg;
	return dup(audit_socket);
}

/* All lines that logd would get. */
static void audit_lines(int from, struct buf *out)
{
	for (;;) {
		struct buf packet = BUF_INIT(SOCK_PACKET_MAX);
		int fds[SOCK_FDS_MAX];
		size_t n_fds;
		bool ok = sock_recv_packet(from, &packet, fds, &n_fds, 0, NULL) && log_packet_text(buf_sv(&packet), out);
		buf_free(&packet);
		if (!ok)
			return;
	}
}

static void the_audit_log_has_all_commands_and_no_secret(void)
{
	struct world w;
	struct buf log = BUF_INIT(1 << 16);
	int ends[2];
	CU_ASSERT_FATAL(sock_pair(SOCK_SEQPACKET, ends, NULL));
	world_open(&w, CLIENT_NET);
	w.cfg.smtpd.audit = true;
	audit_socket = ends[0];
	log_open("test", LOG_LEVEL_INFO, audit_connect, NULL);
	session_greet(&w.s, &w.replies);
	world_say(&w,
		SV(HELLO "AUTH PLAIN c2VjcmV0\r\nc2VjcmV0\r\nc2VjcmV0\n" MAIL "\r\n" RCPT "\r\n" MESSAGE MAIL "\r\n" RCPT
			 "\r\nBDAT 5 LAST\r\nhelloQUIT\r\n"),
		1000);
	audit_lines(ends[1], &log);
	struct sv text = buf_sv(&log);
	static const char *const has[] = { "command=(greeting) reply=\"220 mx.", "EHLO c.example", "MAIL FROM:<a@c.example>",
		"reply=\"250 2.1.0 Ok\"", "command=DATA reply=\"354", "command=(content) reply=\"250 2.0.0",
		"command=\"BDAT 5 LAST\"", "command=QUIT reply=\"221" };
	for (size_t i = 0; i < COUNT(has); i++)
		CU_ASSERT(sv_find(text, sv_of(has[i])) >= 0);
	CU_ASSERT(sv_find(text, SV("c2VjcmV0")) < 0);
	CU_ASSERT(sv_find(text, SV("hello")) < 0);
	world_quiet();
	close(ends[0]);
	close(ends[1]);
	buf_free(&log);
	world_close(&w);
}

static void help_names_the_parameters_of_this_session(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV("HELP MAIL\r\nHELP RCPT\r\n"), 100);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("[RET=FULL|HDRS]")) > 0);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("[ORCPT=rfc822;xtext]")) > 0);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("REQUIRETLS")) < 0);
	world_close(&w);
}

void suite_smtpd_extensions(void)
{
	static const struct unit_case cases[] = {
		UNIT(dsn_parameters_are_checked_strictly),
		UNIT(envid_and_orcpt_have_their_limits),
		UNIT(what_dsn_asks_for_is_kept_in_the_queue_file),
		UNIT(an_alias_passes_on_what_dsn_asks_for),
		UNIT(success_of_a_list_is_its_expansion_and_not_each_members),
		UNIT(one_recipient_named_twice_is_reported_on_when_either_asked),
		UNIT(requiretls_is_there_under_tls_alone),
		UNIT(limits_are_told_and_true),
		UNIT(a_message_is_held_for_those_who_may_relay),
		UNIT(future_release_is_told_with_its_limits_and_not_to_strangers),
		UNIT(priority_of_strangers_is_never_high),
		UNIT(deliver_by_is_a_time_and_what_to_do_then),
		UNIT(expn_is_for_the_authenticated_and_shows_utf8_when_asked),
		UNIT(the_audit_log_has_all_commands_and_no_secret),
		UNIT(help_names_the_parameters_of_this_session),
		UNIT_END,
	};
	unit_suite("smtpd_extensions", cases);
}
