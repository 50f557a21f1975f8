/* SVC_LOOP: the process itself is the daemon. */
#include "service/own.h"

static void drain(struct svc_ctx *ctx)
{
	if (ctx->svc->drain)
		ctx->svc->drain(ctx);
	else
		ev_stop(ctx->loop);
}

static void load(struct svc_ctx *ctx, struct leader_load *ret)
{
	if (ctx->svc->report)
		ctx->svc->report(ctx, &ret->workers, &ret->busy, &ret->workers_max, &ret->served);
	else
		ret->workers = ret->workers_max = 1;
}

bool loop_run(struct svc_ctx *ctx, struct err *e)
{
	ctx->on_drain = drain;
	ctx->on_load = load;
	/* Into the sandbox first: helpers that start() forks are born in it. */
	if (!orders_open(ctx, e) || !sandbox_enter(ctx->sandbox, e) || !ctx->svc->start(ctx, ctx->loop, e))
		return false;
	orders_ready(ctx);
	ev_run(ctx->loop);
	return true;
}

void svc_done(struct svc_ctx *ctx) { ev_stop(ctx->loop); }
