/* server - what authd's parts share: the loop's state, a channel and its dialogue. */
#ifndef AUTHD_SERVER_H
#define AUTHD_SERVER_H

#include "budget.h"
#include "counters.h"
#include "judge.h"
#include "sasl.h"
#include "service/service.h"
#include "throttle.h"
#include "users.h"

enum { PEER_SMTPD = 1, PEER_CONTROL = 2 };
enum { PH_IDLE = 1, PH_ASKED = 2 /* a challenge is out */, PH_BUSY = 4 /* no question is read now */ };

struct server {
	struct svc_ctx *ctx;
	struct ev_loop *loop;
	const struct cfg *cfg;
	int dir; /* state_directory/auth */
	char path[4100];
	struct users *users; /* NULL: not open; server_users() */
	uint64_t users_failed_ms;
	struct throttle *throttle;
	struct budgets *budgets;
	struct ev_timer save; /* of counters */
	uint64_t saved;       /* `served` at that time */
	bool counters_loaded;
	int pam_fd; /* from pre_drop to start */
	struct pam_rules *pam_rules;
	struct errands pam, hash;
	char no_hash[200]; /* crypt(5) setting that fits no password: what is checked for those who have none */
	struct ipc_packet packet;
	struct ev_io listener[SVC_LISTENERS_MAX];
	size_t n_listeners;
	struct hmap *chans; /* by id */
	uint64_t last_id, served, busy;
	bool draining;
	struct ev_timer end;
};

struct login { /* one AUTH dialogue */
	struct auth_start start;
	struct sasl sasl;
	struct throttle_client client;
	unsigned char binding[3][64];       /* what start has in hex */
	bool known;                         /* SCRAM: the verifier is a true one */
	bool by_pam;                        /* the account is PAM's user, in `account` */
	char claimed[AUTH_ACCOUNT_MAX + 1]; /* who it says it is, without a domain of ours */
	char account[AUTH_ACCOUNT_MAX + 1];
	uint64_t since_ms; /* when the response that decided came */
};

struct chan {
	struct server *server;
	struct ev_io io;
	uint64_t id;
	unsigned peer, phase;
	struct ipc_seen seen;
	struct login *login;   /* NULL: none */
	struct ev_timer later; /* a failure is said then */
};

/* serve.c */
struct users *server_users(struct server *s, struct err *e); /* NULL: not now */
void chan_send(struct chan *c, const struct ipc_desc *d, const void *msg);
void chan_phase(struct chan *c, unsigned phase);
void chan_close(struct chan *c);

/* login.c */
bool login_on_offer(void *chan, void *msg, struct err *e);
bool login_on_start(void *chan, void *msg, struct err *e);
bool login_on_next(void *chan, void *msg, struct err *e);
bool login_on_spend(void *chan, void *msg, struct err *e);
void login_verdict(struct chan *c, const struct auth_verdict *v);
void login_free(struct chan *c);

/* control.c */
bool control_on_user(void *chan, void *msg, struct err *e);

bool authd_pre_drop(struct svc_ctx *ctx, struct err *e);
bool authd_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e);
void authd_drain(struct svc_ctx *ctx);
void authd_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served);

#endif
