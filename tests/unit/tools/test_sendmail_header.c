#include "tools/sendmail_header.h"

#include "unit/unit.h"

#define NOW 1795464636 /* Mon, 23 Nov 2026 20:10:36 UTC */

struct rewritten {
	struct recipients to;
	struct buf head;
	size_t body;
	bool ok;
	struct err e;
};

static struct rewritten rewrite(const char *msg, bool recipients)
{
	struct rewritten r = { .head = BUF_INIT(HEADER_MAX) };
	struct header_wants w = { recipients, "al@x.example", "Al B. Example", "<1.2@mx.example>", NOW };
	recipients_init(&r.to);
	r.ok = header_rewrite(sv_of(msg), &w, &r.to, &r.head, &r.body, &r.e);
	return r;
}

static void done(struct rewritten *r)
{
	recipients_free(&r->to);
	buf_free(&r->head);
}

static void a_header_is_completed_and_cleaned(void)
{
	static const struct {
		const char *msg, *head, *body;
	} t[] = {
		{ "From: a@b.example\nDate: x\nMessage-ID: <y>\nSubject: s\n\ntext\n",
			"From: a@b.example\nDate: x\nMessage-ID: <y>\nSubject: s\n\n", "text\n" },
		{ "From: a@b.example\nDate: x\nMessage-ID: <y>\nBcc: c@d.example,\n e@f.example\nReturn-Path: <z>\n\n",
			"From: a@b.example\nDate: x\nMessage-ID: <y>\n\n", "" },
		{ "From al Mon Nov 23\nFrom: a@b.example\ndate: x\nmessage-id: <y>\n\nFrom here\n",
			"From: a@b.example\ndate: x\nmessage-id: <y>\n\n", "From here\n" },
		{ "Date: x\nSubject: s\n\nt\n",
			"Date: x\nSubject: s\nFrom: \"Al B. Example\" <al@x.example>\nMessage-ID: <1.2@mx.example>\n\n", "t\n" },
		{ "From: a@b.example\nDate: x\nMessage-ID: <y>\nno header\nline\n",
			"From: a@b.example\nDate: x\nMessage-ID: <y>\n\n", "no header\nline\n" },
		{ "From: a@b.example\nDate: x\nMessage-ID: <y>", "From: a@b.example\nDate: x\nMessage-ID: <y>\n\n", "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct rewritten r = rewrite(t[i].msg, false);
		CU_ASSERT_TRUE(r.ok);
		CU_ASSERT_STRING_EQUAL(buf_str(&r.head), t[i].head);
		CU_ASSERT_STRING_EQUAL(t[i].msg + r.body, t[i].body);
		CU_ASSERT_EQUAL(r.to.list.len, 0);
		done(&r);
	}
}

static void text_without_a_header_gets_one(void)
{
	struct rewritten r = rewrite("hello\n\nthere\n", false);
	CU_ASSERT_TRUE(r.ok);
	CU_ASSERT_EQUAL(r.body, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&r.head), "From: \"Al B. Example\" <al@x.example>\nDate: Mon, 23 Nov 2026 "));
	CU_ASSERT_TRUE(sv_ends(buf_sv(&r.head), SV("\n\n")));
	done(&r);
}

static void recipients_come_from_the_header(void)
{
	static const struct {
		const char *msg;
		const char *want[4];
	} t[] = {
		{ "To: a@x.example, B <b@x.example>\nCc: c@x.example\n\n", { "a@x.example", "b@x.example", "c@x.example" } },
		{ "To: undisclosed-recipients:;\nBcc: d@x.example\n\n", { "d@x.example" } },
		{ "To: a@x.example (me), root\nCc: a@x.example\n\n", { "a@x.example", "root" } },
		{ "To: a@x.example\nResent-To: r@x.example\nResent-Bcc: s@x.example\n\n", { "r@x.example", "s@x.example" } },
		{ "Subject: x\n\nTo: body@x.example\n", { NULL } },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct rewritten r = rewrite(t[i].msg, true);
		size_t n = 0;
		CU_ASSERT_TRUE(r.ok);
		for (; t[i].want[n]; n++)
			CU_ASSERT_TRUE(n < r.to.list.len && strcmp(recipients_at(&r.to, n), t[i].want[n]) == 0);
		CU_ASSERT_EQUAL(r.to.list.len, n);
		done(&r);
	}
}

static void a_broken_recipient_names_its_header(void)
{
	struct rewritten r = rewrite("To: a..b@x.example\n\n", true);
	CU_ASSERT_FALSE(r.ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.e.text, "header To"));
	done(&r);
}

static void a_name_becomes_a_phrase(void)
{
	static const struct {
		const char *name, *want;
	} t[] = { { "Al Example", "Al Example" }, { "Al B. Example", "\"Al B. Example\"" },
		{ "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"" }, { "evil\nBcc: x", "\"evil Bcc: x\"" },
		{ "\xc3\xa9t\xc3\xa9", "=?UTF-8?B?w6l0w6k=?=" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(200);
		header_phrase(t[i].name, &out);
		CU_ASSERT_TRUE(sv_ieqs(buf_sv(&out), t[i].want));
		buf_free(&out);
	}
}

void suite_sendmail_header(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_header_is_completed_and_cleaned),
		UNIT(text_without_a_header_gets_one),
		UNIT(recipients_come_from_the_header),
		UNIT(a_broken_recipient_names_its_header),
		UNIT(a_name_becomes_a_phrase),
		UNIT_END,
	};
	unit_suite("sendmail_header", cases);
}
