/* The loop: channels of smtpd and of the tools, each with one question at a time. */
#include "server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/secret.h"
#include "service/priv.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>

#define USER "postern-auth"
#define DIR_NAME "auth"
#define CHANNELS_MAX 12000
#define HANDOVER_MS 3000 /* at a reload the authd before us still has the data base for a moment */
#define AGAIN_MS 2000    /* after a failure to open it */

static struct sv id_key(const uint64_t *id) { return (struct sv){ (const char *)id, sizeof *id }; }

/* --- channels ------------------------------------------------------------------------------------------------------------- */

static void end_when_idle(struct server *s)
{
	if (s->draining && s->busy == 0)
		ev_timer_set(s->loop, &s->end, 0);
}

void chan_close(struct chan *c)
{
	struct server *s = c->server;
	s->busy -= c->phase == PH_BUSY;
	ev_timer_clear(s->loop, &c->later);
	ev_del(s->loop, &c->io);
	fd_close(&c->io.fd);
	hmap_del(s->chans, id_key(&c->id));
	login_free(c);
	free(c);
	end_when_idle(s);
}

/* While it is busy nothing is read from it: its answer is not out. */
void chan_phase(struct chan *c, unsigned phase)
{
	struct server *s = c->server;
	s->busy += phase == PH_BUSY;
	s->busy -= c->phase == PH_BUSY;
	c->phase = phase;
	ev_want(s->loop, &c->io, phase == PH_BUSY ? 0 : EV_READ);
	end_when_idle(s);
}

/* One answer for each question: there is always room for it, or the peer is none of ours. */
void chan_send(struct chan *c, const struct ipc_desc *d, const void *msg)
{
	struct err e = { 0 };
	c->server->served++;
	if (ipc_send(c->io.fd, d, msg, 0, &e))
		return;
	LOG_WARN("channel-failed", KV_ERR(&e));
	shutdown(c->io.fd, SHUT_RDWR); /* it is closed when the loop sees that: callers still use it */
}

static const struct ipc_rule rules[] = {
	{ &auth_offer_desc, PEER_SMTPD, PH_IDLE, 0, login_on_offer },
	{ &auth_start_desc, PEER_SMTPD, PH_IDLE, 0, login_on_start },
	{ &auth_next_desc, PEER_SMTPD, PH_ASKED, 0, login_on_next },
	{ &auth_spend_desc, PEER_SMTPD, PH_IDLE, 0, login_on_spend },
	{ &user_req_desc, PEER_CONTROL, PH_IDLE, 0, control_on_user },
	{ NULL },
};

static void read_question(struct chan *c)
{
	struct server *s = c->server;
	struct err e = { 0 };
	if (!ipc_recv(c->io.fd, &s->packet, 0, &e)) {
		if (e.sys == EAGAIN)
			return;
		chan_close(c);
		return;
	}
	bool ok = ipc_dispatch(rules, &c->seen, c->peer, c->phase, &s->packet, c, &e);
	if (s->packet.bytes.data)
		secret_wipe(s->packet.bytes.data, s->packet.bytes.len); /* a password may be in it */
	if (ok)
		return;
	LOG_WARN("channel-refused", KV_STR("peer", c->peer == PEER_SMTPD ? "smtpd" : "control"), KV_ERR(&e));
	chan_close(c);
}

static void on_channel(struct ev_io *io, unsigned events, void *arg)
{
	struct chan *c = arg;
	(void)io;
	if (c->phase != PH_BUSY)
		read_question(c);
	else if (events & EV_HUP) /* nobody waits for the answer */
		chan_close(c);
}

static void on_client(struct ev_io *io, unsigned events, void *arg)
{
	struct server *s = arg;
	const struct svc_listener *first;
	struct addr peer;
	struct err e = { 0 };
	int fd;
	(void)events;
	if (!sock_accept(io->fd, &fd, &peer, &e)) {
		if (e.sys != EAGAIN)
			LOG_WARN("accept-failed", KV_ERR(&e));
		return;
	}
	svc_listeners(s->ctx, &first);
	bool smtpd = strcmp(first[io - s->listener].name, "authd.smtpd") == 0;
	struct chan *c = mem_new(sizeof *c);
	*c = (struct chan){ .server = s,
		.io = { .fd = fd, .on = on_channel, .arg = c },
		.id = ++s->last_id,
		.peer = smtpd ? PEER_SMTPD : PEER_CONTROL,
		.phase = PH_IDLE };
	if (hmap_put(s->chans, id_key(&c->id), c) && ev_add(s->loop, &c->io, EV_READ, &e))
		return;
	LOG_WARN("accept-failed", KV_ERR(&e));
	chan_close(c);
}

/* --- helpers and data base ------------------------------------------------------------------------------------------------ */

static void on_verdict(void *arg, const void *answer)
{
	struct server *s = arg;
	const struct auth_verdict *v = answer;
	struct chan *c = hmap_get(s->chans, id_key(&v->id));
	if (c && c->phase == PH_BUSY && c->login && !c->later.place)
		login_verdict(c, v);
}

static struct throttle_now right_now(const struct server *s)
{
	return (struct throttle_now){ .ms = ev_now_ms(s->loop), .secs = clock_real_secs() };
}

/* Only who holds the data base: at a reload there are two of us. */
static void save_counters(struct server *s)
{
	struct err e = { 0 };
	if (!s->users || s->saved == s->served)
		return;
	s->saved = s->served;
	if (!counters_save(s->dir, s->throttle, s->budgets, right_now(s), &e))
		LOG_WARN("counters-failed", KV_ERR(&e));
}

static void load_counters(struct server *s)
{
	struct err e = { 0 };
	uint64_t damaged = 0;
	if (s->counters_loaded)
		return;
	s->counters_loaded = true;
	if (!counters_load(s->dir, s->throttle, s->budgets, right_now(s), &damaged, &e))
		LOG_WARN("counters-failed", KV_ERR(&e));
	else if (damaged > 0)
		LOG_WARN("counters-failed", KV_STR("reason", "damaged lines were left out"), KV_U64("lines", damaged));
}

static void on_save(struct ev_timer *t, void *arg)
{
	struct server *s = arg;
	save_counters(s);
	ev_timer_set(s->loop, t, COUNTERS_EVERY_MS);
}

/* One of root's cannot be made again from here: master starts us anew. */
static void on_keeper_dead(void *arg)
{
	struct server *s = arg;
	LOG_ERROR("helper-died");
	save_counters(s);
	svc_done(s->ctx);
}

struct users *server_users(struct server *s, struct err *e)
{
	uint64_t now = ev_now_ms(s->loop);
	if (s->users)
		return s->users;
	if (s->draining || (s->users_failed_ms && now < s->users_failed_ms + AGAIN_MS)) {
		err_set(e, ERR_TEMP, "the user data base is closed");
		return NULL;
	}
	s->users = users_open(s->dir, s->path, HANDOVER_MS, e);
	s->users_failed_ms = s->users ? 0 : now;
	if (s->users)
		load_counters(s);
	return s->users;
}

/* --- start and end -------------------------------------------------------------------------------------------------------- */

static bool open_dir(struct svc_ctx *ctx, struct server *s, struct err *e)
{
	const char *base = svc_cfg(ctx)->global.state_directory;
	uid_t uid;
	gid_t gid;
	if (snprintf(s->path, sizeof s->path, "%s/" DIR_NAME, base) >= (int)sizeof s->path)
		return err_set(e, ERR_PERM, "state_directory is too long");
	int parent = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_sys(e, ERR_PERM, "open state_directory %s", base);
	bool ok = fd_mkdir(parent, DIR_NAME, 0700, &s->dir, e);
	fd_close(&parent);
	if (!ok || svc_unprivileged(ctx))
		return ok;
	if (!priv_lookup(USER, &uid, &gid, e))
		return false;
	return fchown(s->dir, uid, gid) == 0 || err_sys(e, ERR_PERM, "give %s to " USER, s->path);
}

static bool start_pam(struct svc_ctx *ctx, struct server *s, struct err *e)
{
	const struct cfg *cfg = svc_cfg(ctx);
	s->pam_rules = mem_new(sizeof *s->pam_rules);
	*s->pam_rules = (struct pam_rules){ cfg->auth.pam_service, cfg->global.min_uid };
	const struct keeper_options o = { .ask = &auth_ask_desc,
		.answer = &auth_verdict_desc,
		.judge = judge_by_pam,
		.broken = judge_broken,
		.arg = s->pam_rules,
		.at_once = cfg->auth.auth_helpers,
		.timeout_ms = cfg->auth.pam_timeout * 1000,
		.confine = pam_confine };
	return keeper_start(&o, &s->pam_fd, e);
}

bool authd_pre_drop(struct svc_ctx *ctx, struct err *e)
{
	struct server *s = mem_new(sizeof *s);
	const struct cfg *cfg = svc_cfg(ctx);
	*s = (struct server){ .ctx = ctx, .cfg = cfg, .packet = IPC_PACKET_INIT, .dir = -1, .pam_fd = -1 };
	s->pam.io.fd = s->hash.io.fd = -1;
	svc_set_data(ctx, s);
	if (!open_dir(ctx, s, e))
		return false;
	svc_allow_dir(ctx, s->dir, SB_DIR_READ | SB_DIR_WRITE);
	return svc_unprivileged(ctx) || !*cfg->auth.pam_service || start_pam(ctx, s, e);
}

static void on_end(struct ev_timer *t, void *arg)
{
	struct server *s = arg;
	size_t cursor = 0;
	struct sv key;
	void *chan;
	(void)t;
	while (hmap_next(s->chans, &cursor, &key, &chan))
		chan_close(chan);
	ev_timer_clear(s->loop, &s->end);
	ev_timer_clear(s->loop, &s->save);
	hmap_free(s->chans, NULL);
	errands_free(&s->pam);
	errands_free(&s->hash);
	users_close(s->users);
	throttle_free(s->throttle);
	budgets_free(s->budgets);
	ipc_packet_free(&s->packet);
	free(s->pam_rules);
	svc_set_data(s->ctx, NULL);
	svc_done(s->ctx);
	free(s);
}

static bool start_checkers(struct server *s, struct err *e)
{
	const struct cfg_auth *c = &s->cfg->auth;
	const struct keeper_options o = { .ask = &auth_ask_desc,
		.answer = &auth_verdict_desc,
		.judge = judge_by_hash,
		.broken = judge_broken,
		.at_once = c->auth_helpers,
		.timeout_ms = c->pam_timeout * 1000 };
	int fd;
	s->pam = (struct errands){ .io.fd = -1,
		.ask = &auth_ask_desc,
		.answer = &auth_verdict_desc,
		.on_answer = on_verdict,
		.on_dead = on_keeper_dead,
		.arg = s };
	s->hash = s->pam;
	return keeper_start(&o, &fd, e) && errands_init(&s->hash, s->loop, fd, c->auth_helpers, e) &&
	       (s->pam_fd < 0 || errands_init(&s->pam, s->loop, s->pam_fd, c->auth_helpers, e));
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

bool authd_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	struct server *s = svc_data(ctx);
	const struct cfg_auth *c = &s->cfg->auth;
	const struct throttle_limits limits = { c->auth_failure_delay * 1000, c->auth_failures_max, c->auth_lock_time * 1000 };
	struct err why = { 0 };
	s->loop = loop;
	s->chans = hmap_new(CHANNELS_MAX);
	s->throttle = throttle_new(&limits);
	s->budgets = budgets_new(c);
	s->end = (struct ev_timer){ .on = on_end, .arg = s };
	s->save = (struct ev_timer){ .on = on_save, .arg = s };
	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, s->no_hash, sizeof s->no_hash))
		return err_sys(e, ERR_PERM, "the system's crypt(3) knows no yescrypt");
	if (!start_checkers(s, e))
		return false;
	/* Recovery after a crash is done now, not while a client waits. In use by the authd that we replace: later. */
	s->users = users_open(s->dir, s->path, 0, &why);
	if (s->users)
		load_counters(s);
	if (!s->users && why.kind == ERR_PERM)
		LOG_ERROR("users-failed", KV_ERR(&why));
	ev_timer_set(s->loop, &s->save, COUNTERS_EVERY_MS);
	return watch_listeners(s, e);
}

/* The data base goes to the authd that replaces us at once; who is asked for a password now gets its answer from us. */
void authd_drain(struct svc_ctx *ctx)
{
	struct server *s = svc_data(ctx);
	for (size_t i = 0; i < s->n_listeners; i++)
		ev_del(s->loop, &s->listener[i]);
	s->draining = true;
	save_counters(s);
	users_close(s->users);
	s->users = NULL;
	end_when_idle(s);
}

void authd_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	const struct server *s = svc_data(ctx);
	*ret_workers = *ret_max = 1;
	*ret_busy = s ? s->busy : 0; /* NULL: ended */
	*ret_served = s ? s->served : 0;
}
