/* worker - a process of the pool: serves one channel of queue-mgr at a time. */
#ifndef BOUNCE_WORKER_H
#define BOUNCE_WORKER_H

#include "service/service.h"

void bounce_serve(struct svc_ctx *ctx, struct svc_client *client);

#endif
