#include "event/ev.h"
#include "base/clock.h"
#include "base/fd.h"
#include "event/heap.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define BATCH 64 /* events taken per turn */

struct on_signal {
	void (*on)(int signo, void *arg);
	void *arg;
};

struct ev_loop {
	int epoll_fd;
	bool stopped;
	uint64_t now_ms;
	struct ev_heap timers;
	struct epoll_event ready[BATCH]; /* of this turn; ev_del() takes what it removes out of them */
	int n_ready;
	struct ev_io signals;
	sigset_t signal_set;
	struct on_signal on_signal[NSIG];
};

struct ev_loop *ev_new(struct err *e)
{
	struct ev_loop *l = mem_new(sizeof(*l));

	l->signals.fd = -1;
	sigemptyset(&l->signal_set);
	l->now_ms = clock_mono_ms();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		err_sys(e, ERR_TEMP, "make an event loop");
		ev_free(l);
		return NULL;
	}
	return l;
}

void ev_free(struct ev_loop *l)
{
	if (!l)
		return;
	fd_close(&l->signals.fd);
	fd_close(&l->epoll_fd);
	ev_heap_free(&l->timers);
	free(l);
}

/* --- descriptors --------------------------------------------------------------------------------------------------------- */

static struct epoll_event interest(struct ev_io *io)
{
	uint32_t events = (io->want & EV_READ ? EPOLLIN | EPOLLRDHUP : 0u) | (io->want & EV_WRITE ? EPOLLOUT : 0u);

	return (struct epoll_event){ .events = events, .data.ptr = io };
}

bool ev_add(struct ev_loop *l, struct ev_io *io, unsigned want, struct err *e)
{
	io->want = want;
	struct epoll_event ev = interest(io);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, io->fd, &ev) < 0)
		return err_sys(e, ERR_TEMP, "watch descriptor %d", io->fd);
	io->active = true;
	return true;
}

void ev_want(struct ev_loop *l, struct ev_io *io, unsigned want)
{
	if (!io->active || io->want == want)
		return;
	io->want = want;
	struct epoll_event ev = interest(io);
	BUG_IF(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0);
}

void ev_del(struct ev_loop *l, struct ev_io *io)
{
	if (!io->active)
		return;
	io->active = false;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = 0; i < l->n_ready; i++)
		if (l->ready[i].data.ptr == io)
			l->ready[i].data.ptr = NULL;
}

static void run_ready(struct ev_loop *l)
{
	for (int i = 0; i < l->n_ready; i++) {
		struct ev_io *io = l->ready[i].data.ptr;
		uint32_t got = l->ready[i].events;
		if (!io)
			continue; /* removed by a handler before it */
		unsigned events = (got & EPOLLIN ? EV_READ : 0u) | (got & EPOLLOUT ? EV_WRITE : 0u) |
				  (got & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) ? EV_HUP : 0u);
		io->on(io, events, io->arg);
	}
	l->n_ready = 0;
}

/* --- timers -------------------------------------------------------------------------------------------------------------- */

void ev_timer_at(struct ev_loop *l, struct ev_timer *t, uint64_t mono_ms) { ev_heap_set(&l->timers, t, mono_ms); }

/* From the real time, not from the start of the turn: handlers before this one may have taken long. */
void ev_timer_set(struct ev_loop *l, struct ev_timer *t, uint64_t after_ms)
{
	uint64_t now = clock_mono_ms();

	ev_timer_at(l, t, after_ms < UINT64_MAX - now ? now + after_ms : UINT64_MAX);
}

void ev_timer_clear(struct ev_loop *l, struct ev_timer *t) { ev_heap_remove(&l->timers, t); }

/* No more timers than were set when this began, so that one which sets itself anew at once does not keep descriptors waiting. */
static void run_timers(struct ev_loop *l)
{
	for (size_t n = l->timers.len; n > 0; n--) {
		struct ev_timer *t = ev_heap_first(&l->timers);
		if (!t || t->due_ms > l->now_ms)
			return;
		ev_heap_remove(&l->timers, t);
		t->on(t, t->arg);
	}
}

/* --- signals and children ------------------------------------------------------------------------------------------------ */

static void read_signals(struct ev_io *io, unsigned events UNUSED, void *arg)
{
	struct ev_loop *l = arg;
	struct signalfd_siginfo info;

	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
		const struct on_signal *s = &l->on_signal[info.ssi_signo];
		if (s->on)
			s->on((int)info.ssi_signo, s->arg);
	}
}

bool ev_signal(struct ev_loop *l, int signo, void (*on)(int signo, void *arg), void *arg, struct err *e)
{
	BUG_IF(signo <= 0 || signo >= NSIG);
	sigaddset(&l->signal_set, signo);
	if (sigprocmask(SIG_BLOCK, &l->signal_set, NULL) < 0)
		return err_sys(e, ERR_TEMP, "block signal %d", signo);
	int fd = signalfd(l->signals.fd, &l->signal_set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "receive signal %d", signo);
	l->on_signal[signo] = (struct on_signal){ on, arg };
	if (l->signals.active)
		return true;
	l->signals = (struct ev_io){ .fd = fd, .on = read_signals, .arg = l };
	return ev_add(l, &l->signals, EV_READ, e);
}

static void child_ended(struct ev_io *io UNUSED, unsigned events UNUSED, void *arg)
{
	struct ev_child *c = arg;
	int status;
	pid_t pid;

	do
		pid = waitpid(c->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid != c->pid)
		return;
	ev_child_forget(c->loop, c);
	c->on(c, status, c->arg);
}

/* A pidfd is ready once the child has ended, also when that was before the watch. */
bool ev_child_watch(struct ev_loop *l, struct ev_child *c, struct err *e)
{
	int fd = pidfd_open(c->pid, 0);

	if (fd < 0)
		return err_sys(e, ERR_TEMP, "watch process %d", (int)c->pid);
	c->loop = l;
	c->io = (struct ev_io){ .fd = fd, .on = child_ended, .arg = c };
	c->active = ev_add(l, &c->io, EV_READ, e);
	if (!c->active)
		fd_close(&c->io.fd);
	return c->active;
}

void ev_child_forget(struct ev_loop *l, struct ev_child *c)
{
	if (!c->active)
		return;
	c->active = false;
	ev_del(l, &c->io);
	fd_close(&c->io.fd);
}

void ev_after_fork(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL); /* KILL and STOP refuse, which is right */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

uint64_t ev_now_ms(const struct ev_loop *l) { return l->now_ms; }

static int wait_time(struct ev_loop *l, int max_wait_ms)
{
	struct ev_timer *t = ev_heap_first(&l->timers);
	uint64_t left;

	if (!t || l->stopped)
		return l->stopped ? 0 : max_wait_ms;
	l->now_ms = clock_mono_ms();
	left = t->due_ms > l->now_ms ? t->due_ms - l->now_ms : 0;
	if (max_wait_ms >= 0)
		left = MIN(left, (uint64_t)max_wait_ms);
	return (int)MIN(left, INT_MAX);
}

bool ev_turn(struct ev_loop *l, int max_wait_ms)
{
	int n = epoll_wait(l->epoll_fd, l->ready, BATCH, wait_time(l, max_wait_ms));

	BUG_IF(n < 0 && errno != EINTR);
	l->n_ready = MAX(n, 0);
	l->now_ms = clock_mono_ms();
	run_ready(l);
	run_timers(l);
	return !l->stopped;
}

void ev_run(struct ev_loop *l)
{
	while (ev_turn(l, -1))
		continue;
	l->stopped = false; /* may be run again */
}

void ev_stop(struct ev_loop *l) { l->stopped = true; }
