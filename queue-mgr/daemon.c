#include "daemon.h"

#include "bouncing.h"
#include "control.h"
#include "deliver.h"
#include "dest.h"
#include "finish.h"
#include "fresh.h"
#include "late.h"
#include "lend.h"
#include "look.h"
#include "recover.h"
#include "retry.h"
#include "sender.h"
#include "space.h"
#include "work.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "service/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define TICK_MS 1000
#define LOCK_MS 100 /* a predecessor still has the queue */
#define DUE_PER_TURN 2000
#define ACCEPT_MAX 64 /* new channels in one turn */
#define REASONS_KEPT 10000
#define WINDOW_START 4 /* deliveries to one mailbox or domain at once, before its feedback */
#define DRAIN_MS 20000 /* answers of agents are waited for */
#define DRAIN_STEP_MS 20
#define FDS_EXTRA 1024

struct daemon {
	struct qmgr q;
	bool strict, no_journal; /* of the queue's file system: pre_drop leaves it for start */
	struct ev_timer tick, due, lock, drain;
	uint64_t drain_end_ms;
	bool said_waiting;
};

uint32_t q_now(void) { return (uint32_t)clock_real_secs(); }

/* --- before the rights are dropped ------------------------------------------------------------------------------------------- */

/* The queue directory may be missing at the first start: only root can make it in /var/spool. */
static bool make_queue(struct svc_ctx *ctx, const char *path, struct err *e)
{
	uid_t uid;
	gid_t gid;
	struct stat st;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, ERR_PERM, "make the queue directory %s", path);
	if (svc_unprivileged(ctx))
		return true;
	if (!priv_lookup("postern-queue", &uid, &gid, e))
		return false;
	if (stat(path, &st) < 0)
		return err_sys(e, ERR_PERM, "look at %s", path);
	if (st.st_uid == 0 && chown(path, uid, gid) < 0)
		return err_sys(e, ERR_PERM, "give %s to postern-queue", path);
	return true;
}

/* Lent files count against the sender's limit until smtpd takes them (DESIGN section 4). */
static void raise_files(const struct cfg *cfg)
{
	struct rlimit r;
	rlim_t want = cfg->smtpd.smtpd_workers_max * 4 + cfg->queue.queue_active_max * 2 + FDS_EXTRA;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_max < want && r.rlim_max != RLIM_INFINITY) {
		struct rlimit more = { want, want };
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0 || (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < want))
		LOG_WARN("few-files", KV_U64("limit", r.rlim_cur), KV_U64("wanted", want));
}

static bool probe(const struct cfg_queue *c, struct spool_dir *d, struct err *e)
{
	char note[300];
	if (!spool_dir_probe(d, note, sizeof(note), e))
		return false;
	if (c->queue_sync != CFG_SYNC_AUTO)
		d->strict = c->queue_sync == CFG_SYNC_STRICT;
	if (note[0] != '\0')
		LOG_WARN("file-system", KV_STR("queue_sync", d->strict ? "strict" : "name-first"), KV_STR("note", note));
	else
		LOG_INFO("file-system", KV_STR("queue_sync", d->strict ? "strict" : "name-first"));
	return true;
}

bool daemon_pre_drop(struct svc_ctx *ctx, struct err *e)
{
	const struct cfg *cfg = svc_cfg(ctx);
	const char *path = cfg->global.queue_directory;
	struct daemon *daemon = mem_new(sizeof(*daemon));
	struct spool_dir d = { .root = -1 };
	struct group *g = getgrnam(cfg->global.admin_group);
	svc_set_data(ctx, daemon);
	sender_load_keys(&daemon->q, cfg);
	daemon->q.admin_gid = g != NULL ? g->gr_gid : (gid_t)-1;
	raise_files(cfg);
	if (!make_queue(ctx, path, e))
		return false;
	d.root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.root < 0)
		return err_sys(e, ERR_PERM, "open the queue directory %s", path);
	if (!probe(&cfg->queue, &d, e))
		return false;
	daemon->strict = d.strict;
	daemon->no_journal = d.no_journal;
	svc_allow_dir(ctx, d.root, SB_DIR_READ | SB_DIR_WRITE); /* stays open until the sandbox is closed */
	return true;
}

/* --- the listeners ---------------------------------------------------------------------------------------------------------- */

static void on_listener(struct ev_io *w, unsigned events, void *arg)
{
	struct q_listener *l = arg;
	struct addr peer;
	struct err e;
	int fd;
	(void)events;
	for (int i = 0; i < ACCEPT_MAX && sock_accept(w->fd, &fd, &peer, &e); i++)
		l->on(l->q, fd);
}

bool q_listen(struct qmgr *q, struct q_listener *l, const char *endpoint, void (*on)(struct qmgr *, int fd), struct err *e)
{
	const struct svc_listener *s = svc_listener(q->svc, endpoint);
	if (s == NULL)
		return err_set(e, ERR_PERM, "no socket %s from master", endpoint);
	*l = (struct q_listener){ .q = q, .watch = { .fd = s->fd, .on = on_listener, .arg = l }, .on = on };
	return ev_add(q->loop, &l->watch, EV_READ, e);
}

/* --- running --------------------------------------------------------------------------------------------------------------- */

/* A clock that is set back must not put off what was planned by the old one. */
static void follow_clock(struct qmgr *q)
{
	uint32_t now = q_now();
	if (now < q->last_now) {
		LOG_WARN("clock-back", KV_U64("secs", q->last_now - now));
		index_due_shift(q->index, q->last_now - now);
	}
	q->last_now = now;
}

/* A million may be due at once, after a long night: a few a turn, while all else goes on. */
static void on_due(struct ev_timer *t, void *arg)
{
	struct qmgr *q = arg;
	uint32_t due, slot, now = q_now();
	int n = 0;
	if (q->draining)
		return;
	for (; n < DUE_PER_TURN && index_due_first(q->index, &due, &slot) && due <= now; n++)
		work_ready(q, slot, RING_RETRY);
	if (n == DUE_PER_TURN)
		ev_timer_set(q->loop, t, 0);
	work_dispatch(q);
}

static void on_tick(struct ev_timer *t, void *arg)
{
	struct daemon *d = arg;
	struct qmgr *q = &d->q;
	ev_timer_set(q->loop, t, TICK_MS);
	deliver_tick(q);
	bouncing_tick(q);
	if (q->draining)
		return;
	fresh_tick(q);
	finish_tick(q);
	lend_tick(q);
	follow_clock(q);
	on_due(&d->due, q);
}

static bool begin(struct qmgr *q, struct err *e)
{
	q->locked = true;
	if (!lend_start(q, e) || !late_start(q, e) || !control_start(q, e))
		return false;
	recover_start(q);
	return true;
}

/* No two queue-mgrs at once: the predecessor finishes first, and nothing of ours waits for it meanwhile. */
static void on_lock(struct ev_timer *t, void *arg)
{
	struct daemon *d = arg;
	struct qmgr *q = &d->q;
	struct err e;
	if (spool_dir_lock(&q->dir, false, &e)) {
		if (!begin(q, &e)) {
			LOG_ERROR("start-failed", KV_ERR(&e));
			svc_done(q->svc);
		}
		return;
	}
	if (!d->said_waiting)
		LOG_INFO("waiting", KV_ERR(&e));
	d->said_waiting = true;
	ev_timer_set(q->loop, t, LOCK_MS);
}

static const struct {
	bool (*init)(struct qmgr *, struct err *);
} parts[] = {
	{ sender_init },
	{ space_init },
	{ look_init },
	{ fresh_init },
	{ deliver_init },
	{ dests_init },
	{ bouncing_init },
	{ late_init },
	{ lend_init },
	{ control_init },
	{ recover_init },
};

static bool init(struct qmgr *q, struct err *e)
{
	unsigned slots = (unsigned)MIN(q->queue->local_slots, q->cfg->local.local_workers_max);
	q->index = index_new(ENTRIES_MAX);
	/* One mailbox may have most of the slots, never all: the last is for others. Twice, as each may have one more waiting. */
	unsigned most = (unsigned)MIN(q->queue->destination_connections_max, MAX(q->cfg->remote.remote_workers_max, 2u) - 1);
	const struct window window[LANE_COUNT] = {
		[LANE_LOCAL] = { MIN(WINDOW_START, MAX(slots, 2u) - 1), 2 * (MAX(slots, 2u) - 1) },
		[LANE_REMOTE] = { (unsigned)MIN(WINDOW_START, most), most },
	};
	q->sched = sched_new(q->index, window);
	q->reasons = reasons_new(REASONS_KEPT);
	q->open = (struct vec)VEC_INIT(struct msg *, 1u << 22);
	q->packet = (struct ipc_packet)IPC_PACKET_INIT;
	for (size_t i = 0; i < COUNT(parts); i++)
		if (!parts[i].init(q, e))
			return false;
	return true;
}

bool daemon_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	const struct cfg *cfg = svc_cfg(ctx);
	struct daemon *d = svc_data(ctx);
	struct qmgr *q = &d->q;
	q->svc = ctx;
	q->loop = loop;
	q->cfg = cfg;
	q->queue = &cfg->queue;
	umask(0007);
	q->io = io_new(loop, cfg->global.queue_directory, (unsigned)cfg->queue.queue_io_helpers, e);
	if (q->io == NULL || !spool_dir_open(cfg->global.queue_directory, true, &q->dir, e))
		return false;
	q->dir.strict = d->strict;
	q->dir.no_journal = d->no_journal;
	if (!init(q, e))
		return false;
	d->tick = (struct ev_timer){ .on = on_tick, .arg = d };
	d->due = (struct ev_timer){ .on = on_due, .arg = q };
	d->lock = (struct ev_timer){ .on = on_lock, .arg = d };
	ev_timer_set(loop, &d->tick, TICK_MS);
	on_lock(&d->lock, d);
	return true;
}

/* --- the end --------------------------------------------------------------------------------------------------------------- */

static void end(struct qmgr *q)
{
	LOG_INFO("drained", KV_U64("deliveries", deliver_busy(q)), KV_U64("queued", index_len(q->index)));
	spool_dir_close(&q->dir); /* the lock: the successor may begin */
	svc_done(q->svc);
}

static void on_drain(struct ev_timer *t, void *arg)
{
	struct daemon *d = arg;
	struct qmgr *q = &d->q;
	bool busy = deliver_busy(q) > 0 || bouncing_busy(q) > 0 || io_busy(q->io) > 0;
	if (busy && ev_now_ms(q->loop) < d->drain_end_ms)
		ev_timer_set(q->loop, t, DRAIN_STEP_MS);
	else
		end(q);
}

/* Nothing new is begun; agents that have something may answer, and what they said is written. What they say later they say to the
 * successor. */
void daemon_drain(struct svc_ctx *ctx)
{
	struct daemon *d = svc_data(ctx);
	struct qmgr *q = &d->q;
	if (q->draining)
		return;
	q->draining = true;
	ev_timer_clear(q->loop, &d->lock);
	if (q->locked) {
		lend_stop(q);
		late_stop(q);
		control_stop(q);
	}
	for (size_t i = q->open.len; i-- > 0;) {
		struct msg *m = *VEC_AT(&q->open, struct msg *, i);
		if (m->dirty > 0)
			finish_msg(q, m);
	}
	d->drain_end_ms = ev_now_ms(q->loop) + DRAIN_MS;
	d->drain = (struct ev_timer){ .on = on_drain, .arg = d };
	ev_timer_set(q->loop, &d->drain, 0);
}

void daemon_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	const struct daemon *d = svc_data(ctx);
	*ret_workers = 1;
	*ret_busy = deliver_busy(&d->q) > 0;
	*ret_max = 1;
	*ret_served = d->q.delivered;
}
