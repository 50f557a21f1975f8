#include "world.h"

#include "mail/hdr.h"
#include "unit/unit.h"

#include <sys/mman.h>

#define ENVELOPE "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<user@here.example>\r\n"

static void deliver(struct world *w, struct sv message, size_t chunk)
{
	world_say(w, SV(ENVELOPE "DATA\r\n"), 1000);
	buf_reset(&w->replies);
	world_say(w, message, chunk);
}

/* The queue file read back: its envelope, and the message behind our own header lines. */
static bool read_back(const struct world *w, struct spool_envelope *env)
{
	int fd = memfd_create("queue file", 0);
	bool ok = write(fd, w->file.data, w->file.len) == (ssize_t)w->file.len;
	ok = ok && spool_envelope_read(fd, env, NULL) && spool_verify(fd, env, NULL);
	close(fd);
	return ok;
}

static void the_queue_file_is_complete_and_holds_the_message_below_our_lines(void)
{
	struct world w;
	struct spool_envelope env;
	world_open(&w, CLIENT_NET);
	snprintf(w.verdict.headers, sizeof w.verdict.headers, "X-Spam-Status: no\n");
	deliver(&w, SV("Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"), 5);
	CU_ASSERT_STRING_EQUAL(buf_str(&w.replies), "250 2.0.0 Ok: queued as " WORLD_ID "\r\n");
	CU_ASSERT_FATAL(read_back(&w, &env));
	CU_ASSERT(env.plain);
	CU_ASSERT_EQUAL(env.trust, 's');
	CU_ASSERT_EQUAL(env.size, w.file.len);
	CU_ASSERT(sv_ends(buf_sv(&w.file), SV("\nX-Spam-Status: no\nSubject: x\n\n.dot\nend\n")));
	CU_ASSERT(sv_find(buf_sv(&w.file),
			  SV("Received: from c.example ([192.0.2.1])\n\tby mx.here.example (Postern) with ESMTP\n\tid " WORLD_ID)) >
		  0);
	CU_ASSERT(sv_find(buf_sv(&w.file), SV("for <user@here.example>;")) > 0);
	CU_ASSERT_STRING_EQUAL(w.note.id, WORLD_ID);
	CU_ASSERT_EQUAL(w.note.size, w.file.len);
	CU_ASSERT_EQUAL(w.note.recipients, 1);
	CU_ASSERT_STRING_EQUAL(w.asked.client_ip, "192.0.2.1");
	CU_ASSERT_EQUAL(w.asked.trust, 's');
	CU_ASSERT(sv_eq(buf_sv(&w.checked), SV("Subject: x\n\n.dot\nend\n")));
	spool_envelope_free(&env);
	world_close(&w);
}

/* A message of about `len` bytes; its wire form, and what must arrive. */
static void make_message(size_t len, struct buf *wire, struct buf *want)
{
	buf_puts(wire, "Subject: long\r\n\r\n");
	buf_puts(want, "Subject: long\n\n");
	for (unsigned i = 0; want->len < len; i++) {
		buf_putf(wire, "%sline %u of many %x\r\n", i % 50 ? "" : "..", i, i * 2654435761u);
		buf_putf(want, "%sline %u of many %x\n", i % 50 ? "" : ".", i, i * 2654435761u);
	}
	buf_puts(wire, ".\r\n");
}

static void a_long_message_is_streamed_and_comes_out_the_same(void)
{
	static const size_t lengths[] = { 1000000, 1048500, 1048576, 1048600, 1400000, 2500000 };
	static const size_t chunks[] = { 1000, 8192, 131072, 4000000 };
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (size_t k = 0; k < COUNT(chunks); k++) {
			struct world w;
			struct spool_envelope env;
			struct buf wire = BUF_INIT(1 << 22), want = BUF_INIT(1 << 22);
			world_open(&w, CLIENT_NET);
			snprintf(w.verdict.headers, sizeof w.verdict.headers, "X-Spam-Status: no\n");
			make_message(lengths[i], &wire, &want);
			deliver(&w, buf_sv(&wire), chunks[k]);
			CU_ASSERT(sv_starts(buf_sv(&w.replies), SV("250 ")));
			CU_ASSERT_FATAL(read_back(&w, &env));
			CU_ASSERT(sv_ends(buf_sv(&w.file), buf_sv(&want)));
			CU_ASSERT(sv_find(buf_sv(&w.file), SV("\nX-Spam-Status: no\n")) > 0);
			CU_ASSERT(sv_eq(buf_sv(&w.checked), buf_sv(&want)));
			CU_ASSERT_EQUAL(w.asked.streamed, want.len >= BODY_MEMORY_MAX);
			CU_ASSERT_EQUAL(w.s.txn.body.mem.cap <= 65536, true);
			spool_envelope_free(&env);
			buf_free(&wire);
			buf_free(&want);
			world_close(&w);
		}
}

static void only_crlf_dot_crlf_ends_a_message_in_any_chunking(void)
{
	static const struct {
		struct sv end;
		const char *want; /* after it CRLF.CRLF follows, then NOOP */
	} t[] = {
		{ SV("\n.\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\n.\r\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\r\n.\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\r.\r"), "550/5.6.11 250/2.0.0" },
		{ SV("\r.\r\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\r\n.\r"), "550/5.6.11 250/2.0.0" },
		{ SV("\n.\r"), "550/5.6.11 250/2.0.0" },
		{ SV("\r.\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\r\r\n.\r\r\n"), "550/5.6.11 250/2.0.0" },
		{ SV("\r\n\0.\r\n"), "554/5.6.0 250/2.0.0" },
		{ SV("\r\n.\0\r\n"), "554/5.6.0 250/2.0.0" },
		{ SV("\r\n..\r\n"), "250/2.0.0 250/2.0.0" },
		{ SV("\r\n. \r\n"), "250/2.0.0 250/2.0.0" },
		{ SV("\r\n.."), "250/2.0.0 250/2.0.0" },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t chunk = 1; chunk < 40; chunk++) {
			struct world w;
			struct buf text = BUF_INIT(1000), codes = BUF_INIT(200);
			buf_puts(&text, "a");
			buf_putsv(&text, t[i].end);
			buf_puts(&text, "MAIL FROM:<evil@c.example>\r\n.\r\nNOOP\r\n");
			world_open(&w, CLIENT_NET);
			deliver(&w, buf_sv(&text), chunk);
			CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].want);
			CU_ASSERT_EQUAL(w.commits, t[i].want[0] == '2');
			buf_free(&text);
			buf_free(&codes);
			world_close(&w);
		}
}

static void a_lone_lf_may_be_taken_for_text_and_still_ends_nothing(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	w.cfg.smtpd.bare_newline = CFG_BARE_ACCEPT;
	deliver(&w, SV("\r\na\n.\nb\n.\r\nc\r\n.\r\n"), 3);
	CU_ASSERT_EQUAL(w.commits, 1);
	CU_ASSERT(sv_ends(buf_sv(&w.file), SV("\n\na\n.\nb\n.\nc\n")));
	deliver(&w, SV("a\rb\r\n.\r\n"), 3);
	CU_ASSERT_EQUAL(w.commits, 1);
	world_close(&w);
}

static void what_is_taken_arrives_byte_for_byte(void)
{
	static const struct {
		struct sv wire, want;
	} t[] = {
		{ SV(".\r\n"), SV("") },
		{ SV("\r\n.\r\n"), SV("\n") },
		{ SV("x: \xe4\xff\x80\r\n\r\n\x01\x7f\t \r\n.\r\n"), SV("x: \xe4\xff\x80\n\n\x01\x7f\t \n") },
		{ SV("\r\n...\r\n..a\r\n.b\r\n.\r\n"), SV("\n..\n.a\nb\n") },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t chunk = 1; chunk < 30; chunk++) {
			struct world w;
			world_open(&w, CLIENT_NET);
			deliver(&w, t[i].wire, chunk);
			CU_ASSERT_EQUAL(w.commits, 1);
			CU_ASSERT(sv_eq(buf_sv(&w.checked), t[i].want));
			CU_ASSERT(sv_ends(buf_sv(&w.file), t[i].want));
			world_close(&w);
		}
}

/* RFC 1870 3: CRLF counts as two, doubled dots as one, the end not at all. */
static void a_message_of_exactly_the_maximum_is_taken(void)
{
	for (int over = 0; over <= 1; over++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		w.cfg.global.message_max_size = 2000;
		world_say(&w, SV(ENVELOPE "DATA\r\n"), 1000);
		for (int i = 0; i < 199; i++)
			world_say(&w, SV("..345678\r\n"), 1000); /* 9 bytes that count: 1791 */
		for (int i = 0; i < 207 + over; i++)
			world_say(&w, SV("x"), 1);
		buf_reset(&w.replies);
		world_say(&w, SV("\r\n.\r\n"), 2);
		CU_ASSERT(sv_starts(buf_sv(&w.replies), over ? SV("552 5.3.4 ") : SV("250 ")));
		world_close(&w);
	}
}

static void too_long_while_streaming_gives_the_file_back_at_once(void)
{
	struct world w;
	struct buf wire = BUF_INIT(1 << 23), want = BUF_INIT(1 << 23);
	world_open(&w, CLIENT_NET);
	make_message(4000000, &wire, &want);
	deliver(&w, sv_sub(buf_sv(&wire), 0, wire.len - 3), 100000);
	CU_ASSERT_EQUAL(w.abandons, 1);
	CU_ASSERT_EQUAL(w.replies.len, 0);
	world_say(&w, SV(".\r\nNOOP\r\n"), 100);
	CU_ASSERT(sv_starts(buf_sv(&w.replies), SV("552 5.3.4 ")));
	CU_ASSERT(sv_ends(buf_sv(&w.replies), SV("250 2.0.0 Ok\r\n")));
	CU_ASSERT_EQUAL(w.abandons, 1);
	buf_free(&wire);
	buf_free(&want);
	world_close(&w);
}

static void more_received_lines_than_allowed_are_a_loop(void)
{
	for (int n = 10; n <= 11; n++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		world_say(&w, SV(ENVELOPE "DATA\r\n"), 1000);
		buf_reset(&w.replies);
		for (int i = 0; i < n; i++)
			world_say(&w, SV("Received: from a by b;\r\n\tnow\r\n"), 1000);
		world_say(&w, SV("\r\nReceived: in the text\r\n.\r\n"), 1000);
		CU_ASSERT(sv_starts(buf_sv(&w.replies), n == 10 ? SV("250 ") : SV("554 5.4.6 ")));
		world_close(&w);
	}
}

struct outcome {
	const char *name;
	void (*set)(struct world *);
	const char *want;
	unsigned commits;
};

static void set_full(struct world *w) { w->full = true; }
static void set_no_queue(struct world *w) { w->no_queue = true; }
static void set_no_commit(struct world *w) { w->no_commit = true; }
static void set_disk_full(struct world *w) { w->no_commit = w->disk_full = true; }
static void set_no_check(struct world *w) { w->no_check = true; }
static void set_off(struct world *w)
{
	w->no_check = true;
	w->cfg.spam.spam_action = CFG_SPAM_OFF;
}
static void set_unchecked(struct world *w)
{
	w->no_check = true;
	w->cfg.spam.spam_failure = CFG_SPAMFAIL_ACCEPT;
}
static void set_reject(struct world *w) { w->verdict.verdict = SPAM_REJECT; }
static void set_mark_only(struct world *w)
{
	w->verdict.verdict = SPAM_REJECT;
	w->cfg.spam.spam_action = CFG_SPAM_MARK;
}
static void set_tempfail(struct world *w) { w->verdict.verdict = SPAM_TEMPFAIL; }
static void set_headers(struct world *w, const char *text) { snprintf(w->verdict.headers, sizeof w->verdict.headers, "%s", text); }
static void set_no_header(struct world *w) { set_headers(w, "no header\n"); }
static void set_unended(struct world *w) { set_headers(w, "X: y"); }
static void set_body(struct world *w) { set_headers(w, "X: y\n\nbody\n"); }
static void set_empty_line(struct world *w) { set_headers(w, "\n"); }

static void each_trouble_at_the_end_has_its_answer_and_loses_nothing(void)
{
	static const struct outcome t[] = {
		{ "queue full", set_full, "452/4.3.1", 0 },
		{ "no queue-mgr", set_no_queue, "451/4.3.0", 0 },
		{ "write fails", set_no_commit, "354 451/4.3.0", 0 },
		{ "disk full", set_disk_full, "354 452/4.3.1", 0 },
		{ "no spamcheck", set_no_check, "354 451/4.7.1", 0 },
		{ "spamcheck off", set_off, "354 250/2.0.0", 1 },
		{ "no spamcheck, accept", set_unchecked, "354 250/2.0.0", 1 },
		{ "spam", set_reject, "354 550/5.7.1", 0 },
		{ "spam, mark", set_mark_only, "354 250/2.0.0", 1 },
		{ "try later", set_tempfail, "354 451/4.7.1", 0 },
		{ "headers that are none", set_no_header, "354 451/4.7.1", 0 },
		{ "headers without end", set_unended, "354 451/4.7.1", 0 },
		{ "headers with a body", set_body, "354 451/4.7.1", 0 },
		{ "headers that end the header", set_empty_line, "354 451/4.7.1", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct buf codes = BUF_INIT(200);
		world_open(&w, CLIENT_NET);
		t[i].set(&w);
		world_say(&w, SV(ENVELOPE), 1000);
		buf_reset(&w.replies);
		world_say(&w, SV("DATA\r\n"), 1000);
		if (w.s.phase == PH_DATA)
			world_say(&w, SV("Subject: x\r\n\r\ny\r\n.\r\n"), 1000);
		if (strcmp(world_codes(&w, &codes), t[i].want) != 0)
			fprintf(stderr, "\n%s gave %s\n", t[i].name, buf_str(&codes));
		CU_ASSERT_STRING_EQUAL(buf_str(&codes), t[i].want);
		CU_ASSERT_EQUAL(w.commits, t[i].commits);
		buf_free(&codes);
		world_close(&w);
	}
}

static void a_failed_write_while_streaming_is_answered_at_the_end(void)
{
	struct world w;
	struct buf wire = BUF_INIT(1 << 23), want = BUF_INIT(1 << 23);
	world_open(&w, CLIENT_NET);
	w.no_stream = w.disk_full = true;
	make_message(2000000, &wire, &want);
	deliver(&w, buf_sv(&wire), 100000);
	CU_ASSERT(sv_starts(buf_sv(&w.replies), SV("452 4.3.1 ")));
	CU_ASSERT_EQUAL(w.abandons, 1);
	CU_ASSERT_EQUAL(w.s.phase, PH_HELLO);
	buf_free(&wire);
	buf_free(&want);
	world_close(&w);
}

static void spam_that_was_streamed_is_wiped(void)
{
	struct world w;
	struct buf wire = BUF_INIT(1 << 23), want = BUF_INIT(1 << 23);
	world_open(&w, CLIENT_NET);
	w.verdict.verdict = SPAM_REJECT;
	make_message(2000000, &wire, &want);
	deliver(&w, buf_sv(&wire), 100000);
	CU_ASSERT(sv_starts(buf_sv(&w.replies), SV("550 5.7.1 ")));
	CU_ASSERT_EQUAL(w.abandons, 1);
	CU_ASSERT_EQUAL(w.file.len, 0);
	buf_free(&wire);
	buf_free(&want);
	world_close(&w);
}

static void a_local_programs_message_is_completed(void)
{
	static const struct {
		struct sv wire, want;
	} t[] = {
		{ SV("Subject: x\r\n\r\ny\r\n.\r\n"),
			SV("Date: Fri, 18 Nov 2026 11:06:40 +0000\nFrom: alice@here.example\nMessage-ID: <" WORLD_ID
			   "@mx.here.example>\nSubject: x\n\ny\n") },
		{ SV("date: d\r\nfrom: f\r\nMESSAGE-ID: m\r\n\r\ny\r\n.\r\n"), SV("\ndate: d\nfrom: f\nMESSAGE-ID: m\n\ny\n") },
		{ SV("text alone\r\n.\r\n"), SV("@mx.here.example>\n\ntext alone\n") },
		{ SV("\r\ntext\r\n.\r\n"), SV("@mx.here.example>\n\ntext\n") },
		{ SV(".\r\n"), SV("@mx.here.example>\n\n") },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct spool_envelope env;
		world_open(&w, CLIENT_SUBMIT);
		world_say(&w, SV("EHLO localhost\r\nMAIL FROM:<alice>\r\nRCPT TO:<user>\r\nDATA\r\n"), 1000);
		world_say(&w, t[i].wire, 1000);
		CU_ASSERT_FATAL(read_back(&w, &env));
		CU_ASSERT_EQUAL(env.trust, 'l');
		if (i > 0)
			CU_ASSERT(sv_ends(buf_sv(&w.file), t[i].want));
		if (i == 0)
			CU_ASSERT(sv_find(buf_sv(&w.file), SV("\nFrom: alice@here.example\nMessage-ID: <" WORLD_ID
							      "@mx.here.example>\nSubject: x\n\ny\n")) > 0);
		CU_ASSERT(sv_find(buf_sv(&w.file),
				  SV("Received: by mx.here.example (Postern, from userid 1000 alice)\n\twith local\n\tid ")) > 0);
		spool_envelope_free(&env);
		world_close(&w);
	}
}

static void a_long_message_of_a_local_program_is_completed_too(void)
{
	struct world w;
	struct spool_envelope env;
	world_open(&w, CLIENT_SUBMIT);
	snprintf(w.verdict.headers, sizeof w.verdict.headers, "X-Spam-Status: no\n");
	world_say(&w, SV("EHLO localhost\r\nMAIL FROM:<alice>\r\nRCPT TO:<user>\r\nDATA\r\n"), 1000);
	for (int i = 0; i < 200000; i++)
		world_say(&w, SV("text alone\r\n"), 1000);
	world_say(&w, SV(".\r\n"), 1000);
	CU_ASSERT_FATAL(read_back(&w, &env));
	struct hdr_field f;
	size_t body = hdr_body(buf_sv(&w.file));
	struct sv head = sv_sub(buf_sv(&w.file), 0, body);
	CU_ASSERT(hdr_find(head, "Message-ID", &f) && hdr_find(head, "From", &f) && hdr_find(head, "Date", &f));
	CU_ASSERT(hdr_find(head, "X-Spam-Status", &f));
	CU_ASSERT_EQUAL(w.file.len - body, 200000 * strlen("text alone\n"));
	spool_envelope_free(&env);
	world_close(&w);
}

static void bounces_have_no_limits_and_are_not_checked(void)
{
	struct world w;
	world_open(&w, CLIENT_BOUNCE);
	w.cfg.global.message_max_size = 10;
	w.no_check = true;
	world_say(&w,
		SV("EHLO bounce\r\nMAIL FROM:<> SIZE=100000\r\nRCPT TO:<user@here.example>\r\nDATA\r\nSubject: long "
		   "enough\r\n\r\n.\r\n"),
		1000);
	CU_ASSERT_EQUAL(w.commits, 1);
	CU_ASSERT_EQUAL(w.checks, 0);
	world_close(&w);
}

static void what_a_user_has_forwarded_keeps_its_trust_and_says_whose_it_was(void)
{
	static const struct {
		const char *given;
		char trust;
		const char *orig;
	} t[] = {
		{ " XFORWARDED=stranger;user@here.example REQUIRETLS", SPOOL_STRANGER, "user@here.example" },
		{ " XFORWARDED=known;a+2Bb@here.example", SPOOL_AUTHENTICATED, "a+b@here.example" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct spool_envelope env;
		struct spool_options o;
		struct err e;
		char says[300], orig[MADDR_TEXT_MAX + 1];
		world_open(&w, CLIENT_FORWARD);
		w.cfg.global.message_max_size = 10;
		w.no_check = true;
		snprintf(says, sizeof says,
			"EHLO us\r\nMAIL FROM:<a@c.example>%s\r\nRCPT TO:<far@there.example>\r\n"
			"DATA\r\nDelivered-To: user@here.example\r\n\r\n.\r\n",
			t[i].given);
		world_say(&w, sv_of(says), 1000);
		CU_ASSERT_EQUAL_FATAL(w.commits, 1);
		CU_ASSERT_EQUAL(w.checks, 0);
		CU_ASSERT_FATAL(spool_envelope_parse(buf_sv(&w.file), &env, &e));
		CU_ASSERT_EQUAL(env.trust, t[i].trust);
		CU_ASSERT_STRING_EQUAL(maddr_text(&env.rcpt[0].orig, orig), t[i].orig);
		CU_ASSERT_FATAL(spool_options_parse(sv_of(env.postern), &o, NULL));
		CU_ASSERT_EQUAL(o.requiretls, strstr(t[i].given, "REQUIRETLS") != NULL);
		spool_envelope_free(&env);
		world_close(&w);
	}
}

static void what_comes_back_to_its_forwarder_is_a_loop(void)
{
	struct world w;
	world_open(&w, CLIENT_FORWARD);
	world_say(&w,
		SV("EHLO us\r\nMAIL FROM:<a@c.example> XFORWARDED=known;other@here.example\r\nRCPT TO:<user@here.example>\r\n"
		   "DATA\r\nDelivered-To: other@here.example\r\nReceived: x\r\nDelivered-To: user@here.example\r\n\r\n.\r\n"),
		1000);
	CU_ASSERT_EQUAL(w.commits, 0);
	CU_ASSERT(sv_find(buf_sv(&w.replies), SV("554 5.4.6")) >= 0);
	world_close(&w);
}

static void nobody_else_may_say_whose_mail_it_was(void)
{
	static const enum client_kind kinds[] = { CLIENT_NET, CLIENT_SUBMIT, CLIENT_LMTP, CLIENT_BOUNCE };
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct world w;
		world_open(&w, kinds[i]);
		world_say(&w,
			kinds[i] == CLIENT_LMTP ? SV("LHLO us\r\nMAIL FROM:<a@c.example> XFORWARDED=known;user@here.example\r\n")
						: SV("EHLO us\r\nMAIL FROM:<a@c.example> XFORWARDED=known;user@here.example\r\n"),
			1000);
		CU_ASSERT(sv_find(buf_sv(&w.replies), SV("555 5.5.4")) >= 0);
		CU_ASSERT(sv_find(buf_sv(&w.replies), SV("-XFORWARDED")) < 0);
		world_close(&w);
	}
}

static void several_recipients_are_not_shown_to_each_other(void)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(ENVELOPE "RCPT TO:<other@here.example>\r\nDATA\r\n\r\n.\r\n"), 1000);
	CU_ASSERT_EQUAL(w.commits, 1);
	CU_ASSERT(sv_find(buf_sv(&w.file), SV("\tfor <")) < 0);
	world_close(&w);
}

/* RFC 5321 4.4, 4.1.3; RFC 3848; RFC 6531 4.3 */
static void received_says_who_sent_it_and_how(void)
{
	static const struct {
		const char *hello, *mail, *want;
		sa_family_t family;
	} t[] = {
		{ "HELO c", "MAIL FROM:<>", "Received: from c ([192.0.2.1])\n\tby mx.here.example (Postern) with SMTP\n\tid ",
			AF_INET },
		{ "EHLO [192.0.2.1]", "MAIL FROM:<>", "from [192.0.2.1] ([192.0.2.1])\n\tby mx.here.example (Postern) with ESMTP\n",
			AF_INET },
		{ "EHLO c", "MAIL FROM:<> SMTPUTF8", ") with UTF8SMTP\n", AF_INET },
		{ "EHLO c", "MAIL FROM:<>", "from c ([IPv6:c000:201::])\n", AF_INET6 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		struct buf in = BUF_INIT(1000);
		world_open(&w, CLIENT_NET);
		w.s.client.addr.family = t[i].family;
		addr_text(&w.s.client.addr, w.s.client_text);
		buf_putf(&in, "%s\r\n%s\r\nRCPT TO:<user@here.example>\r\nDATA\r\n\r\n.\r\n", t[i].hello, t[i].mail);
		world_say(&w, buf_sv(&in), 1000);
		CU_ASSERT_EQUAL(w.commits, 1);
		CU_ASSERT(sv_find(buf_sv(&w.file), sv_of(t[i].want)) >= 0);
		buf_free(&in);
		world_close(&w);
	}
}

static void a_trusted_client_is_named_so_in_the_queue(void)
{
	struct world w;
	struct spool_envelope env;
	world_open(&w, CLIENT_NET);
	w.s.client.trusted = true;
	world_say(&w, SV("EHLO c\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<far@there.example>\r\nDATA\r\n\r\n.\r\n"), 1000);
	CU_ASSERT_FATAL(read_back(&w, &env));
	CU_ASSERT_EQUAL(env.trust, 'a');
	CU_ASSERT(!env.plain);
	CU_ASSERT_STRING_EQUAL(env.postern, "body=8BITMIME");
	spool_envelope_free(&env);
	world_close(&w);
}

static void a_message_that_was_delivered_to_its_recipient_before_is_refused(void)
{
	static const struct {
		const char *says, *want;
	} t[] = {
		{ "Delivered-To: user@here.example\r\n", "554/5.4.6" },
		{ "Received: x\r\ndelivered-to:\r\n\tUSER@Here.Example \r\nSubject: x\r\n", "554/5.4.6" },
		{ "Delivered-To: other@here.example\r\nDelivered-To: user@here.example\r\n", "554/5.4.6" },
		{ "Delivered-To: other@here.example\r\n", "250/2.0.0" },
		{ "Delivered-To: user+box@here.example\r\n", "250/2.0.0" },
		{ "Delivered-To: user@there.example\r\nX-Delivered-To: user@here.example\r\n", "250/2.0.0" },
		{ "Delivered-To:\r\nDelivered-To: <<>>\r\n", "250/2.0.0" },
		{ "Subject: x\r\n\r\nDelivered-To: user@here.example\r\n", "250/2.0.0" },
	};
	struct buf codes = BUF_INIT(1000);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		deliver(&w, sv_of(t[i].says), 7);
		world_say(&w, SV("\r\nhello\r\n.\r\n"), 7);
		CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), t[i].want);
		CU_ASSERT_EQUAL(w.commits, t[i].want[0] == '2');
		world_close(&w);
	}
	buf_free(&codes);
}

void suite_smtpd_message(void)
{
	static const struct unit_case cases[] = {
		UNIT(the_queue_file_is_complete_and_holds_the_message_below_our_lines),
		UNIT(a_long_message_is_streamed_and_comes_out_the_same),
		UNIT(only_crlf_dot_crlf_ends_a_message_in_any_chunking),
		UNIT(a_lone_lf_may_be_taken_for_text_and_still_ends_nothing),
		UNIT(what_is_taken_arrives_byte_for_byte),
		UNIT(a_message_of_exactly_the_maximum_is_taken),
		UNIT(too_long_while_streaming_gives_the_file_back_at_once),
		UNIT(more_received_lines_than_allowed_are_a_loop),
		UNIT(a_message_that_was_delivered_to_its_recipient_before_is_refused),
		UNIT(each_trouble_at_the_end_has_its_answer_and_loses_nothing),
		UNIT(a_failed_write_while_streaming_is_answered_at_the_end),
		UNIT(spam_that_was_streamed_is_wiped),
		UNIT(a_local_programs_message_is_completed),
		UNIT(a_long_message_of_a_local_program_is_completed_too),
		UNIT(bounces_have_no_limits_and_are_not_checked),
		UNIT(what_a_user_has_forwarded_keeps_its_trust_and_says_whose_it_was),
		UNIT(what_comes_back_to_its_forwarder_is_a_loop),
		UNIT(nobody_else_may_say_whose_mail_it_was),
		UNIT(several_recipients_are_not_shown_to_each_other),
		UNIT(received_says_who_sent_it_and_how),
		UNIT(a_trusted_client_is_named_so_in_the_queue),
		UNIT_END,
	};
	unit_suite("smtpd_message", cases);
}
