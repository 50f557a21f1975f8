/* worker - what one smtpd process keeps from client to client, and the session's environment made of it. */
#ifndef SMTPD_WORKER_H
#define SMTPD_WORKER_H

#include "authenticator.h"
#include "guard.h"
#include "keys.h"
#include "lender.h"
#include "namer.h"
#include "resolver.h"
#include "session.h"
#include "service/service.h"

/* What the leader made before it gave up its rights; its workers share it. */
struct leader {
	struct limits *limits;
	struct keys keys;
};

struct worker {
	const struct cfg *cfg;
	struct resolver resolver;
	struct namer namer;
	struct lender lender;
	struct link checker;
	struct authenticator authenticator;
	struct leader *leader;
	struct guard guard; /* of the client in hand */
};

struct worker *worker_new(struct svc_ctx *ctx);
extern const struct session_ops worker_ops; /* their env is a struct worker */

void serve_client(struct svc_ctx *ctx, struct svc_client *client); /* serve.c */

#endif
