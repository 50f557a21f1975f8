#include "bounce/report.h"

#include "base/fd.h"

#include "spool/spool.h"
#include "unit/unit.h"

#include <fcntl.h>

#define TEXT_MAX (64u << 20)
#define MESSAGE "Received: by mx.example\nFrom: a@b.example\nMessage-ID: <1@b.example>\nSubject: hi\n\nhello\n"

static int file_of(const char *text)
{
	struct err e;
	int fd = fd_memfd("original", &e);
	CU_ASSERT_FATAL(fd >= 0 && fd_write_all(fd, text, strlen(text), &e));
	return fd;
}

static struct bounce_req req_of(enum bounce_kind kind)
{
	struct bounce_req req = { .kind = kind, .arrived = 1795464636, .expires = 1795896636, .file = -1 };
	snprintf(req.id, sizeof req.id, "0a1bk3f0000abcde");
	snprintf(req.sender, sizeof req.sender, "alice@b.example");
	return req;
}

static struct bounce_rcpt rcpt_of(const char *rcpt, const char *orig, const char *dsn, const char *text, const char *where)
{
	struct bounce_rcpt r = { .last = 1 };
	CU_ASSERT_FATAL(sv_copy(sv_of(rcpt), r.rcpt, sizeof r.rcpt) && sv_copy(sv_of(orig), r.orig, sizeof r.orig));
	CU_ASSERT_FATAL(sv_copy(sv_of(dsn), r.dsn, sizeof r.dsn) && sv_copy(sv_of(text), r.text, sizeof r.text));
	CU_ASSERT_FATAL(sv_copy(sv_of(where), r.where, sizeof r.where));
	return r;
}

/* The report up to the original, for one recipient. */
static void compose(
	const struct bounce_req *req, const struct bounce_rcpt *rcpt, const char *message, uint64_t full_max, struct buf *out)
{
	struct report r;
	struct original o;
	struct err e;
	int fd = file_of(message);
	CU_ASSERT_FATAL(report_init(&r, req, "mx.example", NULL, &e));
	CU_ASSERT(report_add(&r, rcpt, &e));
	CU_ASSERT_FATAL(original_look(fd, 0, strlen(message), full_max, &o, &e));
	report_head(&r, &o, 1795464700, out);
	CU_ASSERT(buf_ok(out));
	report_free(&r);
	fd_close(&fd);
}

static bool has(const struct buf *text, const char *what) { return sv_find(buf_sv(text), sv_of(what)) >= 0; }

static void a_report_names_all_that_rfc_3464_asks_for(void)
{
	static const char *const want[] = {
		"From: Mail Delivery System <MAILER-DAEMON@mx.example>\n",
		"To: <alice@b.example>\n",
		"Auto-Submitted: auto-replied\n",
		"References: <1@b.example>\n",
		"Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"=_",
		"\nContent-Type: message/delivery-status\n\nOriginal-Envelope-Id: ",
		"\nArrival-Date: ",
		"\nOriginal-Envelope-Id: QQ 314159\nReporting-MTA: dns; mx.example\nArrival-Date: ",
		"\n\nOriginal-Recipient: rfc822; team+x@c.example\nFinal-Recipient: rfc822; bob@c.example\nAction: failed\nStatus: "
		"5.1.1\n"
		"Remote-MTA: dns; mx.c.example\nDiagnostic-Code: smtp; 550 5.1.1 no bob here\nLast-Attempt-Date: ",
		"\nFinal-Log-ID: 0a1bk3f0000abcde\n",
		"\n  <team@c.example>\n    which leads to bob@c.example\n    mx.c.example said: 550 5.1.1 no bob here (5.1.1)\n",
		"\nContent-Type: message/rfc822\n\n",
	};
	struct bounce_req req = req_of(BOUNCE_FAILED);
	struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "team@c.example", "5.1.1", "550 5.1.1 no bob here", "mx.c.example");
	struct buf text = BUF_INIT(TEXT_MAX);
	snprintf(req.envid, sizeof req.envid, "QQ 314159");
	snprintf(rcpt.orcpt, sizeof rcpt.orcpt, "rfc822;team+2Bx@c.example");
	rcpt.tried = 1795464700;
	compose(&req, &rcpt, MESSAGE, 1000, &text);
	for (size_t i = 0; i < COUNT(want); i++) {
		CU_ASSERT(has(&text, want[i]));
		if (!has(&text, want[i]))
			fprintf(stderr, "missing: %s\nin:\n%s\n", want[i], buf_str(&text));
	}
	CU_ASSERT_FALSE(has(&text, "Transfer-Encoding"));
	CU_ASSERT_FALSE(has(&text, "Will-Retry-Until"));
	CU_ASSERT(has(&text, "It will not be tried again."));
	buf_free(&text);
}

static void each_kind_of_report_says_what_it_is(void)
{
	static const struct {
		enum bounce_kind kind;
		enum bounce_action act;
		const char *to, *subject, *action, *text;
	} t[] = {
		{ BOUNCE_FAILED, BOUNCE_ACTION_FAILED, "To: <alice@b.example>\n", "Subject: Your message could not be delivered\n",
			"Action: failed\n", "not be tried again" },
		{ BOUNCE_DELAYED, BOUNCE_ACTION_DELAYED, "To: <alice@b.example>\n", "Subject: Your message is delayed\n",
			"Action: delayed\n", "You need not do anything" },
		{ BOUNCE_DOUBLE, BOUNCE_ACTION_FAILED, "To: <postmaster@mx.example>\n",
			"Subject: A delivery report could not be delivered\n", "Action: failed\n", "A delivery report of " },
		{ BOUNCE_HELD, BOUNCE_ACTION_FAILED, "To: <postmaster@mx.example>\n", "Subject: A stranger's message is held\n",
			"Action: failed\n", "It is held in the queue" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(t[i].kind);
		struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "", "", "no answer", "");
		struct buf text = BUF_INIT(TEXT_MAX);
		rcpt.action = t[i].act;
		compose(&req, &rcpt, MESSAGE, 1000, &text);
		CU_ASSERT(has(&text, t[i].to));
		CU_ASSERT(has(&text, t[i].subject));
		CU_ASSERT(has(&text, t[i].action));
		CU_ASSERT(has(&text, t[i].text));
		CU_ASSERT_EQUAL(has(&text, "\nWill-Retry-Until: "), t[i].kind == BOUNCE_DELAYED);
		CU_ASSERT(has(&text, t[i].kind == BOUNCE_DELAYED ? "Status: 4.0.0\n" : "Status: 5.0.0\n"));
		CU_ASSERT(has(&text, "Diagnostic-Code: x-postern; no answer\n"));
		CU_ASSERT_FALSE(has(&text, "Remote-MTA"));
		buf_free(&text);
	}
}

/* RFC 3461 6.3, RFC 3464 2.3.3 */
static void success_is_told_in_the_three_ways_there_are(void)
{
	static const struct {
		enum bounce_action act;
		const char *action, *words;
		bool remote;
	} t[] = {
		{ BOUNCE_ACTION_DELIVERED, "Action: delivered\nStatus: 2.0.0\n", "in the mailbox", false },
		{ BOUNCE_ACTION_RELAYED,
			"Action: relayed\nStatus: 2.0.0\nRemote-MTA: dns; mx.c.example\nDiagnostic-Code: smtp; 250 ok\n",
			"handed to mx.c.example[192.0.2.1]:25, which", true },
		{ BOUNCE_ACTION_EXPANDED, "Action: expanded\nStatus: 2.0.0\n", "addresses behind", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(BOUNCE_SUCCESS);
		struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "", "5.0.0", "250 ok", "mx.c.example[192.0.2.1]:25");
		struct buf text = BUF_INIT(TEXT_MAX);
		rcpt.action = t[i].act;
		compose(&req, &rcpt, MESSAGE, 0, &text);
		CU_ASSERT(has(&text, "Subject: Your message was delivered\n"));
		CU_ASSERT(has(&text, t[i].action));
		CU_ASSERT(has(&text, t[i].words));
		CU_ASSERT_EQUAL(has(&text, "Remote-MTA: "), t[i].remote);
		CU_ASSERT_FALSE(has(&text, "Original-Recipient")); /* RFC 3461 6.3: not without ORCPT */
		buf_free(&text);
	}
}

static void a_host_is_named_and_quoted_only_for_what_it_said(void)
{
	static const struct {
		const char *where, *text, *want;
		bool remote;
	} t[] = {
		{ "mx.c.example[192.0.2.1]:25", "550 no", "Remote-MTA: dns; mx.c.example\nDiagnostic-Code: smtp; 550 no\n", true },
		{ "[192.0.2.1]:2525", "450 4.2.0 busy", "Remote-MTA: dns; [192.0.2.1]\nDiagnostic-Code: smtp; 450 4.2.0 busy\n",
			true },
		{ "[IPv6:2001:db8::1]:25", "550", "Remote-MTA: dns; [IPv6:2001:db8::1]\nDiagnostic-Code: smtp; 550\n", true },
		{ "[broken", "550 no", "Remote-MTA: dns; [broken\n", true },
		{ "mx.c.example", "it does not answer",
			"Remote-MTA: dns; mx.c.example\nDiagnostic-Code: x-postern; it does not answer\n", true },
		{ "mx.c.example", "5000 is no code", "Diagnostic-Code: x-postern; 5000 is no code\n", true },
		{ "mx.c.example", "55", "Diagnostic-Code: x-postern; 55\n", true },
		{ "unix:/run/dovecot/lmtp", "550 no", "Status: 5.0.0\nDiagnostic-Code: smtp; 550 no\n", false },
		{ "mx.c.example\nX: y", "550 no\nAction: delivered", "Remote-MTA: dns; mx.c.example", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(BOUNCE_FAILED);
		struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "", "", t[i].text, t[i].where);
		struct buf text = BUF_INIT(TEXT_MAX);
		compose(&req, &rcpt, MESSAGE, 0, &text);
		CU_ASSERT(has(&text, t[i].want));
		CU_ASSERT_EQUAL(has(&text, "Remote-MTA: "), t[i].remote);
		CU_ASSERT_FALSE(has(&text, "\nX: y") || has(&text, "\nAction: delivered"));
		buf_free(&text);
	}
}

/* RFC 3461 4.3 and 6.2: kinds x RET. */
static void as_much_comes_back_as_the_sender_asked_for(void)
{
	static const struct {
		enum bounce_kind kind;
		unsigned ret;
		uint64_t want;
	} t[] = {
		{ BOUNCE_FAILED, SPOOL_RET_NONE, 1000 },
		{ BOUNCE_FAILED, SPOOL_RET_HDRS, 0 },
		{ BOUNCE_FAILED, SPOOL_RET_FULL, (10 << 20) - (1 << 20) },
		{ BOUNCE_DOUBLE, SPOOL_RET_NONE, 1000 },
		{ BOUNCE_HELD, SPOOL_RET_NONE, 1000 },
		{ BOUNCE_DELAYED, SPOOL_RET_NONE, 0 },
		{ BOUNCE_DELAYED, SPOOL_RET_FULL, 0 },
		{ BOUNCE_SUCCESS, SPOOL_RET_NONE, 0 },
		{ BOUNCE_SUCCESS, SPOOL_RET_FULL, 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(t[i].kind);
		req.ret = t[i].ret;
		CU_ASSERT_EQUAL(original_max(&req, 1000, 10 << 20), t[i].want);
	}
	struct bounce_req failed = req_of(BOUNCE_FAILED);
	CU_ASSERT_EQUAL(original_max(&failed, 50000, 4000), 3000);
}

/* RFC 6533: in UTF-8 for who sent in UTF-8, else in ASCII. */
static void who_sends_utf8_gets_the_global_form(void)
{
	static const struct {
		bool smtputf8;
		const char *rcpt, *orcpt, *text;
		const char *type, *original, *final, *diagnostic;
	} t[] = {
		{ false, "j\xc3\xb6@c.example", "utf-8;j\\x{F6}@c.example", "wer ist j\xc3\xb6", "delivery-status",
			"utf-8; j\\x{F6}@c.example\n", "utf-8; j\\x{F6}@c.example\n", "wer ist j?" },
		{ true, "j\xc3\xb6@c.example", "utf-8;j\xc3\xb6@c.example", "wer ist j\xc3\xb6", "global-delivery-status",
			"utf-8; j\xc3\xb6@c.example\n", "utf-8; j\xc3\xb6@c.example\n", "wer ist j\xc3\xb6\n" },
		{ false, "j@c.example", "utf-8;j\xc3\xb6@c.example", "no", "delivery-status", "utf-8; j\\x{F6}@c.example\n",
			"rfc822; j@c.example\n", "no\n" },
		{ true, "j@c.example", "rfc822;j@c.example", "no", "delivery-status", "rfc822; j@c.example\n",
			"rfc822; j@c.example\n", "no\n" },
		{ true, "j@c.example", "x400;+2FS+3Dj", "no", "delivery-status", "x400; /S=j\n", "rfc822; j@c.example\n", "no\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(BOUNCE_FAILED);
		struct bounce_rcpt rcpt = rcpt_of(t[i].rcpt, "", "5.1.1", t[i].text, "");
		struct buf text = BUF_INIT(TEXT_MAX);
		char want[400];
		req.smtputf8 = t[i].smtputf8;
		snprintf(rcpt.orcpt, sizeof rcpt.orcpt, "%s", t[i].orcpt);
		compose(&req, &rcpt, MESSAGE, 1000, &text);
		snprintf(want, sizeof want, "report-type=%s;", t[i].type);
		CU_ASSERT(has(&text, want));
		snprintf(want, sizeof want, "\nContent-Type: message/%s\n", t[i].type);
		CU_ASSERT(has(&text, want));
		snprintf(want, sizeof want, "\nOriginal-Recipient: %sFinal-Recipient: %s", t[i].original, t[i].final);
		CU_ASSERT(has(&text, want));
		snprintf(want, sizeof want, "\nDiagnostic-Code: x-postern; %s", t[i].diagnostic);
		CU_ASSERT(has(&text, want));
		buf_free(&text);
	}
}

static const struct language *const all_languages[] = { &language_en, &language_de, &language_fr };

static void a_language_lacks_no_words(void)
{
	for (size_t i = 0; i < COUNT(all_languages); i++) {
		const struct language *l = all_languages[i];
		const char *const words[] = { l->tag, l->hello, l->leads_to, l->said, l->no_reason, l->delivered, l->relayed,
			l->expanded, l->more, l->whole, l->header, l->until_expiry };
		for (size_t k = 0; k < COUNT(words); k++)
			CU_ASSERT(words[k] != NULL && words[k][0] != '\0' && sv_is_utf8(sv_of(words[k])));
		for (size_t k = 0; k < BOUNCE_KINDS; k++)
			CU_ASSERT(
				l->subject[k] != NULL && l->intro[k] != NULL && strstr(l->intro[k], "{date}") && l->end[k] != NULL);
		for (size_t k = 0; k < ADVICE_COUNT; k++)
			CU_ASSERT(l->advice[k] != NULL && l->advice[k][0] != '\0');
	}
}

static void the_report_speaks_the_senders_language(void)
{
	static const struct {
		const char *header;
		const struct language *want;
	} t[] = {
		{ "Accept-Language: de-AT, en;q=0.5\n\n", &language_de },
		{ "accept-language: tlh, FR;q=1\nContent-Language: de\n\n", &language_fr },
		{ "Content-Language: de\n\n", &language_de },
		{ "Accept-Language: deutsch\n\n", NULL },
		{ "Accept-Language: ,,;\n\nContent-Language: de\n", NULL },
		{ "A: b\n\n", NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct original o;
		struct err e;
		int fd = file_of(t[i].header);
		CU_ASSERT(original_look(fd, 0, strlen(t[i].header), 0, &o, &e));
		CU_ASSERT_PTR_EQUAL(o.language, t[i].want);
		fd_close(&fd);
	}
}

static void german_is_german(void)
{
	struct bounce_req req = req_of(BOUNCE_DELAYED);
	struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "", "4.4.1", "no answer", "");
	struct report r;
	struct original o = { .whole = false };
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;
	rcpt.action = BOUNCE_ACTION_DELAYED;
	CU_ASSERT_FATAL(report_init(&r, &req, "mx.example", &language_de, &e) && report_add(&r, &rcpt, &e));
	report_head(&r, &o, 1, &text);
	CU_ASSERT(has(&text, "Subject: =?UTF-8?B?")); /* verzögert */
	CU_ASSERT(has(&text, "\nContent-Language: de\n"));
	CU_ASSERT(has(&text, "Hier ist das Mailsystem von mx.example."));
	CU_ASSERT(has(&text, "Der Mailserver des Empfängers antwortet nicht."));
	CU_ASSERT(has(&text, "Action: delayed\n"));
	CU_ASSERT(report_eight_bit(&r, &o));
	CU_ASSERT_FALSE(report_smtputf8(&r));
	report_free(&r);
	buf_free(&text);
}

static void words_are_filled_in(void)
{
	static const struct language_fill fill[] = { { "a", "1" }, { "b", "{a}" }, { NULL, NULL } };
	static const struct {
		const char *words, *want;
	} t[] = { { "", "" }, { "x", "x" }, { "{a}", "1" }, { "x{a}y{b}", "x1y{a}" }, { "{c}", "" }, { "x{a", "x1" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(100);
		language_fill(t[i].words, fill, &out);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
		buf_free(&out);
	}
}

static void nothing_foreign_begins_a_line(void)
{
	static const char evil[] = "x\nEvil: 1\r\nEvil: 2\rEvil: 3\n\n--=_0\nEvil: 4";
	struct bounce_req req = req_of(BOUNCE_FAILED);
	struct bounce_rcpt rcpt = rcpt_of(evil, evil, "5.1.1\nE: 1", evil, evil);
	snprintf(req.envid, sizeof req.envid, "%s", evil);
	snprintf(rcpt.orcpt, sizeof rcpt.orcpt, "rfc822\nEvil;%s", evil);
	struct buf text = BUF_INIT(TEXT_MAX);
	compose(&req, &rcpt, "Message-ID: <x\n Evil: 9>\nMessage-ID: <2@x>\n\nEvil\n", 1000, &text);
	CU_ASSERT_FALSE(has(&text, "\nEvil"));
	CU_ASSERT_FALSE(has(&text, "\r"));
	CU_ASSERT_FALSE(has(&text, "\nE: 1"));
	CU_ASSERT(has(&text, "\nStatus: 5.0.0\n"));
	CU_ASSERT_FALSE(has(&text, "References"));
	buf_free(&text);
}

static void an_address_that_is_not_ascii_is_written_in_7_bits_for_programs(void)
{
	struct bounce_req req = req_of(BOUNCE_FAILED);
	struct bounce_rcpt rcpt = rcpt_of("j\xc3\xb6rg+x@b\xc3\xbc"
					  "cher.example",
		"", "5.1.1", "gibt es nicht: j\xc3\xb6rg", "");
	struct buf text = BUF_INIT(TEXT_MAX);
	compose(&req, &rcpt, MESSAGE, 1000, &text);
	CU_ASSERT(has(&text, "Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@b\\x{FC}cher.example\n"));
	CU_ASSERT(has(&text, "Diagnostic-Code: x-postern; gibt es nicht: j??rg\n") || has(&text, "gibt es nicht: j?rg\n"));
	CU_ASSERT(has(&text, "  <j\xc3\xb6rg+x@b\xc3\xbc"
			     "cher.example>\n"));
	CU_ASSERT(has(&text, "charset=utf-8\nContent-Transfer-Encoding: 8bit\n"));
	buf_free(&text);
}

static void the_part_that_is_returned_depends_on_size_and_bytes(void)
{
	static const struct {
		const char *message;
		uint64_t full_max;
		bool whole, eight_bit, utf8_header;
		uint64_t len;
		const char *type;
	} t[] = {
		{ "A: b\n\nbody\n", 100, true, false, false, 11, "message/rfc822\n" },
		{ "A: b\n\nbody\n", 11, true, false, false, 11, "message/rfc822\n" },
		{ "A: b\n\nbody\n", 10, false, false, false, 6, "text/rfc822-headers\n" },
		{ "A: b\n\nb\xf6"
		  "dy\n",
			100, true, true, false, 11, "message/rfc822\nContent-Transfer-Encoding: 8bit\n" },
		{ "A: b\n\nb\xf6"
		  "dy\n",
			5, false, false, false, 6, "text/rfc822-headers\n" },
		{ "A: \xc3\xb6\n\nbody\n", 100, true, true, true, 12, "message/global\nContent-Transfer-Encoding: 8bit\n" },
		{ "A: \xc3\xb6\n\nbody\n", 5, false, true, true, 7, "message/global-headers\nContent-Transfer-Encoding: 8bit\n" },
		{ "A: \xf6\n\nbody\n", 100, true, true, false, 11, "message/rfc822\nContent-Transfer-Encoding: 8bit\n" },
		{ "no header", 100, true, false, false, 9, "message/rfc822\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_req req = req_of(BOUNCE_FAILED);
		struct bounce_rcpt rcpt = rcpt_of("bob@c.example", "", "5.1.1", "no", "");
		struct buf text = BUF_INIT(TEXT_MAX);
		struct original o;
		struct err e;
		int fd = file_of(t[i].message);
		CU_ASSERT(original_look(fd, 0, strlen(t[i].message), t[i].full_max, &o, &e));
		CU_ASSERT_EQUAL(o.whole, t[i].whole);
		CU_ASSERT_EQUAL(o.eight_bit, t[i].eight_bit);
		CU_ASSERT_EQUAL(o.utf8_header, t[i].utf8_header);
		CU_ASSERT_EQUAL(o.len, t[i].len);
		compose(&req, &rcpt, t[i].message, t[i].full_max, &text);
		CU_ASSERT(has(&text, t[i].type));
		buf_free(&text);
		fd_close(&fd);
	}
}

static void a_queue_file_that_ends_early_is_no_report(void)
{
	struct original o;
	struct err e;
	char chunk[100];
	uint64_t at = 0;
	size_t n;
	int fd = file_of("A: b\n\nbody\n");
	CU_ASSERT_FALSE(original_look(fd, 0, 1000, 2000, &o, &e));
	CU_ASSERT(original_look(fd, 0, 11, 2000, &o, &e));
	CU_ASSERT_EQUAL(ftruncate(fd, 3), 0);
	CU_ASSERT_FALSE(original_read(&o, &at, chunk, sizeof chunk, &n, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	fd_close(&fd);
}

static void the_largest_list_of_recipients_fits(void)
{
	struct bounce_req req = req_of(BOUNCE_FAILED);
	struct bounce_rcpt rcpt = rcpt_of("somebody.with.a.long.name@a-department.of-a-company.example", "", "5.1.1",
		"550 5.1.1 there is nobody of this name in this company, and the text is long", "mx1.of-a-company.example");
	struct report r;
	struct original o = { .whole = true };
	struct buf text = BUF_INIT(REPORT_HEAD_MAX);
	struct err e;
	CU_ASSERT_FATAL(report_init(&r, &req, "mx.example", NULL, &e));
	for (int i = 0; i < 50000; i++)
		CU_ASSERT(report_add(&r, &rcpt, &e));
	report_head(&r, &o, 1, &text);
	CU_ASSERT(buf_ok(&text));
	CU_ASSERT(has(&text, "and 49950 more"));
	report_free(&r);
	buf_free(&text);
}

static void a_report_goes_to_an_address_or_nowhere(void)
{
	static const char *const bad[] = { "", "<alice@b.example>", "a b@c", "a@b\nRCPT TO:<x@y>", "@", "alice@b.example>" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct bounce_req req = req_of(BOUNCE_FAILED);
		struct report r;
		struct err e = { .kind = ERR_NONE };
		snprintf(req.sender, sizeof req.sender, "%s", bad[i]);
		CU_ASSERT_FALSE(report_init(&r, &req, "mx.example", NULL, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	}
}

static void advice_fits_the_code(void)
{
	static const struct {
		const char *dsn, *word;
	} t[] = { { "5.1.1", "no such mailbox" }, { "4.2.2", "full" }, { "5.1.10", "no mail at all" }, { "5.1.9", "address" },
		{ "5.7.26", "rules" }, { "4.4.2", "connection" }, { "5.0.0", "all that is known" }, { "", "all that is known" },
		{ "x", "all that is known" } };
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(language_en.advice[advice_for(t[i].dsn)], t[i].word));
}

void suite_bounce_report(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_report_names_all_that_rfc_3464_asks_for),
		UNIT(each_kind_of_report_says_what_it_is),
		UNIT(success_is_told_in_the_three_ways_there_are),
		UNIT(a_host_is_named_and_quoted_only_for_what_it_said),
		UNIT(as_much_comes_back_as_the_sender_asked_for),
		UNIT(who_sends_utf8_gets_the_global_form),
		UNIT(a_language_lacks_no_words),
		UNIT(the_report_speaks_the_senders_language),
		UNIT(german_is_german),
		UNIT(words_are_filled_in),
		UNIT(nothing_foreign_begins_a_line),
		UNIT(an_address_that_is_not_ascii_is_written_in_7_bits_for_programs),
		UNIT(the_part_that_is_returned_depends_on_size_and_bytes),
		UNIT(a_queue_file_that_ends_early_is_no_report),
		UNIT(the_largest_list_of_recipients_fits),
		UNIT(a_report_goes_to_an_address_or_nowhere),
		UNIT(advice_fits_the_code),
		UNIT_END,
	};
	unit_suite("bounce_report", cases);
}
