/* serve - resolve's channels: who may ask what, questions and answers. */
#ifndef RESOLVE_SERVE_H
#define RESOLVE_SERVE_H

#include "service/service.h"

bool resolve_pre_drop(struct svc_ctx *ctx, struct err *e);
bool resolve_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e);
void resolve_drain(struct svc_ctx *ctx);
void resolve_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served);

#endif
