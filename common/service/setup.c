/* From exec to a process without rights. */
#include "service/own.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "net/sock.h"
#include "service/priv.h"

#include <sys/resource.h>

#define FDS_PER_SMTPD 4 /* queue-mgr: a channel, lent files and their readers for each */
#define FDS_OWN 1024

static const struct cfg_listener *section(const struct cfg *c, struct sv name)
{
	for (size_t i = 0; i < c->listeners.len; i++) {
		const struct cfg_listener *l = VEC_AT(&c->listeners, struct cfg_listener, i);
		if (sv_eqs(name, l->name))
			return l;
	}
	return NULL;
}

/* "tcp NAME" is a [listener NAME]; anything else an endpoint of the catalog. */
static bool name_listener(struct svc_ctx *ctx, size_t i, struct sv name, struct err *e)
{
	struct svc_listener *l = &ctx->listeners[i];
	const struct sv tcp = SV("tcp ");
	l->fd = SVC_FD_FIRST_LISTENER + (int)i;
	if (sv_starts(name, tcp)) {
		name = sv_skip(name, tcp.n);
		l->tcp = true;
		l->cfg = section(ctx->cfg, name);
		if (!l->cfg)
			return err_set(e, ERR_PERM, "no [listener] section for descriptor %d", l->fd);
	}
	if (!sv_copy(name, l->name, sizeof(l->name)))
		return err_set(e, ERR_PERM, "the name of descriptor %d is too long", l->fd);
	return fd_cloexec(l->fd, true, e) && fd_nonblock(l->fd, true, e);
}

bool svc_inherit(struct svc_ctx *ctx, size_t n_listeners, struct err *e)
{
	for (int fd = SVC_FD_CONFIG; fd < SVC_FD_FIRST_LISTENER; fd++)
		if (!fd_cloexec(fd, true, e))
			return false;
	ctx->master_fd = SVC_FD_MASTER;
	ctx->rundir = SVC_FD_RUNDIR;
	int config = SVC_FD_CONFIG;
	ctx->cfg = cfg_from_snapshot(config, e);
	fd_close(&config);
	if (!ctx->cfg)
		return false;
	if (!num_u64(sv_of(getenv("POSTERN_REPLACES")), 0, INT64_MAX, &ctx->replaces))
		ctx->replaces = 0;
	struct sv names = sv_of(getenv("POSTERN_LISTEN")), name;
	for (ctx->n_listeners = 0; ctx->n_listeners < n_listeners; ctx->n_listeners++)
		if (!sv_cut(&names, '\n', &name) || !name_listener(ctx, ctx->n_listeners, name, e))
			return err_set(e, ERR_PERM, "POSTERN_LISTEN does not name %zu descriptors", n_listeners);
	return true;
}

/* Queue files in flight to smtpd count against queue-mgr's limit (ETOOMANYREFS), channels of all workers against each loop's. */
static void raise_fd_limit(const struct cfg *c)
{
	struct rlimit now;
	rlim_t want = FDS_PER_SMTPD * c->smtpd.smtpd_workers_max + FDS_OWN;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur >= want)
		return;
	now.rlim_cur = MIN(want, now.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur < want)
		LOG_WARN("fd-limit", KV_U64("limit", now.rlim_cur), KV_U64("wanted", want));
}

static bool change_identity(struct svc_ctx *ctx, struct err *e)
{
	if (ctx->cfg->unprivileged)
		return true;
	if (ctx->svc->user)
		return priv_become(ctx->svc->user, e);
	return priv_limit_caps(ctx->svc->caps, e);
}

bool svc_give_up_rights(struct svc_ctx *ctx, struct err *e)
{
	tzset(); /* reads /etc/localtime while it can */
	if (ctx->svc->model == SVC_LOOP)
		raise_fd_limit(ctx->cfg);
	sandbox_facilities(ctx->facilities, sizeof(ctx->facilities));
	ctx->sandbox = sandbox_new(ctx->svc->sandbox, e);
	if (!ctx->sandbox)
		return false;
	if (ctx->svc->pre_drop && !ctx->svc->pre_drop(ctx, e))
		return false;
	return change_identity(ctx, e) && priv_no_new_privs(e) && sandbox_prepare(ctx->sandbox, e);
}
