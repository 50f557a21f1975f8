/* worker - a process of the pool: serves one channel of queue-mgr at a time. */
#ifndef REMOTE_WORKER_H
#define REMOTE_WORKER_H

#include "service/service.h"

bool worker_open(struct svc_ctx *ctx, struct err *e);
bool worker_init(struct svc_ctx *ctx, struct err *e);
void worker_serve(struct svc_ctx *ctx, struct svc_client *client);

#endif
