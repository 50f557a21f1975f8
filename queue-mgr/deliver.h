/* deliver - the channels to delivery agents. A slot is one channel, hence one agent process: one delivery at a time, and one more
 * for the same mailbox waiting in its socket. Slots are opened when needed and kept while there is work. */
#ifndef QUEUE_DELIVER_H
#define QUEUE_DELIVER_H

#include "qmgr.h"

struct agent { /* who delivers a class of recipients; without an endpoint nobody does, and `reason` is why */
	uint8_t cls;
	const char *endpoint;
	const char *dsn, *reason;
};
const struct agent *agent_of(uint8_t cls);

bool deliver_init(struct qmgr *q, struct err *e);
void deliver_free_all(struct qmgr *q);
bool deliver_free(struct qmgr *q, unsigned *ret_slot); /* a slot with nothing to do; false: all are busy, or the agent is away */
/* A busy slot that may take one more, and that: picked from the scheduler. */
bool deliver_ahead(struct qmgr *q, unsigned *ret_slot, struct pick *ret);
/* r counts against its destination; it becomes SENT, or waits again when the channel was lost. */
void deliver_send(struct qmgr *q, unsigned slot, struct rcpt *r);
void deliver_tick(struct qmgr *q);           /* each second: idle channels are closed, those that never answer too */
unsigned deliver_busy(const struct qmgr *q); /* slots with something to do */

#endif
