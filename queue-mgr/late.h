/* late - results that agents bring over a new channel: queue-mgr was gone when they had delivered. What was delivered is remembered
 * by id until the message is opened, so that it is not delivered again (DESIGN D4, Locks). */
#ifndef QUEUE_LATE_H
#define QUEUE_LATE_H

#include "qmgr.h"

bool late_init(struct qmgr *q, struct err *e);
void late_free(struct qmgr *q);
bool late_start(struct qmgr *q, struct err *e) MUST_CHECK; /* takes channels from now on */
void late_stop(struct qmgr *q);
bool late_known(const struct qmgr *q, const struct spool_id *id); /* something is remembered of it: it is to be opened soon */
void late_apply(struct qmgr *q, struct msg *m);                   /* a message was opened: what is known of it */

#endif
