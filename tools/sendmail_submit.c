/* One message, in as many transactions as recipients_max asks for. */
#include "sendmail_submit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "mail/xtext.h"
#include "smtp/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sysexits.h>

#define SUBMIT_SOCKET "smtpd.submit"
#define RETRY_PAUSE_MS 100
#define SAY_AFTER_MS 1000
#define GREETING_MS 20000 /* a busy system greets late; one that is down (systemd holds its socket) never */
#define COMMAND_MS 300000
#define BODY_CHUNK (64 * 1024)

struct talk {
	const struct submission *s;
	struct conn c;
	unsigned caps;
	bool utf8;
	struct vec unsent; /* of const char *: recipients who do not get it */
	int code;          /* exit code so far */
};

/* --- connecting --- */
static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&t, NULL);
}

bool submit_connect(const struct tool *t, bool quiet, int *ret_fd, struct err *e)
{
	uint64_t start = clock_mono_ms(), now = start;
	bool said = quiet || !isatty(STDERR_FILENO);
	while (!tool_connect(t, SUBMIT_SOCKET, SOCK_STREAM, start + SUBMIT_WAIT_MS - now, ret_fd, e)) {
		now = clock_mono_ms();
		if (!tool_is_down(e) || now + RETRY_PAUSE_MS > start + SUBMIT_WAIT_MS)
			return false;
		if (!said && now > start + SAY_AFTER_MS) {
			tool_say(t, "the mail system does not answer; waiting up to %d seconds for it", SUBMIT_WAIT_MS / 1000);
			said = true;
		}
		pause_ms(RETRY_PAUSE_MS);
	}
	return true;
}

/* A system that is stopping closes without a greeting, or says 421: then its successor is waited for. */
static bool open_talk(struct talk *k, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + SUBMIT_WAIT_MS;
	for (;;) {
		int fd;
		if (!submit_connect(k->s->tool, k->s->quiet, &fd, e))
			return false;
		conn_init(&k->c, fd, -1);
		k->c.idle_ms = GREETING_MS;
		if (smtp_client_hello(&k->c, k->s->tool->cfg->global.hostname, &k->caps, e))
			break;
		conn_close(&k->c);
		if (clock_mono_ms() > deadline || e->sys == ETIMEDOUT)
			return false;
		pause_ms(RETRY_PAUSE_MS);
	}
	k->c.idle_ms = COMMAND_MS;
	return true;
}

/* --- what the answers mean --- */
static void complain(const struct talk *k, const char *what, const struct smtp_answer *a)
{
	if (!k->s->quiet)
		tool_say(k->s->tool, "%s: %d %s%s%s", what, a->code, a->dsn, a->dsn[0] ? " " : "", a->text);
}

static void not_sent(struct talk *k, const char *rcpt, int code)
{
	const char **place = vec_push(&k->unsent);
	if (place)
		*place = rcpt;
	if (k->code == 0 || code == EX_TEMPFAIL) /* "try again" is the more useful of two codes */
		k->code = code;
}

static int exit_code(const struct smtp_answer *a, int when_permanent) { return a->code >= 500 ? when_permanent : EX_TEMPFAIL; }

/* --- one transaction --- */
static bool say_mail(struct talk *k, struct smtp_answer *a, struct err *e)
{
	const struct submission *s = k->s;
	struct buf line = BUF_INIT(1000);
	buf_putf(&line, "MAIL FROM:<%s>", s->sender);
	if (k->caps & SMTP_CAP_SIZE)
		buf_putf(&line, " SIZE=%llu", (unsigned long long)(s->head.n + s->draft->size - s->body));
	if ((k->caps & SMTP_CAP_8BITMIME) && (s->draft->eight_bit || !sv_is_ascii(s->head)))
		buf_puts(&line, " BODY=8BITMIME");
	if ((k->caps & SMTP_CAP_SMTPUTF8) && k->utf8)
		buf_puts(&line, " SMTPUTF8");
	if ((k->caps & SMTP_CAP_DSN) && s->ret[0] != '\0')
		buf_putf(&line, " RET=%s", s->ret);
	if ((k->caps & SMTP_CAP_DSN) && s->envid[0] != '\0') {
		buf_puts(&line, " ENVID=");
		xtext_encode(sv_of(s->envid), &line);
	}
	if (s->verp[0] != '\0') /* our own smtpd: refused rather than forgotten */
		buf_putf(&line, " XVERP=%s", s->verp);
	bool ok = smtp_client_cmd(&k->c, a, e, "%s", buf_str(&line));
	buf_free(&line);
	return ok;
}

static bool put_stuffed(struct talk *k, struct smtp_stuff *st, struct sv bytes, struct buf *out, struct err *e)
{
	smtp_stuff(st, bytes, out);
	bool ok = conn_put(&k->c, buf_sv(out), e);
	buf_reset(out);
	return ok;
}

static bool send_text(struct talk *k, struct err *e)
{
	const struct submission *s = k->s;
	struct buf out = BUF_INIT(2 * HEADER_MAX + 16); /* every byte may need another */
	struct smtp_stuff st = { 0 };
	char *chunk = mem_new(BODY_CHUNK);
	bool ok = put_stuffed(k, &st, s->head, &out, e);
	for (uint64_t at = s->body; ok && at < s->draft->size;) {
		size_t n = 0;
		ok = fd_pread(s->draft->fd, chunk, BODY_CHUNK, (off_t)at, &n, e) &&
		     put_stuffed(k, &st, (struct sv){ chunk, n }, &out, e);
		at += n;
		if (n == 0)
			break;
	}
	smtp_stuff_end(&st, &out);
	ok = ok && conn_put(&k->c, buf_sv(&out), e) && conn_flush(&k->c, e);
	free(chunk);
	buf_free(&out);
	return ok;
}

static bool say_data(struct talk *k, struct smtp_answer *a, struct err *e)
{
	if (!smtp_client_cmd(&k->c, a, e, "DATA"))
		return false;
	return a->code != 354 || (send_text(k, e) && smtp_client_answer(&k->c, a, e));
}

struct txn { /* the recipients from..to - 1 */
	size_t from, to, n_taken;
	bool *taken;
};

static bool say_rcpts(struct talk *k, struct txn *x, struct err *e)
{
	struct smtp_answer a;
	bool notify = (k->caps & SMTP_CAP_DSN) && k->s->notify[0] != '\0';
	for (size_t i = x->from; i < x->to; i++) {
		const char *rcpt = recipients_at(k->s->to, i);
		if (!smtp_client_cmd(&k->c, &a, e, "RCPT TO:<%s>%s%s", rcpt, notify ? " NOTIFY=" : "", notify ? k->s->notify : ""))
			return false;
		x->taken[i - x->from] = a.code / 100 == 2;
		x->n_taken += a.code / 100 == 2;
		if (a.code / 100 == 2)
			continue;
		complain(k, rcpt, &a);
		not_sent(k, rcpt, exit_code(&a, EX_NOUSER));
	}
	return true;
}

/* What MAIL or the end of DATA said is the answer for every recipient that was not refused by itself. */
static void all_refused(struct talk *k, const struct txn *x, int code)
{
	for (size_t i = x->from; i < x->to; i++)
		if (x->taken[i - x->from])
			not_sent(k, recipients_at(k->s->to, i), code);
}

static bool transact(struct talk *k, struct txn *x, struct err *e)
{
	struct smtp_answer a;
	for (size_t i = 0; i < x->to - x->from; i++)
		x->taken[i] = true; /* until one is refused */
	if (!say_mail(k, &a, e) || (a.code == 250 && !say_rcpts(k, x, e)))
		goto lost;
	if (a.code == 250 && x->n_taken == 0)
		return smtp_client_cmd(&k->c, &a, e, "RSET");
	if (a.code == 250 && !say_data(k, &a, e))
		goto lost;
	if (a.code == 250) {
		if (k->s->verbose)
			tool_say(k->s->tool, "accepted for %zu recipient%s: %s", x->n_taken, x->n_taken == 1 ? "" : "s", a.text);
		return true;
	}
	complain(k, "the message is refused", &a);
	all_refused(k, x, exit_code(&a, EX_DATAERR));
	return smtp_client_cmd(&k->c, &a, e, "RSET");
lost:
	all_refused(k, x, EX_TEMPFAIL);
	return false;
}

/* --- the whole --- */
static bool needs_utf8(const struct submission *s)
{
	bool utf8 = !sv_is_ascii(sv_of(s->sender)) || (!sv_is_ascii(s->head) && sv_is_utf8(s->head));
	for (size_t i = 0; !utf8 && i < s->to->list.len; i++)
		utf8 = !sv_is_ascii(sv_of(recipients_at(s->to, i)));
	return utf8;
}

static void send_all(struct talk *k, struct err *e)
{
	size_t n = k->s->to->list.len, step = k->s->tool->cfg->smtpd.recipients_max, done = 0;
	struct smtp_answer a;
	bool ok = open_talk(k, e);
	while (ok && done < n) {
		struct txn x = { .from = done, .to = MIN(n, done + step), .taken = mem_new(step) };
		ok = transact(k, &x, e);
		done = x.to;
		free(x.taken);
	}
	for (; done < n; done++)
		not_sent(k, recipients_at(k->s->to, done), EX_TEMPFAIL);
	if (ok && !smtp_client_cmd(&k->c, &a, e, "QUIT"))
		err_clear(e); /* the message is in good hands already */
	if (!ok && !k->s->quiet)
		tool_say(k->s->tool, "%s: %s", tool_is_down(e) ? "the mail system is down" : "the mail system failed", e->text);
}

int submit(const struct submission *s)
{
	struct talk k = { .s = s, .c.fd = -1, .unsent = VEC_INIT(const char *, RECIPIENTS_MAX), .utf8 = needs_utf8(s) };
	struct err e = { 0 };
	char path[4096];
	send_all(&k, &e);
	if (k.code != 0 && !dead_letter(s, &k.unsent, path, sizeof path, &e))
		tool_say(s->tool, "the message could not be saved either: %s", e.text);
	else if (k.code != 0 && !s->quiet)
		tool_say(s->tool, "the message was not sent to %zu of %zu recipient%s; it is saved in %s", k.unsent.len,
			s->to->list.len, s->to->list.len == 1 ? "" : "s", path);
	if (k.c.fd >= 0)
		conn_close(&k.c);
	vec_free(&k.unsent);
	return k.code;
}
