/* serve - the two endpoints: one message checked per connection, or one training session. */
#ifndef SPAMCHECK_SERVE_H
#define SPAMCHECK_SERVE_H

#include "service/service.h"

bool spamcheck_pre_drop(struct svc_ctx *ctx, struct err *e) MUST_CHECK;
void spamcheck_serve(struct svc_ctx *ctx, struct svc_client *client);
void spamcheck_pool(const struct cfg *cfg, struct svc_pool *ret);

#endif
