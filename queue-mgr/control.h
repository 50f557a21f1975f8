/* control - the admin's socket: `postern queue` (ipc/msg_control.h). Root and members of admin_group may do everything, others see
 * and act on what they submitted themselves. A request walks the index a few files a turn: nothing here blocks the queue. */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "qmgr.h"

bool control_init(struct qmgr *q, struct err *e);
void control_free(struct qmgr *q);
bool control_start(struct qmgr *q, struct err *e) MUST_CHECK;
void control_stop(struct qmgr *q);

#endif
