/* The SMTP dialogue with our own smtpd, over its listener for what is forwarded. It resolves, drops duplicates, sees loops, and its
 * 250 means that the message is on disk, as for any mail. */
#include "forward.h"

#include "base/clock.h"
#include "base/fd.h"
#include "mail/hdr.h"
#include "mail/xtext.h"
#include "smtp/client.h"
#include "spool/spool.h"

#define IDLE_MS (2 * 60 * 1000)
#define CHUNK 32768
#define WIRE_MAX (2 * CHUNK + 64) /* each LF and each dot may become two bytes */
#define HEAD_MAX (64 * 1024)      /* what is looked for in a header must be in its first bytes */
#define COMMAND_MAX 1900          /* of smtp/client.c less the verb */

struct talk {
	struct conn c;
	const struct mbx_copy *copy;
	const struct forward_order *o;
	const struct dotforward *f;
	struct spool_options asks;
	bool utf8;
	unsigned taken;
	struct forward_result *res;
	struct forward_result refused; /* the first target that smtpd does not take; status FAILED */
};

static bool stop(struct talk *t, enum deliver_status status, const char *dsn, const char *when, const char *text)
{
	bool own = t->f->own && status == FAILED; /* he has it, and a bounce would say otherwise */
	*t->res = (struct forward_result){ .status = own ? DELIVERED : status };
	snprintf(t->res->dsn, sizeof t->res->dsn, "%s", own ? "2.0.0" : *dsn ? dsn : status == FAILED ? "5.3.0" : "4.3.0");
	snprintf(t->res->text, sizeof t->res->text, "%s%s: %.200s", own ? "kept, not forwarded: " : "forwarding: ", when, text);
	return false;
}

static bool expect(struct talk *t, bool sent, const struct smtp_answer *a, int class, const char *when, const struct err *e)
{
	if (!sent)
		return stop(t, DEFERRED, e->dsn, when, e->text);
	return a->code / 100 == class || stop(t, a->code / 100 == 5 ? FAILED : DEFERRED, a->dsn, when, a->text);
}

/* --- envelope --- */
static bool line_says_utf8(struct sv head)
{
	struct hdr_field f;
	size_t at = 0;
	while (hdr_next(head, &at, &f, NULL)) /* RFC 6531 4.3: UTF8SMTP, UTF8LMTP and their kin */
		if (sv_ieqs(f.name, "Received") && sv_find(f.value, SV(" with UTF8")) >= 0)
			return true;
	return false;
}

/* For a mailbox it made no difference, and was not kept (smtpd's trace.c): what came with SMTPUTF8 goes on with it. */
static bool needs_utf8(const struct talk *t, const struct maddr *sender, struct err *e, bool *ret)
{
	size_t n;
	char *head = mem_new(HEAD_MAX);
	bool ok = fd_pread(
		t->copy->file, head, (size_t)MIN(HEAD_MAX, t->copy->size - t->copy->offset), (off_t)t->copy->offset, &n, e);
	*ret = ok &&
	       (t->asks.smtputf8 || sender->utf8 || !sv_is_ascii(sv_of(t->o->rcpt)) || line_says_utf8((struct sv){ head, n }));
	for (size_t i = 0; ok && i < t->f->targets.len; i++)
		*ret = *ret || VEC_AT(&t->f->targets, struct maddr, i)->utf8;
	free(head);
	return ok;
}

static void put_by(const struct spool_options *asks, struct buf *out)
{
	int64_t left = (int64_t)asks->deliver_by - (int64_t)clock_real_secs();
	if (asks->deliver_by == 0)
		return;
	if (asks->by_mode == 'R') /* whether it is too late is for queue-mgr to say */
		left = MAX(left, 1);
	buf_putf(out, " BY=%lld;%c%s", (long long)MAX(MIN(left, 999999999), -999999999), asks->by_mode, asks->by_trace ? "T" : "");
}

static void put_mail(const struct talk *t, const struct maddr *sender, struct buf *out)
{
	const struct spool_options *asks = &t->asks;
	char text[MADDR_TEXT_MAX + 1];
	buf_putf(out, "MAIL FROM:<%s> XFORWARDED=%s;", maddr_text(sender, text), t->o->stranger ? "stranger" : "known");
	xtext_encode(sv_of(*t->o->orig ? t->o->orig : t->o->rcpt), out);
	if (asks->body == SPOOL_BODY_BINARYMIME)
		buf_puts(out, " BODY=BINARYMIME");
	if (t->utf8)
		buf_puts(out, " SMTPUTF8");
	if (asks->requiretls)
		buf_puts(out, " REQUIRETLS");
	if (asks->ret != SPOOL_RET_NONE)
		buf_putf(out, " RET=%s", asks->ret == SPOOL_RET_FULL ? "FULL" : "HDRS");
	if (*asks->envid) {
		buf_puts(out, " ENVID=");
		xtext_encode(sv_of(asks->envid), out);
	}
	if (asks->priority != 0)
		buf_putf(out, " MT-PRIORITY=%d", asks->priority);
	put_by(asks, out);
}

static bool say(struct talk *t, const struct buf *line, struct smtp_answer *ret, struct err *e)
{
	if (!buf_ok(line))
		return err_set(e, ERR_TEMP, "the command would be too long");
	return smtp_client_cmd(&t->c, ret, e, "%s", buf_str(line));
}

static bool mail(struct talk *t)
{
	struct buf line = BUF_INIT(COMMAND_MAX);
	struct smtp_answer a = { 0 };
	struct maddr sender;
	struct err e;
	bool sent = maddr_parse(sv_of(t->o->sender), MADDR_NULL_OK | MADDR_UTF8_OK, &sender, &e) &&
		    needs_utf8(t, &sender, &e, &t->utf8);
	if (sent) {
		put_mail(t, &sender, &line);
		sent = say(t, &line, &a, &e);
	}
	buf_free(&line);
	return expect(t, sent, &a, 2, "MAIL", &e);
}

static void put_notify(uint64_t notify, struct buf *out)
{
	const char *before = " NOTIFY=";
	for (unsigned i = 0; i < COUNT(spool_notify_names); i++)
		if (notify & (1u << i)) {
			buf_putf(out, "%s%s", before, spool_notify_names[i]);
			before = ",";
		}
}

/* RFC 3461 5.2.7.1: sent on to one address it is the same request. 5.2.7.3: of several addresses' success nobody is told. */
static uint64_t notify_of(const struct talk *t)
{
	uint64_t n = t->o->notify, rest = n & ~(uint64_t)SPOOL_NOTIFY_SUCCESS;
	if (t->f->targets.len == 1 && !t->f->own)
		return n;
	return n != 0 && rest == 0 ? SPOOL_NOTIFY_NEVER : rest;
}

/* Who is not known here gets no mail, the others do, and the sender hears of him. */
static bool rcpt(struct talk *t, const struct maddr *to)
{
	struct buf line = BUF_INIT(COMMAND_MAX);
	struct smtp_answer a = { 0 };
	struct err e;
	char text[MADDR_TEXT_MAX + 1];
	buf_putf(&line, "RCPT TO:<%s>", maddr_text(to, text));
	put_notify(notify_of(t), &line);
	if (*t->o->orcpt)
		buf_putf(&line, " ORCPT=%s", t->o->orcpt);
	bool sent = say(t, &line, &a, &e);
	buf_free(&line);
	if (!expect(t, sent, &a, 2, text, &e)) {
		if (!sent || a.code / 100 != 5)
			return false;
		if (t->refused.text[0] == '\0')
			t->refused = *t->res;
		return true;
	}
	t->taken++;
	return true;
}

/* --- content --- */
struct wire {
	struct smtp_stuff stuff;
	bool binary, in_head;
	char last;
	struct buf out;
};

/* docs/QUEUE.md 2: of a binary message the header has LF, what follows is what came. */
static void put_binary(struct wire *w, struct sv s)
{
	size_t i = 0;
	for (; w->in_head && i < s.n; i++) {
		char c = s.p[i];
		if (c == '\n') {
			buf_puts(&w->out, w->last == '\r' ? "\n" : "\r\n");
			w->in_head = w->last != '\n';
		} else {
			buf_putc(&w->out, c);
		}
		w->last = c;
	}
	buf_putsv(&w->out, sv_skip(s, i));
}

static bool put(struct talk *t, struct wire *w, struct sv s, struct err *e)
{
	struct smtp_answer a = { 0 };
	buf_reset(&w->out);
	if (w->binary)
		put_binary(w, s);
	else
		smtp_stuff(&w->stuff, s, &w->out);
	BUG_IF(!buf_ok(&w->out));
	if (!w->binary)
		return conn_put(&t->c, buf_sv(&w->out), e);
	char chunk[40];
	snprintf(chunk, sizeof chunk, "BDAT %zu\r\n", w->out.len); /* RFC 3030 2 */
	return conn_put(&t->c, sv_of(chunk), e) && conn_put(&t->c, buf_sv(&w->out), e) && conn_flush(&t->c, e) &&
	       smtp_client_answer(&t->c, &a, e) && (a.code / 100 == 2 || err_set(e, ERR_TEMP, "BDAT: %s", a.text));
}

/* The line that ends a circle: who gets it again refuses it (smtpd's content.c). A failure in here leaves the message without its
 * end: smtpd drops it when the connection closes. */
static bool put_message(struct talk *t, struct wire *w, struct err *e)
{
	const struct mbx_copy *c = t->copy;
	char text[CHUNK];
	size_t n;
	int len = snprintf(text, sizeof text, "Delivered-To: %s\n", t->o->rcpt);
	if (!put(t, w, (struct sv){ text, (size_t)len }, e))
		return false;
	for (uint64_t at = c->offset; at < c->size; at += n) {
		size_t want = (size_t)MIN((uint64_t)CHUNK, c->size - at);
		if (!fd_pread(c->file, text, want, (off_t)at, &n, e))
			return false;
		if (n != want)
			return err_set(e, ERR_TEMP, "the queue file is shorter than it was");
		if (!put(t, w, (struct sv){ text, n }, e))
			return false;
	}
	buf_reset(&w->out);
	if (w->binary)
		buf_puts(&w->out, "BDAT 0 LAST\r\n");
	else
		smtp_stuff_end(&w->stuff, &w->out);
	return conn_put(&t->c, buf_sv(&w->out), e) && conn_flush(&t->c, e);
}

static bool message(struct talk *t)
{
	struct wire w = { .binary = t->asks.body == SPOOL_BODY_BINARYMIME, .in_head = true, .out = BUF_INIT(WIRE_MAX) };
	struct smtp_answer a = { 0 };
	struct err e;
	bool ok = w.binary || expect(t, smtp_client_cmd(&t->c, &a, &e, "DATA"), &a, 3, "DATA", &e);
	if (ok && !put_message(t, &w, &e))
		ok = stop(t, DEFERRED, e.dsn, "message", e.text);
	buf_free(&w.out);
	ok = ok && expect(t, smtp_client_answer(&t->c, &a, &e), &a, 2, "end of message", &e);
	if (ok)
		snprintf(t->res->text, sizeof t->res->text, "%.290s", a.text);
	return ok;
}

static bool dialogue(struct talk *t)
{
	struct smtp_answer a = { 0 };
	struct err e;
	unsigned caps = 0;
	if (!spool_options_parse(sv_of(t->o->postern), &t->asks, &e))
		return stop(t, DEFERRED, "4.3.0", "envelope", e.text);
	if (!smtp_client_hello(&t->c, t->o->hostname, &caps, &e))
		return stop(t, DEFERRED, e.dsn, "greeting", e.text);
	if (!mail(t))
		return false;
	for (size_t i = 0; i < t->f->targets.len; i++)
		if (!rcpt(t, VEC_AT(&t->f->targets, struct maddr, i)))
			return false;
	if (t->taken == 0)
		return false; /* *res has the last refusal */
	*t->res = (struct forward_result){ .status = DELIVERED, .dsn = "2.0.0" };
	if (!message(t))
		return false;
	if (!smtp_client_cmd(&t->c, &a, &e, "QUIT"))
		return true; /* accepted is accepted */
	return true;
}

bool submit_forward(const struct mbx_copy *copy, const struct forward_order *o, const struct dotforward *f, int smtpd,
	struct forward_result *ret)
{
	struct talk t = { .copy = copy, .o = o, .f = f, .res = ret };
	conn_init(&t.c, dup(smtpd), -1);
	t.c.idle_ms = MIN(IDLE_MS, o->wait_ms);
	t.c.deadline_ms = clock_mono_ms() + o->wait_ms;
	bool sent = dialogue(&t);
	conn_close(&t.c);
	if (!sent)
		return false;
	if (t.refused.text[0] != '\0') { /* what is known of him is the sender's to hear; the others have it */
		*ret = t.refused;
		ret->sent = true;
		return true;
	}
	ret->sent = true;
	ret->passed = f->targets.len == 1 && !f->own;
	ret->expanded = !ret->passed && !f->own;
	return true;
}
