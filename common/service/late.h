/* late - a delivery agent's result whose queue-mgr is gone is told to the next one (DESIGN section 2, Locks).
 *
 * While this goes on the caller holds queue-mgr's locked description, so that a new queue-mgr does not deliver again; it answers
 * when it knows. */
#ifndef SERVICE_LATE_H
#define SERVICE_LATE_H

#include "base/vec.h"
#include "ipc/msg_queue.h"
#include "service/service.h"

#define LATE_ANSWER_MS 10000 /* how long queue-mgr may take to accept one packet */
/* Blocks for up to a minute per result; `why` the channel was lost. Logs `late-report` or `report-lost`. */
void late_report(struct svc_ctx *ctx, const char *endpoint, const struct deliver_res *res, const struct err *why);

/* Answers that were sent and may not have been heard: queue-mgr can die with one in its socket. Each keeps its file, for the lock,
 * until deliver_ack comes. For agents that cannot look for what they have done. */
#define LATE_UNHEARD_MAX 256 /* beyond, the oldest is taken for heard */
struct late_unheard {
	struct vec answers; /* in the order in which they were sent */
};
void late_unheard_init(struct late_unheard *u);
void late_unheard_add(struct late_unheard *u, const struct deliver_res *res, int *file); /* takes the file: -1 */
void late_unheard_ack(struct late_unheard *u, const struct deliver_ack *a);
/* At the channel's end. `tell`: it was queue-mgr that ended, and its successor is to know; else they are forgotten. */
void late_unheard_end(struct late_unheard *u, struct svc_ctx *ctx, const char *endpoint, bool tell);

#endif
