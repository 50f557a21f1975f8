/* bouncing - asks the bounce service to write reports and waits for their 250. A few at once; the others wait their turn, open. */
#ifndef QUEUE_BOUNCING_H
#define QUEUE_BOUNCING_H

#include "qmgr.h"

bool bouncing_init(struct qmgr *q, struct err *e);
void bouncing_free(struct qmgr *q);
/* About the FAILED recipients (kinds FAILED, DOUBLE) or the DEFERRED ones (DELAYED). m->asked until finish_reported(). */
void bouncing_ask(struct qmgr *q, struct msg *m, enum bounce_kind kind);
void bouncing_tick(struct qmgr *q);
unsigned bouncing_busy(const struct qmgr *q); /* reports on their way */

#endif
