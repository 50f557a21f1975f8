/* logd - takes one packet per event from every daemon and writes the mail log. */
#ifndef LOGD_LOGD_H
#define LOGD_LOGD_H

#include "service/service.h"

/* The callbacks of the service's description. */
bool logd_open(struct svc_ctx *ctx, struct err *e) MUST_CHECK;
bool logd_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e) MUST_CHECK;
void logd_drain(struct svc_ctx *ctx);
void logd_reopen(struct svc_ctx *ctx);
void logd_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served);

#endif
