/* late - a delivery agent's result whose queue-mgr is gone is told to the next one (DESIGN section 2, Locks).
 *
 * While this goes on the caller holds queue-mgr's locked description, so that a new queue-mgr does not deliver again; it answers
 * when it knows. */
#ifndef SERVICE_LATE_H
#define SERVICE_LATE_H

#include "ipc/msg_queue.h"
#include "service/service.h"

#define LATE_ANSWER_MS 10000 /* how long queue-mgr may take to accept one packet */
/* Blocks for up to a minute per result; `why` the channel was lost. Logs `late-report` or `report-lost`. */
void late_report(struct svc_ctx *ctx, const char *endpoint, const struct deliver_res *res, const struct err *why);

#endif
