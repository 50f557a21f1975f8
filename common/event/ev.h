/* ev - the event loop of the daemons that hold many conversations: descriptors (epoll), timers (heap), signals, children.
 *
 * One loop per process, no threads. Handlers run to completion and must not block. A handler may remove any watch,
 * its own too. Structures are the caller's and must stay in place while they are watched. */
#ifndef EVENT_EV_H
#define EVENT_EV_H

#include "base/err.h"

#include <signal.h>
#include <sys/types.h>

struct ev_loop;

enum { EV_READ = 1, EV_WRITE = 2, EV_HUP = 4 }; /* HUP (error or end of the peer) is always reported */

struct ev_io {
	int fd;
	void (*on)(struct ev_io *io, unsigned events, void *arg);
	void *arg;
	/* the loop's own */
	unsigned want;
	bool active;
};

struct ev_timer {
	void (*on)(struct ev_timer *t, void *arg);
	void *arg;
	/* the loop's own */
	uint64_t due_ms;
	size_t place; /* 0: not set */
};

struct ev_child {
	pid_t pid;
	void (*on)(struct ev_child *c, int status, void *arg); /* status as of waitpid; the watch is gone by then */
	void *arg;
	/* the loop's own */
	bool active;
	struct ev_io io; /* a pidfd */
	struct ev_loop *loop;
};

struct ev_loop *ev_new(struct err *e);
void ev_free(struct ev_loop *l);

bool ev_add(struct ev_loop *l, struct ev_io *io, unsigned want, struct err *e) MUST_CHECK; /* want: EV_READ | EV_WRITE */
void ev_want(struct ev_loop *l, struct ev_io *io, unsigned want);
void ev_del(struct ev_loop *l, struct ev_io *io); /* before its descriptor is closed; harmless when not added */

void ev_timer_set(struct ev_loop *l, struct ev_timer *t, uint64_t after_ms); /* sets or moves; 0: in the next turn */
void ev_timer_at(struct ev_loop *l, struct ev_timer *t, uint64_t mono_ms);
void ev_timer_clear(struct ev_loop *l, struct ev_timer *t); /* harmless when not set */

/* Signals come through the loop (signalfd); they are blocked for the process. A child is watched after a fork of one's own, at
 * once or later, and only it is waited for; in the child call ev_after_fork() to get default signals and an empty mask. */
bool ev_signal(struct ev_loop *l, int signo, void (*on)(int signo, void *arg), void *arg, struct err *e) MUST_CHECK;
bool ev_child_watch(struct ev_loop *l, struct ev_child *c, struct err *e) MUST_CHECK;
void ev_child_forget(struct ev_loop *l, struct ev_child *c);
void ev_after_fork(void); /* in a forked child: default dispositions, nothing blocked. The loop itself must not be used there */

uint64_t ev_now_ms(const struct ev_loop *l); /* monotonic, as of this turn */
/* One round: waits (max_wait_ms < 0: for the next timer), runs what is due; false after ev_stop(). */
bool ev_turn(struct ev_loop *l, int max_wait_ms);
void ev_run(struct ev_loop *l); /* until ev_stop() */
void ev_stop(struct ev_loop *l);

#endif
