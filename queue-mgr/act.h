/* act - what the admin does to one message: hold, release, requeue, delete, flush. The names change at once; the caller syncs the
 * directories before it reports success. */
#ifndef QUEUE_ACT_H
#define QUEUE_ACT_H

#include "qmgr.h"

enum acted {
	ACTED,        /* done */
	ACTED_LATER,  /* others have the message: it is done when they have answered */
	ACTED_NOT,    /* the act does not apply to it (release of what is not held) */
	ACTED_FAILED, /* e says why */
};
/* *dirs gets the io_dir_bit()s of what changed. admin: else it is the message's own sender, who may undo his own hold, and neither
 * the admin's nor one of queue-mgr itself. */
enum acted act_on(struct qmgr *q, uint32_t slot, enum queue_op op, bool admin, uint64_t *dirs, struct err *e);
/* "active", "deferred", "hold", "new": what the listing says of an entry. */
const char *act_status(const struct qmgr *q, uint32_t slot);
const char *act_pending(const struct qmgr *q, uint32_t slot); /* "hold", "delete", "requeue" or "" */

#endif
