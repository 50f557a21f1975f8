/* conn - one byte-stream client with buffers and deadlines, for blocking code that reads top to bottom.
 *
 * Every wait has a deadline: the earlier of `idle_ms` from now and `deadline_ms`. A second descriptor, `wake`, can end a wait
 * for input early (the parent's pipe: shutting down); output is finished, for a reply that was begun is owed, unless `give_up`
 * says otherwise. TLS comes in underneath later (tls/): callers see the same calls. Lines may hold any byte; the caller judges
 * them. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* How bytes move; conn_init uses the plain one. Returns as read(2)/write(2) on a non-blocking socket; beside EAGAIN it may set
 * conn.want, when what it waits for is not the obvious. */
struct conn_io {
	ssize_t (*read)(void *ctx, void *p, size_t n);
	ssize_t (*write)(void *ctx, const void *p, size_t n);
};

struct conn {
	int fd;
	int wake;         /* -1: none */
	struct sv in;     /* input read and not yet taken */
	struct buf store; /* where `in` points: use `in` and conn_take() */
	struct buf out;
	uint64_t idle_ms;     /* for one wait; default 300 s */
	uint64_t deadline_ms; /* monotonic, absolute; 0: none */
	bool woken;           /* wake became readable; waiting goes on if `ignore_wake` */
	bool ignore_wake;
	/* Asked when `wake` becomes readable while output waits; true ends the wait, with EINTR. NULL: output goes on. */
	bool (*give_up)(void *arg);
	void *give_up_arg;
	bool no_give_up; /* it was asked, and said no: wake is not polled for output any more */
	bool eof;        /* the client sends no more */
	bool drained;    /* the last read took all that was there */
	short want;      /* POLLIN or POLLOUT: what the last call of `io` waits for; 0: to read or write as it was asked to */
	const struct conn_io *io;
	void *io_ctx;
};

#define CONN_IN_MAX (128 * 1024)
#define CONN_OUT_MAX (64 * 1024) /* replies that a client has not taken; past that conn_put blocks in a flush */

void conn_init(struct conn *c, int fd, int wake); /* takes fd, makes it non-blocking */
void conn_close(struct conn *c);                  /* buffers and descriptor */

/* More input at the end of c->in, whose bytes may move; blocks. ERR_PEER: end or reset; ERR_TEMP with sys ETIMEDOUT: deadline;
 * ERR_TEMP with sys EINTR: woken; ERR_LIMIT: CONN_IN_MAX bytes wait untaken. Output still buffered is flushed first, when no more
 * input is known to be there. */
bool conn_fill(struct conn *c, struct err *e) MUST_CHECK;
/* The next line with its end (LF, or whatever precedes it), not yet taken; a view valid until the next conn_fill() or
 * conn_line(). ERR_LIMIT: no LF in the first `max` bytes; they stay in the buffer. */
bool conn_line(struct conn *c, size_t max, struct sv *ret_line, struct err *e) MUST_CHECK;
void conn_take(struct conn *c, size_t n); /* consumes n bytes of input */
bool conn_buffered(const struct conn *c); /* input is waiting: a pipelining client */
bool conn_put(struct conn *c, struct sv bytes, struct err *e) MUST_CHECK;
bool conn_flush(struct conn *c, struct err *e) MUST_CHECK;
/* Waits until the socket is ready for `events`, at the latest until `end_ms` (monotonic). Errors as of conn_fill(). For a layer
 * below the calls above (tls/). */
bool conn_wait(struct conn *c, short events, uint64_t end_ms, struct err *e) MUST_CHECK;

#endif
