/* A pool's worker: one client after the other. */
#include "service/own.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#define IDLE_MS 60000     /* a surplus worker waits so long for a client, then ends */
#define FULL_LOG_MS 60000 /* `pool-full` at most this often */
#define DOOR UINT32_MAX
#define EXIT_TEMP 75 /* EX_TEMPFAIL */
#define LEADER_DIED SIGUSR2

/* --- the leader's death --------------------------------------------------------------------------------------------------- */

static struct svc_ctx *here; /* a handler gets no argument */

/* In the middle of a session we hold the listeners open though we take nobody in: where master is dead as well, its successor could
 * not bind them. Only close() here, for a master that lives still has them. */
static void on_leader_died(int signo)
{
	(void)signo;
	if (getppid() == here->leader)
		return; /* somebody's kill -USR2 */
	for (size_t i = 0; i < here->n_listeners; i++)
		fd_close(&here->listeners[i].fd);
}

/* false: it has died already. */
static bool outlive_leader(struct svc_ctx *ctx)
{
	struct sigaction sa = { .sa_handler = on_leader_died, .sa_flags = SA_RESTART };
	here = ctx;
	return sigaction(LEADER_DIED, &sa, NULL) == 0 && prctl(PR_SET_PDEATHSIG, LEADER_DIED, 0, 0, 0) == 0 &&
	       getppid() == ctx->leader;
}

/* --- clients -------------------------------------------------------------------------------------------------------------- */

/* The first slot is the reserved one. It is filled first, and never given up as surplus. */
static bool is_reserved(const struct svc_ctx *ctx) { return ctx->svc->reserved && ctx->slot == 0; }

/* Every worker has an epoll set of its own with EPOLLEXCLUSIVE: one client wakes one idle worker. */
static int watch_listeners(const struct svc_ctx *ctx, struct err *e)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = DOOR };
	bool ok = ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, ctx->door, &ev) == 0;
	for (uint32_t i = 0; i < ctx->n_listeners && ok; i++) {
		if (is_reserved(ctx) && !ctx->svc->reserved(&ctx->listeners[i]))
			continue;
		ev = (struct epoll_event){ .events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = i };
		ok = epoll_ctl(ep, EPOLL_CTL_ADD, ctx->listeners[i].fd, &ev) == 0;
	}
	if (!ok) {
		err_sys(e, ERR_TEMP, "watch the listeners");
		fd_close(&ep);
	}
	return ep;
}

/* One event at a time: the kernel's ready list then goes round, and a busy listener does not starve the others. */
static bool next_event(int ep, int wait_ms, uint32_t *ret_which)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, wait_ms);
	if (n == 1)
		*ret_which = ev.data.u32;
	return n == 1;
}

unsigned worker_idle_for_all(const struct svc_ctx *ctx, const struct score_counts *n)
{
	return n->idle - (ctx->svc->reserved && ctx->score->state[0] == SCORE_IDLE && n->idle > 0);
}

static void ask_leader(struct svc_ctx *ctx, int ask)
{
	struct score *s = ctx->score;
	if (!atomic_exchange(&s->asked, true) && write(ask, "+", 1) < 0)
		s->asked = false; /* the leader is gone: so are we, soon */
}

/* The leader is woken only when idle workers run short and more are allowed or one must be freed, not for each client. */
static void call_for_more(struct svc_ctx *ctx, const struct svc_pool *pool, int ask)
{
	struct score *s = ctx->score;
	struct score_counts n = score_count(s);
	if (n.idle >= pool->spare)
		return;
	bool full = n.workers >= pool->max && worker_idle_for_all(ctx, &n) == 0;
	if (n.workers < pool->max || (full && ctx->svc->turns_out))
		ask_leader(ctx, ask);
	uint64_t now = clock_mono_ms(), last = s->full_ms;
	if (full && (last == 0 || now - last > FULL_LOG_MS) && atomic_compare_exchange_strong(&s->full_ms, &last, now))
		LOG_WARN("pool-full", KV_U64("max", pool->max));
}

static bool serve_one(struct svc_ctx *ctx, const struct svc_pool *pool, int ask, const struct svc_listener *on)
{
	struct svc_client client = { .fd = -1, .on = on };
	struct err e;
	if (!sock_accept(on->fd, &client.fd, &client.peer, &e)) {
		if (e.sys != EAGAIN)
			LOG_WARN("accept-failed", KV_STR("listener", on->name), KV_ERR(&e));
		return false;
	}
	score_set(ctx->score, ctx->slot, SCORE_BUSY);
	call_for_more(ctx, pool, ask);
	ctx->svc->serve(ctx, &client);
	fd_close(&client.fd);
	svc_mark(ctx, NULL);
	svc_tag(ctx, 0);
	svc_still(ctx, 0);
	ctx->score->served++;
	score_set(ctx->score, ctx->slot, SCORE_IDLE);
	return true;
}

/* Several may find this at the same moment and all leave: then the leader starts the missing ones. */
static bool surplus(const struct svc_ctx *ctx, const struct svc_pool *pool)
{
	struct score_counts n = score_count(ctx->score);
	return !is_reserved(ctx) && n.workers > pool->min && n.idle > pool->spare;
}

static bool door_closed(const struct svc_ctx *ctx)
{
	struct pollfd p = { .fd = ctx->door };
	return poll(&p, 1, 0) == 1;
}

/* A worker that was woken for a client takes it, though the door was closed meanwhile: the kernel woke nobody else, and the client
 * would wait in the backlog until another comes. (What woke it is the first that epoll_wait reports, and whoever has been woken is
 * out of the queue of those who may be, so one look is enough.) */
static void serve_all(struct svc_ctx *ctx, const struct svc_pool *pool, int ask, int ep)
{
	for (uint64_t used = 0; used < pool->uses;) {
		uint32_t which;
		if (!next_event(ep, surplus(ctx, pool) ? IDLE_MS : -1, &which)) {
			if (surplus(ctx, pool))
				return;
			continue;
		}
		if (which == DOOR)
			return;
		used += serve_one(ctx, pool, ask, &ctx->listeners[which]);
		if (door_closed(ctx))
			return;
	}
}

/* One descriptor for both reasons to stop waiting for a client. */
static bool watch_turn(struct svc_ctx *ctx, struct err *e)
{
	sigset_t set;
	if (!ctx->svc->turns_out)
		return true;
	sigemptyset(&set);
	sigaddset(&set, SVC_TURN_SIGNAL);
	struct epoll_event ev = { .events = EPOLLIN };
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || (ctx->turn = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
		(ctx->wakes = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(ctx->wakes, EPOLL_CTL_ADD, ctx->turn, &ev) < 0 ||
		epoll_ctl(ctx->wakes, EPOLL_CTL_ADD, ctx->wake, &ev) < 0)
		return err_sys(e, ERR_TEMP, "watch for a turn");
	return true;
}

int worker_run(struct svc_ctx *ctx, const struct svc_pool *pool, int ask)
{
	struct err e;
	err_clear(&e);
	if (!outlive_leader(ctx))
		return 0;
	if (!watch_turn(ctx, &e) || (ctx->svc->worker_init && !ctx->svc->worker_init(ctx, &e)) ||
		!sandbox_enter(ctx->sandbox, &e)) {
		LOG_ERROR("worker-start-failed", KV_ERR(&e));
		return EXIT_TEMP;
	}
	int ep = watch_listeners(ctx, &e);
	if (ep < 0) {
		LOG_ERROR("worker-start-failed", KV_ERR(&e));
		return EXIT_TEMP;
	}
	score_set(ctx->score, ctx->slot, SCORE_IDLE);
	serve_all(ctx, pool, ask, ep);
	score_set(ctx->score, ctx->slot, SCORE_LEAVING);
	return 0;
}
