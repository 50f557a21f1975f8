/* The loop: channels of remote-delivery, each with one question at a time. */
#include "server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "fetch.h"
#include "reporter.h"
#include "service/priv.h"
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DIR_NAME "tls-policy"
#define CHANNELS_MAX 4000
#define FETCHES_MAX 10000
#define FETCHES_AT_ONCE 16
#define TIDY_MS (24 * 3600 * 1000ull)

static struct sv id_key(const uint64_t *id) { return (struct sv){ (const char *)id, sizeof *id }; }

/* --- channels ---------------------------------------------------------------------------------------------------------------- */

static void chan_close(struct chan *c)
{
	struct server *s = c->server;
	policy_forget(c);
	ev_del(s->loop, &c->io);
	fd_close(&c->io.fd);
	hmap_del(s->chans, id_key(&c->id));
	free(c);
}

void chan_answer(struct chan *c, const struct sts_answer *a)
{
	struct err e = { 0 };
	c->server->served++;
	if (ipc_send(c->io.fd, &sts_answer_desc, a, 0, &e))
		return;
	LOG_WARN("channel-failed", KV_ERR(&e));
	shutdown(c->io.fd, SHUT_RDWR); /* closed when the loop sees that: callers still use it */
}

static const struct ipc_rule rules[] = {
	{ &sts_ask_desc, 1, 1, 0, policy_on_ask },
	{ &tls_fact_desc, 1, 1, 0, policy_on_fact },
	{ NULL },
};

static void on_channel(struct ev_io *io, unsigned events, void *arg)
{
	struct chan *c = arg;
	struct server *s = c->server;
	struct err e = { 0 };
	if (c->waits_for) {
		if (events & EV_HUP) /* nobody waits for the answer */
			chan_close(c);
		return;
	}
	if (!ipc_recv(io->fd, &s->packet, 0, &e)) {
		if (e.sys != EAGAIN)
			chan_close(c);
		return;
	}
	if (ipc_dispatch(rules, &c->seen, 1, 1, &s->packet, c, &e))
		return;
	LOG_WARN("channel-refused", KV_STR("peer", "remote-delivery"), KV_ERR(&e));
	chan_close(c);
}

static void on_client(struct ev_io *io, unsigned events, void *arg)
{
	struct server *s = arg;
	struct addr peer;
	struct err e = { 0 };
	int fd;
	(void)events;
	if (!sock_accept(io->fd, &fd, &peer, &e)) {
		if (e.sys != EAGAIN)
			LOG_WARN("accept-failed", KV_ERR(&e));
		return;
	}
	struct chan *c = mem_new(sizeof *c);
	*c = (struct chan){ .server = s, .io = { .fd = fd, .on = on_channel, .arg = c }, .id = ++s->last_id };
	if (hmap_put(s->chans, id_key(&c->id), c) && ev_add(s->loop, &c->io, EV_READ, &e))
		return;
	LOG_WARN("accept-failed", KV_ERR(&e));
	chan_close(c);
}

/* --- start and end ----------------------------------------------------------------------------------------------------------- */

static bool open_dir(struct server *s, char *dst, size_t size, struct err *e)
{
	const char *base = s->cfg->global.state_directory;
	uid_t uid;
	gid_t gid;
	if (snprintf(dst, size, "%s/" DIR_NAME, base) >= (int)size)
		return err_set(e, ERR_PERM, "state_directory is too long");
	int parent = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_sys(e, ERR_PERM, "open state_directory %s", base);
	bool ok = fd_mkdir(parent, DIR_NAME, 0700, &s->dir, e);
	fd_close(&parent);
	if (!ok || svc_unprivileged(s->ctx))
		return ok;
	return priv_lookup(TLS_POLICY_USER, &uid, &gid, e) &&
	       (fchown(s->dir, uid, gid) == 0 || err_sys(e, ERR_PERM, "give %s to " TLS_POLICY_USER, dst));
}

/* Forked while rights are left to choose from: they talk to the Internet, which the loop does not, and see no file of the loop's.
 */
static bool start_reporter(struct server *s, struct err *e)
{
	const struct keeper_options o = { .ask = &report_ask_desc,
		.answer = &report_answer_desc,
		.judge = reporter_judge,
		.broken = reporter_broken,
		.arg = s->setup,
		.at_once = 1,
		.timeout_ms = WEB_TIMEOUT_MS,
		.confine = web_confine };
	return !s->cfg->remote.tls_reports || keeper_start(&o, &s->report_fd, e);
}

static bool start_fetcher(struct server *s, struct err *e)
{
	s->setup = web_setup_new(s->cfg, svc_unprivileged(s->ctx) ? NULL : TLS_POLICY_USER, e);
	const struct keeper_options o = { .ask = &fetch_ask_desc,
		.answer = &fetch_answer_desc,
		.judge = fetch_judge,
		.broken = fetch_broken,
		.arg = s->setup,
		.at_once = FETCHES_AT_ONCE,
		.timeout_ms = WEB_TIMEOUT_MS,
		.confine = web_confine };
	return s->setup && keeper_start(&o, &s->fetch_fd, e);
}

bool tls_policy_pre_drop(struct svc_ctx *ctx, struct err *e)
{
	struct server *s = mem_new(sizeof *s);
	char path[4100];
	*s = (struct server){
		.ctx = ctx, .cfg = svc_cfg(ctx), .packet = IPC_PACKET_INIT, .dir = -1, .fetch_fd = -1, .report_fd = -1
	};
	s->fetcher.io.fd = -1;
	svc_set_data(ctx, s);
	if (!start_fetcher(s, e) || !start_reporter(s, e) || !open_dir(s, path, sizeof path, e))
		return false;
	svc_allow_dir(ctx, s->dir, SB_DIR_READ | SB_DIR_WRITE);
	return true;
}

/* They cannot be made again from here: master starts us anew. */
static void helper_dead(struct server *s)
{
	LOG_ERROR("helper-died");
	ev_timer_set(s->loop, &s->end, 0);
}

static void on_fetcher_dead(void *arg) { helper_dead(arg); }

static void on_tidy(struct ev_timer *t, void *arg)
{
	struct server *s = arg;
	cache_tidy(s->cache, clock_real_secs());
	ev_timer_set(s->loop, t, TIDY_MS);
}

static void on_end(struct ev_timer *t, void *arg)
{
	struct server *s = arg;
	size_t cursor = 0;
	struct sv key;
	void *item;
	(void)t;
	while (hmap_next(s->chans, &cursor, &key, &item))
		chan_close(item);
	ev_timer_clear(s->loop, &s->end);
	ev_timer_clear(s->loop, &s->tidy);
	hmap_free(s->chans, NULL);
	hmap_free(s->fetches, free);
	errands_free(&s->fetcher);
	web_setup_free(s->setup);
	daily_free(s->daily);
	cache_close(s->cache);
	ipc_packet_free(&s->packet);
	fd_close(&s->dir);
	svc_set_data(s->ctx, NULL);
	svc_done(s->ctx);
	free(s);
}

static bool watch_listeners(struct server *s, struct err *e)
{
	const struct svc_listener *first;
	size_t n = svc_listeners(s->ctx, &first);
	for (size_t i = 0; i < n; i++) {
		s->listener[i] = (struct ev_io){ .fd = first[i].fd, .on = on_client, .arg = s };
		if (!ev_add(s->loop, &s->listener[i], EV_READ, e))
			return false;
		s->n_listeners = i + 1;
	}
	return true;
}

bool tls_policy_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	struct server *s = svc_data(ctx);
	char path[4100];
	s->loop = loop;
	s->chans = hmap_new(CHANNELS_MAX);
	s->fetches = hmap_new(FETCHES_MAX);
	s->end = (struct ev_timer){ .on = on_end, .arg = s };
	s->tidy = (struct ev_timer){ .on = on_tidy, .arg = s };
	s->fetcher.ask = &fetch_ask_desc;
	s->fetcher.answer = &fetch_answer_desc;
	s->fetcher.on_answer = policy_on_fetched;
	s->fetcher.on_dead = on_fetcher_dead;
	s->fetcher.arg = s;
	snprintf(path, sizeof path, "%s/" DIR_NAME, s->cfg->global.state_directory);
	s->cache = cache_open(s->dir, path, CACHE_ENTRIES_MAX, e);
	if (!s->cache || !errands_init(&s->fetcher, loop, s->fetch_fd, FETCHES_AT_ONCE, e))
		return false;
	const struct daily_options o = { .cfg = s->cfg,
		.loop = loop,
		.dirfd = s->dir,
		.cache = s->cache,
		.fd = s->report_fd,
		.server = s,
		.on_dead = helper_dead };
	s->daily = daily_new(&o, e);
	if (!s->daily)
		return false;
	ev_timer_set(loop, &s->tidy, 0);
	return watch_listeners(s, e);
}

/* The cache goes to the one that replaces us, and who waits asks it. */
void tls_policy_drain(struct svc_ctx *ctx)
{
	struct server *s = svc_data(ctx);
	for (size_t i = 0; i < s->n_listeners; i++)
		ev_del(s->loop, &s->listener[i]);
	ev_timer_set(s->loop, &s->end, 0);
}

void tls_policy_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	const struct server *s = svc_data(ctx);
	*ret_workers = *ret_max = 1;
	*ret_busy = s ? hmap_len(s->fetches) : 0; /* NULL: ended */
	*ret_served = s ? s->served : 0;
}
