/* deliver - the channels to delivery agents. A slot is one channel, hence one agent process: one delivery at a time, and one more
 * for the same destination waiting in its socket. Slots are opened when needed and kept while there is work. A delivery by
 * remote-delivery takes along the other recipients of its message that have the same destination: one transaction. */
#ifndef QUEUE_DELIVER_H
#define QUEUE_DELIVER_H

#include "qmgr.h"

const char *agent_name(enum lane lane); /* for log lines */

bool deliver_init(struct qmgr *q, struct err *e);
void deliver_free_all(struct qmgr *q);
/* A slot with nothing to do; false: all are busy, or the agent is away. */
bool deliver_free(struct qmgr *q, enum lane lane, unsigned *ret_slot);
/* So few are free that bulk jobs must leave them to others. */
bool deliver_scarce(const struct qmgr *q, enum lane lane);
/* Another free slot, when that had this destination a moment ago: its agent is quicker there. */
unsigned deliver_best(const struct qmgr *q, unsigned slot, uint32_t dest);
/* A busy slot that may take one more, and that: picked from the scheduler. */
bool deliver_ahead(struct qmgr *q, enum lane lane, unsigned *ret_slot, struct pick *ret);
/* r counts against its destination; it becomes SENT, or waits again when the channel was lost. */
void deliver_send(struct qmgr *q, unsigned slot, struct rcpt *r);
/* Agents hear that what they said of m is on disk, as far as it is. */
void deliver_ack(struct qmgr *q, struct msg *m);
void deliver_tick(struct qmgr *q);           /* each second: idle channels are closed, those that never answer too */
unsigned deliver_busy(const struct qmgr *q); /* slots with something to do */

#endif
