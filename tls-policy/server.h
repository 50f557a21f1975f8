/* server - what tls-policy's parts share: the loop's state, a channel, the domains that are being asked for. */
#ifndef TLS_POLICY_SERVER_H
#define TLS_POLICY_SERVER_H

#include "base/hmap.h"
#include "base/log.h"
#include "cache.h"
#include "daily.h"
#include "ipc/msg_tls.h"
#include "service/keeper.h"
#include "service/service.h"

#define TLS_POLICY_USER "postern-tls"

struct server {
	struct svc_ctx *ctx;
	struct ev_loop *loop;
	const struct cfg *cfg;
	int dir;      /* state_directory/tls-policy */
	int fetch_fd; /* from pre_drop to start */
	struct web_setup *setup;
	struct cache *cache;
	struct daily *daily;
	int report_fd;        /* from pre_drop to start */
	struct log_rate rate; /* of sts-failed */
	struct errands fetcher;
	struct ipc_packet packet;
	struct ev_io listener[SVC_LISTENERS_MAX];
	size_t n_listeners;
	struct hmap *chans;   /* by id */
	struct hmap *fetches; /* by domain */
	uint64_t last_id, served;
	struct ev_timer end, tidy;
};

struct chan {
	struct server *server;
	struct ev_io io;
	uint64_t id;
	struct ipc_seen seen;
	struct chan *next; /* of those that wait for the same domain */
	struct fetch *waits_for;
};

struct fetch { /* a domain whose policy is on its way */
	uint64_t id;
	char domain[TLS_DOMAIN_MAX + 1];
	struct chan *first;
};

/* policy.c: what is known, and how it becomes known */
bool policy_on_ask(void *chan, void *msg, struct err *e);
bool policy_on_fact(void *chan, void *msg, struct err *e);
void policy_on_fetched(void *server, const void *answer);
void policy_forget(struct chan *c); /* the channel ends: it waits no longer */

bool tls_policy_pre_drop(struct svc_ctx *ctx, struct err *e);
bool tls_policy_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e);
void tls_policy_drain(struct svc_ctx *ctx);
void tls_policy_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served);

/* serve.c */
void chan_answer(struct chan *c, const struct sts_answer *a);

#endif
