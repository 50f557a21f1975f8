#include "peer.h"

#include "auth.h"
#include "dial.h"
#include "starttls.h"

#include "base/fd.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define COMMAND_MAX 1200 /* RCPT with ORCPT (500), or MAIL with ENVID and AUTH */
#define LINES_MAX (64 * 1024)
#define QUIT_WAIT_MS 100

/* --- steps
 * ------------------------------------------------------------------------------------------------------------------------- */

bool peer_put(struct peer *p, struct err *e, const char *fmt, ...)
{
	struct buf line = BUF_INIT(COMMAND_MAX);
	struct sv text;
	va_list ap;
	va_start(ap, fmt);
	buf_putvf(&line, fmt, ap);
	va_end(ap);
	text = buf_sv(&line);
	bool ok = buf_ok(&line) && sv_chr(text, '\r') < 0 && sv_chr(text, '\n') < 0 && sv_chr(text, '\0') < 0;
	if (!ok)
		err_dsn(e, ERR_PERM, "5.5.2", "a command would be too long or not a line");
	buf_puts(&line, "\r\n");
	ok = ok && conn_put(&p->c, buf_sv(&line), e);
	buf_free(&line);
	return ok;
}

static void set_deadline(struct peer *p, uint64_t secs)
{
	p->c.idle_ms = secs * 1000;
	p->c.deadline_ms = MIN(clock_mono_ms() + secs * 1000, p->deadline_ms);
}

static bool lost(struct peer *p, struct err *e)
{
	struct err why = *e;
	p->broken = true;
	if (why.sys == EINTR)
		return false;
	if (why.sys == ETIMEDOUT)
		return err_dsn(e, ERR_TEMP, "4.4.2", "it did not answer in time");
	if (why.kind == ERR_LIMIT)
		return err_dsn(e, ERR_TEMP, "4.5.0", "its answer has no end");
	return err_dsn(e, ERR_TEMP, why.sys == 0 && why.kind == ERR_PEER && !p->c.eof ? "4.5.0" : "4.4.2", "%s",
		p->c.eof && why.sys == 0 ? "it closed the connection" : why.text);
}

static bool answer_lines(struct peer *p, uint64_t secs, struct buf *lines, struct err *e)
{
	struct smtp_answer a;
	set_deadline(p, secs);
	p->last = (struct smtp_answer){ 0 };
	if (!conn_flush(&p->c, e) || !smtp_client_lines(&p->c, &a, lines, e))
		return lost(p, e);
	p->last = a;
	if (a.code == 421) /* RFC 5321 3.8: it is going to close */
		p->broken = true;
	return true;
}

bool peer_answer(struct peer *p, uint64_t secs, struct err *e) { return answer_lines(p, secs, NULL, e); }

const char *peer_said(const struct peer *p, const char *step, char dst[500])
{
	const struct smtp_answer *a = &p->last;
	snprintf(dst, 500, "%d%s%s%s%s (in reply to %s)", a->code, *a->dsn ? " " : "", a->dsn, *a->text ? " " : "", a->text, step);
	return dst;
}

bool peer_refused(const struct peer *p, const char *step, struct err *e)
{
	char text[500];
	return err_dsn(e, p->last.code >= 500 ? ERR_PERM : ERR_TEMP, p->last.dsn, "%s", peer_said(p, step, text));
}

/* --- opening
 * ------------------------------------------------------------------------------------------------------------------------ */

/* RFC 7504: 521 and 556 say "never". Any other 5yz before a transaction may be about us, now: the next host or a later try may do.
 */
static bool refused_session(const struct peer *p, const char *step, struct err *e)
{
	peer_refused(p, step, e);
	if (p->last.code != 521 && p->last.code != 556)
		e->kind = ERR_TEMP;
	return false;
}

static bool greeting(struct peer *p, const struct peer_options *o, struct err *e)
{
	if (!peer_answer(p, o->cfg->remote.remote_greeting_timeout, e))
		return false;
	return p->last.code == 220 || refused_session(p, "greeting", e);
}

static void take_name(struct peer *p, struct sv lines)
{
	struct sv line, word;
	if (!sv_cut(&lines, '\n', &line) || !sv_word(&line, &word) || !maddr_domain_ok(word, true) ||
		!sv_copy(word, p->hello, sizeof p->hello))
		p->hello[0] = '\0';
}

static bool hello(struct peer *p, const struct peer_options *o, struct err *e)
{
	struct buf lines = BUF_INIT(LINES_MAX);
	const char *verb = p->lmtp ? "LHLO" : "EHLO";
	uint64_t secs = o->cfg->remote.remote_hello_timeout;
	bool ok = peer_put(p, e, "%s %s", verb, o->cfg->global.hostname) && answer_lines(p, secs, &lines, e);
	p->caps = (struct caps){ 0 };
	if (ok && p->last.code == 250) {
		caps_parse(buf_sv(&lines), &p->caps);
		take_name(p, buf_sv(&lines));
	}
	buf_free(&lines);
	if (!ok || p->last.code == 250)
		return ok;
	/* RFC 5321 3.2: a server that does not know EHLO knows HELO. */
	if (p->lmtp || p->last.code < 500 || p->broken)
		return refused_session(p, verb, e);
	if (!peer_put(p, e, "HELO %s", o->cfg->global.hostname) || !peer_answer(p, secs, e))
		return false;
	return p->last.code == 250 || refused_session(p, "HELO", e);
}

static void begin(struct peer *p, int fd, const struct peer_options *o)
{
	*p = (struct peer){
		.open = true, .lmtp = o->route->lmtp, .deadline_ms = o->deadline_ms, .lax = o->lax, .since_ms = clock_mono_ms()
	};
	conn_init(&p->c, fd, o->wake);
	snprintf(p->key, sizeof p->key, "%s", o->route->key);
	snprintf(p->tls, sizeof p->tls, "no");
}

/* RFC 3207 4.2: what was said before TLS counts for nothing. */
static bool secured(struct peer *p, const struct peer_options *o, struct err *e)
{
	bool started;
	if (!o->secure || o->secure->level == SECURE_NONE)
		return true;
	p->tls_tried = true;
	if (!starttls(p, o, &started, e) || (started && !hello(p, o, e)))
		return false;
	p->strict = o->secure->requiretls && (p->caps.set & CAP_REQUIRETLS);
	return p->strict || !o->secure->requiretls ||
	       err_dsn(e, ERR_PERM, "5.7.30", "the sender demands TLS all the way, but the host does not know REQUIRETLS");
}

static void note_ends(struct peer *p, const struct peer_options *o, const struct addr *to)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	if (!o->attempt)
		return;
	o->attempt->to = *to;
	if (getsockname(p->c.fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&ss, &o->attempt->from);
}

static bool talk(struct peer *p, const struct peer_options *o, struct err *e)
{
	bool ok = greeting(p, o, e) && hello(p, o, e) && secured(p, o, e) && authenticate(p, o, e);
	if (o->attempt)
		snprintf(o->attempt->hello, sizeof o->attempt->hello, "%s", p->hello);
	if (!ok)
		p->broken = p->broken || p->last.code == 0;
	return ok;
}

bool peer_open(struct peer *p, const struct host *h, const struct peer_options *o, struct err *e)
{
	const struct cfg_remote *r = &o->cfg->remote;
	uint64_t now = clock_mono_ms(), left = o->deadline_ms > now ? o->deadline_ms - now : 0;
	char text[ADDR_TEXT_MAX];
	struct addr at;
	int fd;
	if (!dial(h->addr, h->n_addr, o->route->relay ? &o->route->relay->source : NULL,
		    MIN(r->remote_connect_timeout * 1000, left), o->wake, &fd, &at, e)) {
		snprintf(p->label, sizeof p->label, "%s", h->name);
		snprintf(e->dsn, sizeof e->dsn, "4.4.1");
		return false;
	}
	begin(p, fd, o);
	snprintf(p->name, sizeof p->name, "%s", h->name);
	if (h->name[0] == '[')
		snprintf(p->label, sizeof p->label, "%s:%u", h->name, at.port);
	else
		snprintf(p->label, sizeof p->label, "%s[%s]:%u", h->name, addr_text(&at, text), at.port);
	p->at = at;
	p->local = addr_is_loopback(&at);
	note_ends(p, o, &at);
	return talk(p, o, e);
}

bool peer_open_unix(struct peer *p, const struct peer_options *o, struct err *e)
{
	int fd;
	snprintf(p->label, sizeof p->label, "unix:%.250s", o->route->host);
	if (!sock_connect_unix(AT_FDCWD, o->route->host, SOCK_STREAM, o->cfg->remote.remote_connect_timeout * 1000, &fd, e))
		return err_dsn(e, ERR_TEMP, "4.4.1", "%s", e->text);
	begin(p, fd, o);
	p->local = true;
	snprintf(p->name, sizeof p->name, "localhost");
	snprintf(p->label, sizeof p->label, "unix:%.250s", o->route->host);
	return talk(p, o, e);
}

/* --- the end
 * --------------------------------------------------------------------------------------------------------------------------- */

bool peer_gone(struct peer *p)
{
	struct pollfd w = { .fd = p->c.fd, .events = POLLIN };
	return !p->open || p->broken || conn_buffered(&p->c) || poll(&w, 1, 0) != 0;
}

void peer_close(struct peer *p)
{
	struct err e;
	if (!p->open)
		return;
	p->c.idle_ms = QUIT_WAIT_MS;
	p->c.deadline_ms = clock_mono_ms() + QUIT_WAIT_MS;
	if (!p->broken && peer_put(p, &e, "QUIT") && !conn_flush(&p->c, &e))
		p->broken = true;
	tls_end(&p->c);
	conn_close(&p->c);
	p->open = false;
}
