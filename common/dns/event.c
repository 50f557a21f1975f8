/* libunbound's events are libevent's: of one descriptor and one timer, gone after they fired unless PERSIST. */
#include "dns/event.h"

#include "base/buf.h"

#include <sys/time.h>

struct base {
	struct ub_event_base super;
	struct ev_loop *loop;
};

struct event {
	struct ub_event super;
	struct ev_loop *loop;
	struct ev_io io;
	struct ev_timer timer;
	short bits;
	bool timed;
	uint64_t timeout_ms; /* of a persistent one: from each event on */
	void (*on)(int fd, short bits, void *arg);
	void *arg;
};

static struct event *event_of(struct ub_event *e) { return CONTAINER(e, struct event, super); }

static uint64_t ms_of(const struct timeval *tv) { return (uint64_t)tv->tv_sec * 1000 + (uint64_t)(tv->tv_usec + 999) / 1000; }

static int del(struct ub_event *e)
{
	struct event *ev = event_of(e);
	ev_del(ev->loop, &ev->io);
	ev_timer_clear(ev->loop, &ev->timer);
	return 0;
}

/* The handler may free the event: nothing is touched behind the call. */
static void fire(struct event *ev, short bits)
{
	if (!(ev->bits & UB_EV_PERSIST))
		del(&ev->super);
	else if (ev->timed)
		ev_timer_set(ev->loop, &ev->timer, ev->timeout_ms);
	ev->on(ev->io.fd, bits, ev->arg);
}

static void on_io(struct ev_io *io, unsigned events, void *arg)
{
	struct event *ev = arg;
	short bits = 0;
	(void)io;
	if (events & (EV_READ | EV_HUP))
		bits |= UB_EV_READ;
	if (events & (EV_WRITE | EV_HUP))
		bits |= UB_EV_WRITE;
	fire(ev, bits & ev->bits);
}

static void on_timer(struct ev_timer *t, void *arg)
{
	(void)t;
	fire(arg, UB_EV_TIMEOUT);
}

static int add(struct ub_event *e, struct timeval *tv)
{
	struct event *ev = event_of(e);
	unsigned want = (ev->bits & UB_EV_READ ? EV_READ : 0u) | (ev->bits & UB_EV_WRITE ? EV_WRITE : 0u);
	struct err why;
	del(e);
	ev->timed = tv != NULL;
	if (tv) {
		ev->timeout_ms = ms_of(tv);
		ev_timer_set(ev->loop, &ev->timer, ev->timeout_ms);
	}
	return want == 0 || ev->io.fd < 0 || ev_add(ev->loop, &ev->io, want, &why) ? 0 : -1;
}

static void add_bits(struct ub_event *e, short bits)
{
	del(e);
	event_of(e)->bits |= bits;
}

static void del_bits(struct ub_event *e, short bits)
{
	del(e);
	event_of(e)->bits &= (short)~bits;
}

static void set_fd(struct ub_event *e, int fd)
{
	del(e);
	event_of(e)->io.fd = fd;
}

static void free_event(struct ub_event *e)
{
	del(e);
	free(event_of(e));
}

static int add_timer(struct ub_event *e, struct ub_event_base *b, void (*on)(int, short, void *), void *arg, struct timeval *tv)
{
	struct event *ev = event_of(e);
	(void)b;
	ev->on = on;
	ev->arg = arg;
	return add(e, tv);
}

static int no_signal(struct ub_event *e, struct timeval *tv)
{
	(void)e;
	(void)tv;
	return -1;
}

static int no_signal_del(struct ub_event *e)
{
	(void)e;
	return -1;
}

static void no_windows(struct ub_event *e) { (void)e; }

static void no_windows_block(struct ub_event *e, int bits)
{
	(void)e;
	(void)bits;
}

static struct ub_event_vmt event_calls = { .add_bits = add_bits,
	.del_bits = del_bits,
	.set_fd = set_fd,
	.free = free_event,
	.add = add,
	.del = del,
	.add_timer = add_timer,
	.del_timer = del,
	.add_signal = no_signal,
	.del_signal = no_signal_del,
	.winsock_unregister_wsaevent = no_windows,
	.winsock_tcp_wouldblock = no_windows_block };

static struct ub_event *new_event(struct ub_event_base *b, int fd, short bits, void (*on)(int, short, void *), void *arg)
{
	struct event *ev = mem_new(sizeof *ev);
	ev->super = (struct ub_event){ UB_EVENT_MAGIC, &event_calls };
	ev->loop = CONTAINER(b, struct base, super)->loop;
	ev->bits = bits;
	ev->on = on;
	ev->arg = arg;
	ev->io = (struct ev_io){ .fd = fd, .on = on_io, .arg = ev };
	ev->timer = (struct ev_timer){ .on = on_timer, .arg = ev };
	return &ev->super;
}

static struct ub_event *new_signal(struct ub_event_base *b, int signo, void (*on)(int, short, void *), void *arg)
{
	(void)b;
	(void)signo;
	(void)on;
	(void)arg;
	return NULL;
}

static struct ub_event *new_windows(struct ub_event_base *b, void *what, void (*on)(int, short, void *), void *arg)
{
	(void)b;
	(void)what;
	(void)on;
	(void)arg;
	return NULL;
}

static int no_dispatch(struct ub_event_base *b)
{
	(void)b;
	return -1;
}

static int no_exit(struct ub_event_base *b, struct timeval *tv)
{
	(void)b;
	(void)tv;
	return -1;
}

void dns_events_free(struct ub_event_base *base) { free(base ? CONTAINER(base, struct base, super) : NULL); }

static struct ub_event_base_vmt base_calls = { .free = dns_events_free,
	.dispatch = no_dispatch,
	.loopexit = no_exit,
	.new_event = new_event,
	.new_signal = new_signal,
	.winsock_register_wsaevent = new_windows };

struct ub_event_base *dns_events_new(struct ev_loop *loop)
{
	struct base *b = mem_new(sizeof *b);
	b->super = (struct ub_event_base){ UB_EVENT_MAGIC, &base_calls };
	b->loop = loop;
	return &b->super;
}
