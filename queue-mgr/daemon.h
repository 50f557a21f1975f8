/* daemon - queue-mgr's life: start, the wait for the queue's lock, the tick, the end. */
#ifndef QUEUE_DAEMON_H
#define QUEUE_DAEMON_H

#include "service/service.h"

bool daemon_pre_drop(struct svc_ctx *ctx, struct err *e);
bool daemon_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e);
void daemon_drain(struct svc_ctx *ctx);
void daemon_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served);

#endif
