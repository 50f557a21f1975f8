#include "unit/unit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "event/ev.h"
#include "event/heap.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct seen {
	struct ev_loop *l;
	struct ev_io io;
	struct ev_timer timer;
	unsigned n, events;
	struct seen *other;
	struct seen **order; /* where the next one to run is noted */
};

static void on_io(struct ev_io *io, unsigned events, void *arg)
{
	struct seen *s = arg;

	CU_ASSERT_PTR_EQUAL(io, &s->io);
	s->n++;
	s->events = events;
}

static void pair(int fds[2]) { CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0); }

static void close_both(int fds[2])
{
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static void only_wanted_events_and_hang_ups_are_reported(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .n = 0 };
	int fds[2];

	pair(fds);
	s.io = (struct ev_io){ .fd = fds[0], .on = on_io, .arg = &s };
	CU_ASSERT_TRUE(ev_add(l, &s.io, EV_READ, NULL));
	CU_ASSERT_TRUE(ev_turn(l, 0));
	CU_ASSERT_EQUAL(s.n, 0);
	ev_want(l, &s.io, EV_READ | EV_WRITE);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.events, EV_WRITE);
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.events, EV_READ | EV_WRITE);
	ev_want(l, &s.io, 0);
	s.n = 0;
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.n, 0);
	fd_close(&fds[1]);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.events, EV_HUP);
	ev_want(l, &s.io, EV_READ);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.events, EV_HUP | EV_READ);
	ev_del(l, &s.io);
	ev_del(l, &s.io);
	s.n = 0;
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.n, 0);
	close_both(fds);
	ev_free(l);
	ev_free(NULL);
}

static void half_a_close_is_a_hang_up_for_a_reader(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .n = 0 };
	int fds[2];

	pair(fds);
	s.io = (struct ev_io){ .fd = fds[0], .on = on_io, .arg = &s };
	CU_ASSERT_TRUE(ev_add(l, &s.io, EV_READ, NULL));
	shutdown(fds[1], SHUT_WR);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s.events, EV_HUP | EV_READ);
	ev_del(l, &s.io);
	close_both(fds);
	ev_free(l);
}

static void a_bad_descriptor_is_an_error(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .io = { .fd = -1 } };
	struct err e;

	CU_ASSERT_FALSE(ev_add(l, &s.io, EV_READ, &e));
	CU_ASSERT_EQUAL(e.sys, EBADF);
	CU_ASSERT_FALSE(s.io.active);
	ev_del(l, &s.io);
	ev_free(l);
}

static void remove_all(struct ev_io *io UNUSED, unsigned events UNUSED, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->other->n++;
	ev_del(s->l, &s->io);
	ev_del(s->l, &s->other->io);
	memset(&s->other->io, 0xee, sizeof(s->other->io)); /* as if freed */
	s->other->io.active = false;
}

static void what_a_handler_removes_is_not_called_in_the_same_turn(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s[2] = { { .l = l }, { .l = l } };
	int fds[2][2];

	for (int i = 0; i < 2; i++) {
		pair(fds[i]);
		s[i].other = &s[1 - i];
		s[i].io = (struct ev_io){ .fd = fds[i][0], .on = remove_all, .arg = &s[i] };
		CU_ASSERT_TRUE(ev_add(l, &s[i].io, EV_READ, NULL));
		CU_ASSERT_EQUAL(write(fds[i][1], "x", 1), 1);
	}
	ev_turn(l, 0);
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s[0].n, 1); /* each handler counts for both: the first ran, the second did not */
	CU_ASSERT_EQUAL(s[1].n, 1);
	close_both(fds[0]);
	close_both(fds[1]);
	ev_free(l);
}

/* --- timers -------------------------------------------------------------------------------------------------------------- */

static void on_timer(struct ev_timer *t, void *arg)
{
	struct seen *s = arg;

	CU_ASSERT_EQUAL(t->place, 0);
	CU_ASSERT_TRUE(t->due_ms <= ev_now_ms(s->l));
	s->n++;
	if (s->order)
		*s->order++ = s;
}

static void timers_run_in_the_order_of_their_times(void)
{
	struct ev_loop *l = ev_new(NULL);
	static const uint64_t after[] = { 30, 10, 20, 0, 10 };
	struct seen *order[COUNT(after)] = { NULL }, s[COUNT(after)];
	uint64_t then = clock_mono_ms();

	for (size_t i = 0; i < COUNT(after); i++) {
		s[i] = (struct seen){ .l = l };
		s[i].timer = (struct ev_timer){ .on = on_timer, .arg = &s[i] };
		ev_timer_at(l, &s[i].timer, then + after[i]);
	}
	for (size_t done = 0; done < COUNT(after);) {
		CU_ASSERT_TRUE_FATAL(clock_mono_ms() - then < 5000);
		for (size_t i = 0; i < COUNT(after); i++)
			s[i].order = &order[done];
		unsigned before = 0, now = 0;
		for (size_t i = 0; i < COUNT(after); i++)
			before += s[i].n;
		ev_turn(l, -1);
		for (size_t i = 0; i < COUNT(after); i++)
			now += s[i].n;
		done += now - before;
	}
	CU_ASSERT_TRUE(clock_mono_ms() - then >= 30);
	for (size_t i = 0; i < COUNT(after); i++)
		CU_ASSERT_EQUAL(s[i].n, 1);
	ev_free(l);
}

static void a_timer_is_moved_and_cleared(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .l = l };

	s.timer = (struct ev_timer){ .on = on_timer, .arg = &s };
	ev_timer_clear(l, &s.timer); /* not set */
	ev_timer_set(l, &s.timer, 0);
	ev_timer_set(l, &s.timer, UINT64_MAX);
	ev_turn(l, 5);
	CU_ASSERT_EQUAL(s.n, 0);
	ev_timer_set(l, &s.timer, 0);
	ev_turn(l, -1);
	CU_ASSERT_EQUAL(s.n, 1);
	ev_timer_set(l, &s.timer, 0);
	ev_timer_clear(l, &s.timer);
	ev_turn(l, 5);
	CU_ASSERT_EQUAL(s.n, 1);
	ev_free(l);
}

static void again_at_once(struct ev_timer *t, void *arg)
{
	struct seen *s = arg;

	s->n++;
	ev_timer_at(s->l, t, 0);
}

static void a_timer_that_sets_itself_runs_once_per_turn(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .l = l };

	s.timer = (struct ev_timer){ .on = again_at_once, .arg = &s };
	ev_timer_at(l, &s.timer, 0);
	for (unsigned i = 1; i <= 5; i++) {
		ev_turn(l, -1);
		CU_ASSERT_EQUAL(s.n, i);
	}
	ev_timer_clear(l, &s.timer);
	ev_free(l);
}

static void clear_other(struct ev_timer *t UNUSED, void *arg)
{
	struct seen *s = arg;

	s->n++;
	ev_timer_clear(s->l, &s->other->timer);
}

static void a_due_timer_that_another_clears_does_not_run(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s[2] = { { .l = l }, { .l = l } };

	for (int i = 0; i < 2; i++) {
		s[i].other = &s[1 - i];
		s[i].timer = (struct ev_timer){ .on = clear_other, .arg = &s[i] };
		ev_timer_at(l, &s[i].timer, 1);
	}
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(s[0].n + s[1].n, 1);
	ev_free(l);
}

static bool heap_is_sound(const struct ev_heap *h)
{
	for (size_t i = 0; i < h->len; i++)
		if (h->at[i]->place != i + 1 || (i && h->at[(i - 1) / 2]->due_ms > h->at[i]->due_ms))
			return false;
	return true;
}

static void the_heap_stays_sound_under_random_use(void)
{
	struct ev_heap h = { .at = NULL };
	struct ev_timer t[200] = { { .on = NULL } };
	uint64_t seed = 1, last = 0;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		struct ev_timer *one = &t[(seed >> 33) % COUNT(t)];
		if (seed >> 62)
			ev_heap_set(&h, one, (seed >> 40) % 1000);
		else
			ev_heap_remove(&h, one);
		if (i % 50 == 0)
			CU_ASSERT_TRUE_FATAL(heap_is_sound(&h));
	}
	CU_ASSERT_TRUE(h.len > 10);
	for (struct ev_timer *one; (one = ev_heap_first(&h));) {
		CU_ASSERT_TRUE_FATAL(one->due_ms >= last);
		last = one->due_ms;
		ev_heap_remove(&h, one);
	}
	ev_heap_free(&h);
}

/* --- signals, children, the loop itself ---------------------------------------------------------------------------------- */

static void count_signal(int signo, void *arg)
{
	unsigned *counts = arg;

	counts[signo]++;
}

static void signals_come_through_the_loop(void)
{
	struct ev_loop *l = ev_new(NULL);
	unsigned counts[NSIG] = { 0 };
	sigset_t old;

	sigprocmask(SIG_SETMASK, NULL, &old);
	CU_ASSERT_TRUE(ev_signal(l, SIGUSR1, count_signal, counts, NULL));
	CU_ASSERT_TRUE(ev_signal(l, SIGUSR2, count_signal, counts, NULL));
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(counts[SIGUSR1] + counts[SIGUSR2], 0);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	ev_turn(l, 1000);
	CU_ASSERT_EQUAL(counts[SIGUSR1], 1);
	CU_ASSERT_EQUAL(counts[SIGUSR2], 1);
	ev_free(l);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

struct ended {
	struct ev_child child;
	int n, status;
};

static void on_child(struct ev_child *c, int status, void *arg)
{
	struct ended *e = arg;

	CU_ASSERT_FALSE(c->active);
	e->n++;
	e->status = status;
}

static pid_t child_that_exits(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	CU_ASSERT_TRUE_FATAL(pid > 0);
	return pid;
}

static void children_are_reported_with_their_status(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct ended e[4] = { { .n = 0 } };
	pid_t stranger = child_that_exits(9);
	int status;

	for (int i = 0; i < 4; i++) {
		e[i].child = (struct ev_child){ .pid = child_that_exits(i), .on = on_child, .arg = &e[i] };
		if (i == 1)
			usleep(20000); /* over before it is watched */
		CU_ASSERT_TRUE(ev_child_watch(l, &e[i].child, NULL));
	}
	ev_child_forget(l, &e[3].child);
	ev_child_forget(l, &e[3].child);
	for (int i = 0; i < 100 && e[0].n + e[1].n + e[2].n < 3; i++)
		ev_turn(l, 100);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(e[i].n, 1);
		CU_ASSERT_TRUE(WIFEXITED(e[i].status) && WEXITSTATUS(e[i].status) == i);
	}
	CU_ASSERT_EQUAL(e[3].n, 0);
	CU_ASSERT_EQUAL(waitpid(e[3].child.pid, &status, 0), e[3].child.pid);
	CU_ASSERT_EQUAL(waitpid(stranger, &status, 0), stranger); /* not taken by the loop */
	CU_ASSERT_EQUAL(waitpid(e[0].child.pid, &status, 0), -1); /* taken by the loop */
	ev_free(l);
}

static void a_child_killed_by_a_signal_is_reported_too(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct ended e = { .n = 0 };
	struct err err;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	e.child = (struct ev_child){ .pid = pid, .on = on_child, .arg = &e };
	CU_ASSERT_TRUE(ev_child_watch(l, &e.child, NULL));
	ev_turn(l, 0);
	CU_ASSERT_EQUAL(e.n, 0);
	kill(pid, SIGKILL);
	for (int i = 0; i < 100 && e.n == 0; i++)
		ev_turn(l, 100);
	CU_ASSERT_TRUE(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGKILL);
	CU_ASSERT_FALSE(ev_child_watch(l, &e.child, &err)); /* gone */
	CU_ASSERT_EQUAL(err.sys, ESRCH);
	ev_free(l);
}

static void a_forked_child_starts_with_default_signals(void)
{
	struct ev_loop *l = ev_new(NULL);
	unsigned counts[NSIG] = { 0 };
	sigset_t old, now;
	int status = -1;

	sigprocmask(SIG_SETMASK, NULL, &old);
	CU_ASSERT_TRUE(ev_signal(l, SIGUSR1, count_signal, counts, NULL));
	void (*pipe_was)(int) = signal(SIGPIPE, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction sa;
		ev_after_fork();
		sigprocmask(SIG_SETMASK, NULL, &now);
		sigaction(SIGPIPE, NULL, &sa);
		_exit(sigismember(&now, SIGUSR1) || sa.sa_handler != SIG_DFL);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	signal(SIGPIPE, pipe_was);
	ev_free(l);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void stop_in_timer(struct ev_timer *t UNUSED, void *arg)
{
	struct seen *s = arg;

	s->n++;
	ev_stop(s->l);
}

static void the_loop_runs_until_it_is_stopped(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .l = l };

	s.timer = (struct ev_timer){ .on = stop_in_timer, .arg = &s };
	for (unsigned i = 1; i <= 2; i++) {
		ev_timer_set(l, &s.timer, 5);
		ev_run(l);
		CU_ASSERT_EQUAL(s.n, i);
	}
	ev_stop(l);
	CU_ASSERT_FALSE(ev_turn(l, -1)); /* and does not wait */
	ev_free(l);
}

static void a_turn_waits_no_longer_than_allowed(void)
{
	struct ev_loop *l = ev_new(NULL);
	struct seen s = { .l = l };
	uint64_t then = clock_mono_ms();

	s.timer = (struct ev_timer){ .on = on_timer, .arg = &s };
	ev_timer_set(l, &s.timer, 100000);
	CU_ASSERT_TRUE(ev_turn(l, 30));
	uint64_t took = clock_mono_ms() - then;
	CU_ASSERT_TRUE(took >= 30 && took < 5000);
	CU_ASSERT_TRUE(ev_now_ms(l) >= then + 30);
	CU_ASSERT_EQUAL(s.n, 0);
	ev_free(l);
}

void suite_ev(void)
{
	static const struct unit_case cases[] = {
		UNIT(only_wanted_events_and_hang_ups_are_reported),
		UNIT(half_a_close_is_a_hang_up_for_a_reader),
		UNIT(a_bad_descriptor_is_an_error),
		UNIT(what_a_handler_removes_is_not_called_in_the_same_turn),
		UNIT(timers_run_in_the_order_of_their_times),
		UNIT(a_timer_is_moved_and_cleared),
		UNIT(a_timer_that_sets_itself_runs_once_per_turn),
		UNIT(a_due_timer_that_another_clears_does_not_run),
		UNIT(the_heap_stays_sound_under_random_use),
		UNIT(signals_come_through_the_loop),
		UNIT(children_are_reported_with_their_status),
		UNIT(a_child_killed_by_a_signal_is_reported_too),
		UNIT(a_forked_child_starts_with_default_signals),
		UNIT(the_loop_runs_until_it_is_stopped),
		UNIT(a_turn_waits_no_longer_than_allowed),
		UNIT_END,
	};
	unit_suite("ev", cases);
}
