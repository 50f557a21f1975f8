#include "worker.h"

#include "checker.h"

#include "base/clock.h"
#include "base/fd.h"

#include <malloc.h>

#define MMAP_FROM (128 * 1024)
#define AUTH_EXTRA_MS 10000   /* beyond a check and the longest delay of a failure: passwords wait in line in authd */
#define RESOLVE_EXTRA_MS 5000 /* beyond `resolve`'s own deadline for one look-up: it answers even when that has passed */

static bool connect_to(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	return svc_connect(arg, endpoint, wait_ms, ret_fd, e);
}

struct worker *worker_new(struct svc_ctx *ctx)
{
	const struct cfg *cfg = svc_cfg(ctx);
	struct worker *w = mem_new(sizeof *w);
	/* Fixed, or glibc would raise it when the first long message is freed, and keep the memory of all later ones. */
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	w->cfg = cfg;
	w->leader = svc_data(ctx);
	w->resolver.link = (struct link){ connect_to, ctx, "resolve.smtpd", -1 };
	w->resolver.wait_ms = cfg->resolve.nss_timeout * 1000 + RESOLVE_EXTRA_MS;
	w->resolver.keep_ms = cfg->resolve.resolve_cache * 1000;
	w->namer.link = (struct link){ connect_to, ctx, "resolve.smtpd", -1 };
	w->namer.keep_ms = cfg->resolve.resolve_cache * 1000;
	w->namer.wait_ms = cfg->smtpd.reverse_dns ? cfg->smtpd.reverse_dns_timeout * 1000 : 0;
	w->lender.link = (struct link){ connect_to, ctx, "queue-mgr.smtpd", -1 };
	w->lender.wait_ms = cfg->smtpd.lend_timeout * 1000;
	w->lender.file = -1;
	w->checker = (struct link){ connect_to, ctx, "spamcheck.smtpd", -1 };
	w->authenticator.link = (struct link){ connect_to, ctx, "authd.smtpd", -1 };
	w->authenticator.wait_ms = (cfg->auth.pam_timeout + 8 * cfg->auth.auth_failure_delay) * 1000 + AUTH_EXTRA_MS;
	return w;
}

static bool op_resolve(void *env, const char *address, bool local_client, struct vec *finals, struct err *e)
{
	struct worker *w = env;
	return resolver_ask(&w->resolver, address, local_client, finals, e);
}

static void op_lend(void *env, bool reserve)
{
	struct worker *w = env;
	lender_ask(&w->lender, reserve);
}

static bool op_lent(void *env, bool reserve, struct spool_id *ret, struct err *e)
{
	struct worker *w = env;
	if (!lender_wait(&w->lender, reserve, e))
		return false;
	*ret = w->lender.id;
	return true;
}

static bool op_stream(void *env, struct sv piece, uint64_t at, struct err *e)
{
	struct worker *w = env;
	return lender_stream(&w->lender, piece, at, e);
}

static bool op_commit(void *env, struct sv header, struct sv body, const struct queue_note *note, struct err *e)
{
	struct worker *w = env;
	return lender_commit(&w->lender, header, body, note, e);
}

static void op_abandon(void *env)
{
	struct worker *w = env;
	lender_abandon(&w->lender);
}

static bool op_check(void *env, struct spam_req *req, struct sv body, struct spam_res *ret, struct err *e)
{
	struct worker *w = env;
	int reader = -1;
	if (req->streamed && !lender_reader(&w->lender, &reader, e))
		return false;
	bool ok = checker_ask(&w->checker, req, body, reader, w->cfg->spam.spam_timeout * 1000, ret, e);
	fd_close(&reader);
	return ok;
}

static bool op_allow(void *env, enum limit_kind what, uint64_t n, const char *account)
{
	struct worker *w = env;
	return guard_allow(&w->guard, what, n, account);
}

static enum map_result op_table(void *env, const char *spec, struct sv key, struct buf *ret_value, struct err *e)
{
	struct worker *w = env;
	return resolver_table(&w->resolver, spec, key, ret_value, e);
}

static bool op_auth_offer(void *env, const struct auth_offer *q, struct auth_offered *ret, struct err *e)
{
	struct worker *w = env;
	return authenticator_offer(&w->authenticator, q, ret, e);
}

static bool op_auth(void *env, const struct auth_start *start, struct sv response, struct auth_answer *ret, struct err *e)
{
	struct worker *w = env;
	return authenticator_ask(&w->authenticator, start, response, ret, e);
}

static void op_auth_cancel(void *env)
{
	struct worker *w = env;
	authenticator_cancel(&w->authenticator);
}

static bool op_spend(void *env, const struct auth_spend *q, struct auth_spent *ret, struct err *e)
{
	struct worker *w = env;
	return authenticator_spend(&w->authenticator, q, ret, e);
}

static uint64_t op_now(void *env)
{
	(void)env;
	return clock_real_secs();
}

static const char *op_client_name(void *env)
{
	struct worker *w = env;
	return namer_name(&w->namer);
}

static const char *op_client_changed(void *env, const struct session_client *c)
{
	struct worker *w = env;
	struct guard *g = &w->guard;
	struct session_client real = *c;
	real.may_xclient = false; /* that is the proxy's right */
	namer_start(&w->namer, &real.addr);
	guard_start(g, g->ctx, g->cfg, g->limits, &real);
	return guard_enter(g, &real);
}

const struct session_ops worker_ops = { op_resolve, op_lend, op_lent, op_stream, op_commit, op_abandon, op_check, op_allow,
	op_table, op_auth_offer, op_auth, op_auth_cancel, op_spend, op_now, op_client_name, op_client_changed };
