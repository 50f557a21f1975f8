/* recover - what lies in the queue at a start: names are read a few thousand at a turn, while mail is accepted and delivered
 * already. Only new/ and tmp/ are opened, which hold seconds of traffic. docs/QUEUE.md has the rules. */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

#include "qmgr.h"

bool recover_init(struct qmgr *q, struct err *e);
void recover_free(struct qmgr *q);
void recover_start(struct qmgr *q); /* the queue is ours: goes on by itself */
bool recover_busy(const struct qmgr *q);

#endif
