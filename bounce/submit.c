/* The SMTP dialog with our own smtpd: its reserved listener for reports. */
#include "submit.h"

#include "base/clock.h"
#include "smtp/client.h"

#define TOTAL_MS (10 * 60 * 1000)
#define IDLE_MS (2 * 60 * 1000)
#define CHUNK 32768
#define STUFFED_MAX (2 * CHUNK + 64) /* each LF and each dot may become two bytes */

struct talk {
	struct conn c;
	const struct report *r;
	const struct original *o;
	struct bounce_res *res;
};

static bool fail(struct talk *t, bool refused, const char *when, const char *text)
{
	t->res->ok = 0;
	t->res->refused = refused;
	snprintf(t->res->text, sizeof t->res->text, "%s: %.300s", when, text);
	return false;
}

static bool expect(struct talk *t, bool sent, const struct smtp_answer *a, int code, const char *when, const struct err *e)
{
	if (!sent)
		return fail(t, false, when, e->text);
	return a->code / 100 == code || fail(t, a->code / 100 == 5, when, a->text);
}

static bool mail_and_rcpt(struct talk *t, unsigned caps)
{
	struct smtp_answer a = { 0 };
	struct err e;
	char to[MADDR_TEXT_MAX + 1];
	bool eight_bit = report_eight_bit(t->r, t->o), utf8 = report_smtputf8(t->r);
	if ((eight_bit && !(caps & SMTP_CAP_8BITMIME)) || (utf8 && !(caps & SMTP_CAP_SMTPUTF8)))
		return fail(t, true, "EHLO", "smtpd does not take 8-bit text");
	/* RFC 5321 4.5.5: a report has the null sender. RFC 8689 5: it holds at least the header of what was to be protected */
	bool sent = smtp_client_cmd(&t->c, &a, &e, "MAIL FROM:<>%s%s%s", eight_bit ? " BODY=8BITMIME" : "", utf8 ? " SMTPUTF8" : "",
		t->r->req.requiretls ? " REQUIRETLS" : "");
	if (!expect(t, sent, &a, 2, "MAIL", &e))
		return false;
	sent = smtp_client_cmd(&t->c, &a, &e, "RCPT TO:<%s>", maddr_text(&t->r->to, to));
	return expect(t, sent, &a, 2, "RCPT", &e);
}

static bool put_stuffed(struct talk *t, struct smtp_stuff *s, struct sv text, struct buf *out, struct err *e)
{
	while (text.n > 0) {
		struct sv piece = sv_sub(text, 0, CHUNK);
		buf_reset(out);
		smtp_stuff(s, piece, out);
		BUG_IF(!buf_ok(out));
		if (!conn_put(&t->c, buf_sv(out), e))
			return false;
		text = sv_skip(text, piece.n);
	}
	return true;
}

static bool put_original(struct talk *t, struct smtp_stuff *s, struct buf *out, struct err *e)
{
	char chunk[CHUNK];
	uint64_t at = 0;
	size_t n;
	while (at < t->o->len) {
		if (!original_read(t->o, &at, chunk, sizeof chunk, &n, e))
			return false;
		if (!put_stuffed(t, s, (struct sv){ chunk, n }, out, e))
			return false;
	}
	return true;
}

/* A failure in here leaves the message without its end: smtpd drops it when the connection closes. */
static bool put_message(struct talk *t, struct err *e)
{
	struct buf text = BUF_INIT(REPORT_HEAD_MAX), out = BUF_INIT(STUFFED_MAX), tail = BUF_INIT(200);
	struct smtp_stuff s = { .mid_line = false };
	report_head(t->r, t->o, clock_real_secs(), &text);
	report_tail(t->r, &tail);
	bool ok = (buf_ok(&text) || err_set(e, ERR_LIMIT, "the report is too long")) &&
		  put_stuffed(t, &s, buf_sv(&text), &out, e) && put_original(t, &s, &out, e) &&
		  put_stuffed(t, &s, buf_sv(&tail), &out, e);
	if (ok) {
		buf_reset(&out);
		smtp_stuff_end(&s, &out);
		ok = conn_put(&t->c, buf_sv(&out), e) && conn_flush(&t->c, e);
	}
	buf_free(&text);
	buf_free(&out);
	buf_free(&tail);
	return ok;
}

static bool talk(struct talk *t)
{
	struct smtp_answer a = { 0 };
	struct err e;
	unsigned caps = 0;
	if (!smtp_client_hello(&t->c, t->r->hostname, &caps, &e))
		return fail(t, false, "greeting", e.text);
	if (!mail_and_rcpt(t, caps))
		return false;
	bool sent = smtp_client_cmd(&t->c, &a, &e, "DATA");
	if (!expect(t, sent, &a, 3, "DATA", &e))
		return false;
	if (!put_message(t, &e))
		return fail(t, e.kind == ERR_LIMIT, "message", e.text);
	sent = smtp_client_answer(&t->c, &a, &e);
	if (!expect(t, sent, &a, 2, "end of message", &e))
		return false;
	t->res->ok = 1;
	snprintf(t->res->text, sizeof t->res->text, "%.390s", a.text);
	if (!smtp_client_cmd(&t->c, &a, &e, "QUIT"))
		return true; /* accepted is accepted */
	return true;
}

void submit_report(int fd, const struct report *r, const struct original *o, struct bounce_res *ret)
{
	struct talk t = { .r = r, .o = o, .res = ret };
	*ret = (struct bounce_res){ .ok = 0 };
	conn_init(&t.c, fd, -1);
	t.c.idle_ms = IDLE_MS;
	t.c.deadline_ms = clock_mono_ms() + TOTAL_MS;
	(void)talk(&t);
	conn_close(&t.c);
}
