/* finish - what becomes of a message when no agent has it any more: gone, postponed, returned to its sender, held. */
#ifndef QUEUE_FINISH_H
#define QUEUE_FINISH_H

#include "qmgr.h"

/* Goes as far as it can now. Does nothing while recipients wait or are sent, or something is asked for it: the answer calls again.
 */
void finish_msg(struct qmgr *q, struct msg *m);
/* What became of a report (bouncing.c). */
enum reported { REPORTED, REPORT_REFUSED, REPORT_LATER };
void finish_reported(struct qmgr *q, struct msg *m, enum reported how, const char *text);
/* Its sender may be told that all is well, or not yet: not the null sender, and no stranger whom failures are not told either. */
bool finish_may_tell(const struct qmgr *q, const struct msg *m);
/* It may be tried now: not before its release (RFC 4865), not after the time after which it is to be returned (RFC 2852). */
bool finish_in_time(const struct msg *m);
uint64_t finish_expires(const struct qmgr *q, const struct msg *m); /* the time of the attempt after which it is returned */
/* Status bytes that are not on disk yet are written, whatever else goes on with the message. */
void finish_mark(struct qmgr *q, struct msg *m);
void finish_tick(struct qmgr *q); /* each second: marks of long deliveries */

#endif
