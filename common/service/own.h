/* own - the running service, shared by the files of service/ and private to them. */
#ifndef SERVICE_OWN_H
#define SERVICE_OWN_H

#include "ipc/msg_control.h"
#include "service/score.h"
#include "service/service.h"

#define SVC_TURN_SIGNAL SIGUSR1

struct svc_ctx {
	const struct svc *svc;
	struct cfg *cfg;
	void *data;
	struct svc_listener listeners[SVC_LISTENERS_MAX];
	size_t n_listeners;
	int master_fd, rundir;
	uint64_t replaces;
	struct sandbox *sandbox;
	char facilities[64]; /* of the kernel; asked before the sandbox closes */

	/* the leader's (SVC_LOOP: the daemon's) */
	struct ev_loop *loop;
	struct ev_io orders;      /* master's channel */
	struct ev_timer deadline; /* of a drain */
	bool ending, orphaned;
	void (*on_drain)(struct svc_ctx *);  /* the model's part of it */
	void (*on_retire)(struct svc_ctx *); /* NULL: the same */
	void (*on_load)(struct svc_ctx *, struct leader_load *ret);
	void *model; /* of the model */

	/* a worker's */
	struct score *score;
	unsigned slot;
	pid_t leader;
	int wake;  /* the leader's pipe; -1 elsewhere */
	int door;  /* another: no more clients */
	int turn;  /* SVC_TURN_SIGNAL, as a descriptor: its client has to go; -1: never */
	int wakes; /* both wake and turn, an epoll set; -1: wake alone */
};

/* setup.c: what master passed on, then everything up to the model's own part. */
bool svc_inherit(struct svc_ctx *ctx, size_t n_listeners, struct err *e) MUST_CHECK;
bool svc_give_up_rights(struct svc_ctx *ctx, struct err *e) MUST_CHECK;

/* orders.c: the loop, signals and master's channel, alike in both models. */
bool orders_open(struct svc_ctx *ctx, struct err *e) MUST_CHECK;
void orders_ready(struct svc_ctx *ctx);                       /* logs `started`, tells master */
void orders_failed(struct svc_ctx *ctx, const struct err *e); /* logs and tells why it cannot start */
void orders_drain(struct svc_ctx *ctx);                       /* once; later calls do nothing */

bool pool_run(struct svc_ctx *ctx, struct err *e) MUST_CHECK; /* pool.c: false: could not start */
bool loop_run(struct svc_ctx *ctx, struct err *e) MUST_CHECK; /* loop.c */

/* worker.c: serves clients until it is used up or told to end; the result is the exit status. `ask` is the pipe that calls for
 * more. */
int worker_run(struct svc_ctx *ctx, const struct svc_pool *pool, int ask);
/* Idle workers that anybody may have: without the reserved one. */
unsigned worker_idle_for_all(const struct svc_ctx *ctx, const struct score_counts *n);

#endif
