/* SVC_POOL: the leader, which forks workers, keeps enough of them idle and replaces those that end. */
#include "service/own.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/wait.h>

#define RAN_WELL_MS 5000 /* a worker that fails sooner makes the leader wait before the next */
#define DELAY_FIRST_MS 200
#define DELAY_MAX_MS 60000
#define STILL_MS 500 /* a client may think so long even when all workers are busy */
#define ROOM_MS 25   /* and then we look again */
#define ROOM_AT_ONCE 16

struct worker {
	struct ev_child child;
	uint64_t started_ms;
	struct pool *pool;
};

struct pool {
	struct svc_ctx *ctx;
	struct svc_pool want;
	struct worker *workers; /* by slot */
	int ask[2];             /* workers write: more, please */
	int life[2];            /* the leader holds the write ends. The end of this: finish what is in hand and end */
	int door[2];            /* the end of this: take no more clients */
	struct ev_io asked;
	struct ev_timer retry;
	struct ev_timer room;     /* to look again who may go */
	bool waiting;             /* for `retry` */
	struct ev_timer patience; /* with sessions that go on after the door is closed */
	bool closed;              /* the door: nothing is started any more */
	uint64_t delay_ms;
};

static void grow(struct pool *p);

/* --- a worker's end ------------------------------------------------------------------------------------------------------- */

static void log_death(const struct pool *p, const struct worker *w, int status)
{
	char call[32] = "";
	sig_atomic_t refused = p->ctx->score->refused[w - p->workers];
	if (refused)
		sandbox_call_name(refused, call);
	if (WIFSIGNALED(status))
		LOG_ERROR("worker-died", KV_U64("worker", (uint64_t)w->child.pid), KV_STR("signal", sigabbrev_np(WTERMSIG(status))),
			KV_STR("refused_call", call));
	else
		LOG_ERROR("worker-died", KV_U64("worker", (uint64_t)w->child.pid), KV_U64("status", (uint64_t)WEXITSTATUS(status)));
}

static void on_retry(struct ev_timer *t, void *arg)
{
	struct pool *p = arg;
	(void)t;
	p->waiting = false;
	grow(p);
}

/* Workers that fail at once would otherwise be forked as fast as they die. */
static void hold_back(struct pool *p)
{
	if (p->waiting)
		return;
	p->delay_ms = p->delay_ms ? MIN(2 * p->delay_ms, DELAY_MAX_MS) : DELAY_FIRST_MS;
	p->waiting = true;
	ev_timer_set(p->ctx->loop, &p->retry, p->delay_ms);
}

static void on_worker_end(struct ev_child *c, int status, void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	bool failed = status != 0 && !p->ctx->ending;
	(void)c;
	if (failed)
		log_death(p, w, status);
	score_clear(p->ctx->score, (unsigned)(w - p->workers));
	p->ctx->score->asked = false; /* it may have been about to write to the pipe */
	if (failed && ev_now_ms(p->ctx->loop) - w->started_ms < RAN_WELL_MS)
		hold_back(p);
	else
		p->delay_ms = 0;
	if (p->closed && score_count(p->ctx->score).workers == 0)
		ev_stop(p->ctx->loop);
	else
		grow(p);
}

/* --- a worker's start ----------------------------------------------------------------------------------------------------- */

/* In the child: nothing of the leader's may stay but what all workers share. */
static void become_worker(struct pool *p, unsigned slot) NORETURN;
static void become_worker(struct pool *p, unsigned slot)
{
	struct svc_ctx *ctx = p->ctx;
	ev_after_fork();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < p->want.max; i++)
		if (p->workers[i].child.active)
			fd_close(&p->workers[i].child.io.fd);
	ev_free(ctx->loop);
	ctx->loop = NULL;
	fd_close(&p->life[1]);
	fd_close(&p->door[1]);
	fd_close(&p->ask[0]);
	fd_close(&ctx->master_fd);
	ctx->wake = p->life[0];
	ctx->door = p->door[0];
	ctx->slot = slot;
	sandbox_note_to(ctx->sandbox, &ctx->score->refused[slot]);
	exit(worker_run(ctx, &p->want, p->ask[1]));
}

static bool spawn(struct pool *p)
{
	struct err e;
	int slot = score_take(p->ctx->score);
	if (slot < 0)
		return false;
	struct worker *w = &p->workers[slot];
	p->ctx->leader = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become_worker(p, (unsigned)slot);
	if (pid < 0) {
		score_clear(p->ctx->score, (unsigned)slot);
		err_sys(&e, ERR_TEMP, "fork");
		LOG_ERROR("fork-failed", KV_ERR(&e));
		hold_back(p);
		return false;
	}
	*w = (struct worker){
		.child = { .pid = pid, .on = on_worker_end, .arg = w }, .started_ms = ev_now_ms(p->ctx->loop), .pool = p
	};
	if (ev_child_watch(p->ctx->loop, &w->child, &e))
		return true;
	LOG_ERROR("fork-failed", KV_ERR(&e));
	kill(pid, SIGKILL);
	return false;
}

static void grow(struct pool *p)
{
	while (!p->closed && !p->waiting) {
		struct score_counts n = score_count(p->ctx->score);
		if (n.workers >= p->want.max || (n.workers >= p->want.min && n.idle >= p->want.spare) || !spawn(p))
			break;
	}
}

/* --- all are busy ---------------------------------------------------------------------------------------------------------- */

/* Workers are kept free for those who come next: the clients that are still for longest have to go. */
static void make_room(struct pool *p)
{
	struct svc_ctx *ctx = p->ctx;
	struct score_counts n = score_count(ctx->score);
	if (!ctx->svc->turns_out || p->closed || n.workers < p->want.max || worker_idle_for_all(ctx, &n) > 0)
		return;
	for (unsigned i = 0; i < ROOM_AT_ONCE; i++) {
		int slot = score_stillest(ctx->score, ev_now_ms(ctx->loop) - STILL_MS);
		if (slot < 0)
			break;
		ctx->score->still_ms[slot] = 0;
		if (p->workers[slot].child.active)
			kill(p->workers[slot].child.pid, SVC_TURN_SIGNAL);
	}
	ev_timer_set(ctx->loop, &p->room, ROOM_MS);
}

static void on_room(struct ev_timer *t, void *arg)
{
	(void)t;
	make_room(arg);
}

static void on_asked(struct ev_io *io, unsigned events, void *arg)
{
	struct pool *p = arg;
	char sink[64];
	(void)events;
	while (read(io->fd, sink, sizeof(sink)) == (ssize_t)sizeof(sink))
		continue;
	p->ctx->score->asked = false;
	grow(p);
	make_room(p);
}

/* --- the pool ------------------------------------------------------------------------------------------------------------- */

/* Workers see the end of the pipe. One in the middle of a session still has its copies of the listeners: when there is no master
 * any more to share them with, the ports are shut for all, so that a new master can have them. */
static void close_door(struct svc_ctx *ctx)
{
	struct pool *p = ctx->model;
	p->closed = true;
	fd_close(&p->door[1]);
	for (size_t i = 0; i < ctx->n_listeners; i++) {
		if (ctx->orphaned && ctx->listeners[i].tcp && ctx->listeners[i].fd >= 0)
			shutdown(ctx->listeners[i].fd, SHUT_RD);
		fd_close(&ctx->listeners[i].fd);
	}
	if (score_count(ctx->score).workers == 0)
		ev_stop(ctx->loop);
}

static void drain(struct svc_ctx *ctx)
{
	struct pool *p = ctx->model;
	ev_timer_clear(ctx->loop, &p->patience);
	fd_close(&p->life[1]);
	close_door(ctx);
}

/* A client in the middle of its commands notices nothing of a reload. Those who stay get half of the time that we have. */
static void retire(struct svc_ctx *ctx)
{
	struct pool *p = ctx->model;
	ev_timer_set(ctx->loop, &p->patience, ctx->cfg->master.stop_timeout * 500);
	close_door(ctx);
}

static void on_impatient(struct ev_timer *t, void *arg)
{
	(void)t;
	orders_drain(arg);
}

static void load(struct svc_ctx *ctx, struct leader_load *ret)
{
	struct pool *p = ctx->model;
	struct score_counts n = score_count(ctx->score);
	*ret = (struct leader_load){
		.workers = n.workers, .busy = n.busy, .workers_max = p->want.max, .served = ctx->score->served
	};
}

/* A minimum above the maximum or no spare worker would stop the pool: the maximum counts, and one is kept. */
static void ask_wanted(struct pool *p)
{
	p->ctx->svc->pool(p->ctx->cfg, &p->want);
	p->want.max = MAX(p->want.max, 1);
	p->want.min = MIN(MAX(p->want.min, 1), p->want.max);
	p->want.spare = MAX(p->want.spare, 1);
	p->want.uses = MAX(p->want.uses, 1);
}

static bool open_pool(struct pool *p, struct err *e)
{
	struct svc_ctx *ctx = p->ctx;
	ask_wanted(p);
	if (pipe2(p->ask, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(p->life, O_CLOEXEC) < 0 || pipe2(p->door, O_CLOEXEC) < 0)
		return err_sys(e, ERR_TEMP, "make a pipe");
	ctx->score = score_new((unsigned)p->want.max, e);
	if (!ctx->score)
		return false;
	p->workers = mem_new(p->want.max * sizeof(*p->workers));
	p->retry = (struct ev_timer){ .on = on_retry, .arg = p };
	p->room = (struct ev_timer){ .on = on_room, .arg = p };
	p->patience = (struct ev_timer){ .on = on_impatient, .arg = ctx };
	p->asked = (struct ev_io){ .fd = p->ask[0], .on = on_asked, .arg = p };
	return orders_open(ctx, e) && ev_add(ctx->loop, &p->asked, EV_READ, e);
}

/* After the limit for a drain. The slots stay taken: nothing is started any more. */
static void end_workers(struct pool *p)
{
	for (size_t i = 0; i < p->want.max; i++)
		if (p->workers[i].child.active)
			kill(p->workers[i].child.pid, SIGKILL);
}

bool pool_run(struct svc_ctx *ctx, struct err *e)
{
	struct pool p = { .ctx = ctx, .ask = { -1, -1 }, .life = { -1, -1 }, .door = { -1, -1 } };
	ctx->model = &p;
	ctx->on_drain = drain;
	ctx->on_retire = retire;
	ctx->on_load = load;
	bool ok = open_pool(&p, e);
	if (ok) {
		grow(&p);
		orders_ready(ctx);
		ev_run(ctx->loop);
		end_workers(&p);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&p.ask[i]);
		fd_close(&p.life[i]);
		fd_close(&p.door[i]);
	}
	score_free(ctx->score);
	ctx->score = NULL;
	free(p.workers);
	return ok;
}
