/* late - results that agents bring over a new channel: queue-mgr was gone when they had delivered, or had given them up.
 *
 * Until we answer, the agent keeps the lock of the file, and tells our successor if we end. So the answer waits until what it says
 * is on disk: the status byte is written, or the file removed, without the lock (DESIGN D4, Locks). Nothing is kept in memory. */
#ifndef QUEUE_LATE_H
#define QUEUE_LATE_H

#include "qmgr.h"

bool late_init(struct qmgr *q, struct err *e);
void late_free(struct qmgr *q);
bool late_start(struct qmgr *q, struct err *e) MUST_CHECK; /* takes channels from now on */
void late_stop(struct qmgr *q);
void late_take(struct qmgr *q, int fd);             /* a channel; fd becomes ours */
void late_ack(struct qmgr *q, const struct msg *m); /* agents hear that what they said of m is on disk, as far as it is */

#endif
