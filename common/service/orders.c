/* A leader and its master: ready, orders, load; and the end of either. */
#include "service/own.h"
#include "base/fd.h"
#include "base/log.h"

#define READY_WAIT_MS 5000

static void on_deadline(struct ev_timer *t, void *arg)
{
	struct svc_ctx *ctx = arg;
	(void)t;
	LOG_WARN("drain-timeout", KV_U64("seconds", ctx->cfg->master.stop_timeout));
	ev_stop(ctx->loop);
}

void orders_drain(struct svc_ctx *ctx)
{
	if (ctx->ending)
		return;
	ctx->ending = true;
	ev_timer_set(ctx->loop, &ctx->deadline, ctx->cfg->master.stop_timeout * 1000);
	ctx->on_drain(ctx);
}

static void retire(struct svc_ctx *ctx)
{
	if (!ctx->on_retire)
		orders_drain(ctx);
	else if (!ctx->ending)
		ctx->on_retire(ctx);
}

static void send_load(struct svc_ctx *ctx)
{
	struct leader_load load = { 0 };
	struct err e;
	ctx->on_load(ctx, &load);
	if (!ipc_send(ctx->master_fd, &leader_load_desc, &load, 0, &e))
		LOG_DEBUG("load-unsent", KV_ERR(&e)); /* master asks again */
}

static void obey(struct svc_ctx *ctx, uint64_t order)
{
	switch ((enum leader_order)order) {
	case ORDER_DRAIN:
		orders_drain(ctx);
		break;
	case ORDER_REOPEN:
		if (ctx->svc->reopen)
			ctx->svc->reopen(ctx);
		break;
	case ORDER_LOAD:
		send_load(ctx);
		break;
	case ORDER_RETIRE:
		retire(ctx);
		break;
	}
}

static void on_order(struct ev_io *io, unsigned events, void *arg)
{
	struct svc_ctx *ctx = arg;
	struct leader_do order;
	struct err e;
	(void)events;
	if (ipc_recv_msg(io->fd, &leader_do_desc, &order, 0, &e)) {
		obey(ctx, order.order);
		return;
	}
	if (e.kind == ERR_TEMP)
		return;
	/* Master is gone, and with it the only one who would start another: finish and end. */
	ev_del(ctx->loop, io);
	fd_close(&ctx->master_fd);
	ctx->orphaned = true;
	LOG_INFO("master-gone");
	orders_drain(ctx);
}

static void on_term(int signo, void *arg)
{
	(void)signo;
	orders_drain(arg);
}

bool orders_open(struct svc_ctx *ctx, struct err *e)
{
	ctx->loop = ev_new(e);
	if (!ctx->loop)
		return false;
	ctx->deadline = (struct ev_timer){ .on = on_deadline, .arg = ctx };
	ctx->orders = (struct ev_io){ .fd = ctx->master_fd, .on = on_order, .arg = ctx };
	return ev_signal(ctx->loop, SIGTERM, on_term, ctx, e) && ev_add(ctx->loop, &ctx->orders, EV_READ, e);
}

void orders_ready(struct svc_ctx *ctx)
{
	struct leader_ready ready = { .ok = 1 };
	struct err e;
	LOG_INFO("started", KV_STR("version", POSTERN_VERSION), KV_U64("generation", ctx->cfg->generation),
		KV_STR("unprivileged", ctx->cfg->unprivileged ? "yes" : "no"), KV_STR("sandbox", ctx->facilities));
	if (!ipc_send(ctx->master_fd, &leader_ready_desc, &ready, READY_WAIT_MS, &e))
		LOG_WARN("ready-unsent", KV_ERR(&e)); /* the channel's end will be seen by the loop */
}

void orders_failed(struct svc_ctx *ctx, const struct err *e)
{
	struct leader_ready ready = { .ok = 0 };
	LOG_ERROR("start-failed", KV_ERR(e));
	snprintf(ready.text, sizeof(ready.text), "%s", e->text);
	if (!ipc_send(ctx->master_fd, &leader_ready_desc, &ready, READY_WAIT_MS, NULL))
		LOG_WARN("ready-unsent");
}
