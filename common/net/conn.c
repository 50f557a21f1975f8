#include "net/conn.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#define IN_FIRST 8192  /* an idle session costs no more; doubled whenever one read fills it */
#define IDLE_MS 300000 /* RFC 5321 4.5.3.2.7: a server waits five minutes for a command */

static ssize_t plain_read(void *ctx, void *p, size_t n) { return read(((struct conn *)ctx)->fd, p, n); }

/* A client may also be a pipe or a terminal (a server started by hand). */
static ssize_t plain_write(void *ctx, const void *p, size_t n)
{
	int fd = ((struct conn *)ctx)->fd;
	ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

	return done < 0 && errno == ENOTSOCK ? write(fd, p, n) : done;
}

static const struct conn_io plain = { plain_read, plain_write };

void conn_init(struct conn *c, int fd, int wake)
{
	*c = (struct conn){ .fd = fd, .wake = wake, .idle_ms = IDLE_MS, .io = &plain, .io_ctx = c };
	buf_init(&c->store, CONN_IN_MAX);
	buf_init(&c->out, CONN_OUT_MAX);
	BUG_IF(!fd_nonblock(fd, true, NULL)); /* fails for a bad descriptor only */
}

void conn_close(struct conn *c)
{
	buf_free(&c->store);
	buf_free(&c->out);
	c->in = SV("");
	fd_close(&c->fd);
}

static bool lost(struct conn *c, const char *doing, struct err *e)
{
	c->eof = true;
	return err_sys(e, ERR_PEER, "%s", doing);
}

static uint64_t wait_end(const struct conn *c, uint64_t now)
{
	uint64_t end = c->idle_ms < UINT64_MAX - now ? now + c->idle_ms : UINT64_MAX;

	return c->deadline_ms ? MIN(end, c->deadline_ms) : end;
}

static bool heeds_wake(const struct conn *c, short events)
{
	bool may_end = (events & POLLIN) || (c->give_up && !c->no_give_up);
	return c->wake >= 0 && !c->ignore_wake && may_end;
}

/* Input waits heed `wake`; a wake that is ignored is not polled, or it would spin. */
bool conn_wait(struct conn *c, short events, uint64_t end, struct err *e)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = events },
		{ .fd = heeds_wake(c, events) ? c->wake : -1, .events = POLLIN } };
	uint64_t now;

	for (;;) {
		now = clock_mono_ms();
		int n = poll(p, 2, now < end ? (int)MIN(end - now, INT_MAX) : 0);
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_TEMP, "poll");
		if (n > 0 && p[0].revents)
			return true;
		if (n > 0 && !(events & POLLIN) && !c->give_up(c->give_up_arg)) {
			c->no_give_up = true;
			p[1].fd = -1;
			continue;
		}
		if (n > 0) {
			c->woken = true;
			errno = EINTR;
			return err_sys(e, ERR_TEMP, "waiting for the client");
		}
		if (n == 0 && now >= end) {
			errno = ETIMEDOUT;
			return err_sys(e, ERR_TEMP, "waiting for the client");
		}
	}
}

static short wanted(struct conn *c, short natural)
{
	short events = c->want ? c->want : natural;

	c->want = 0;
	return events;
}

static bool write_all(struct conn *c, struct sv bytes, struct err *e)
{
	uint64_t end = 0;

	while (bytes.n) {
		ssize_t n = c->io->write(c->io_ctx, bytes.p, bytes.n);
		if (n > 0) {
			bytes = sv_skip(bytes, (size_t)n);
			end = 0; /* progress: the idle time starts anew */
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno != EAGAIN)
			return lost(c, "write to the client", e);
		if (!end)
			end = wait_end(c, clock_mono_ms());
		if (!conn_wait(c, wanted(c, POLLOUT), end, e))
			return false;
	}
	return true;
}

/* What could not be sent is not tried again: after a failure the connection is of no more use for output. */
bool conn_flush(struct conn *c, struct err *e)
{
	bool ok = write_all(c, buf_sv(&c->out), e);

	buf_reset(&c->out);
	return ok;
}

bool conn_put(struct conn *c, struct sv bytes, struct err *e)
{
	if (bytes.n > CONN_OUT_MAX - c->out.len && !conn_flush(c, e))
		return false;
	if (bytes.n > CONN_OUT_MAX)
		return write_all(c, bytes, e);
	buf_putsv(&c->out, bytes);
	return true;
}

void conn_take(struct conn *c, size_t n)
{
	BUG_IF(n > c->in.n);
	c->in = sv_skip(c->in, n);
}

bool conn_buffered(const struct conn *c) { return c->in.n > 0; }

/* Room at the end of the store: twice as much when the last read filled it, for then more is coming (DATA). Untaken bytes are
 * moved to the front, at most once for each read. */
static size_t make_room(struct conn *c)
{
	struct buf *s = &c->store;
	size_t cap = MAX(s->cap, IN_FIRST);

	if (s->len + 1 == s->cap)
		cap = MIN(2 * cap, CONN_IN_MAX + 1);
	buf_drop(s, s->len - c->in.n);
	c->in = buf_sv(s);
	return cap - 1 - s->len;
}

/* What did not fill the room was all there was: the client waits for us, and trying again would only be told so. */
static ssize_t read_more(struct conn *c, char *to, size_t room)
{
	if (c->drained) {
		c->drained = false;
		errno = EAGAIN;
		return -1;
	}
	ssize_t n = c->io->read(c->io_ctx, to, room);
	c->drained = c->io == &plain && n > 0 && (size_t)n < room;
	return n;
}

bool conn_fill(struct conn *c, struct err *e)
{
	uint64_t end = 0;
	size_t room = make_room(c);
	char *to;

	if (room == 0)
		return err_set(e, ERR_LIMIT, "%d bytes of input are waiting", CONN_IN_MAX);
	to = buf_room(&c->store, room);
	for (;;) {
		ssize_t n = read_more(c, to, room);
		if (n > 0) {
			buf_grew(&c->store, (size_t)n);
			c->in = buf_sv(&c->store);
			return true;
		}
		if (n == 0) {
			c->eof = true;
			return err_set(e, ERR_PEER, "the client closed the connection");
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return lost(c, "read from the client", e);
		if (!conn_flush(c, e))
			return false;
		if (!end)
			end = wait_end(c, clock_mono_ms());
		if (!conn_wait(c, wanted(c, POLLIN), end, e))
			return false;
	}
}

bool conn_line(struct conn *c, size_t max, struct sv *ret_line, struct err *e)
{
	size_t seen = 0;

	for (;;) {
		ptrdiff_t at = sv_chr(sv_sub(c->in, seen, max - seen), '\n');
		if (at >= 0) {
			*ret_line = sv_sub(c->in, 0, seen + (size_t)at + 1);
			return true;
		}
		seen = MIN(c->in.n, max);
		if (seen == max)
			return err_set(e, ERR_LIMIT, "line is longer than %zu bytes", max);
		if (!conn_fill(c, e))
			return false;
	}
}
