/* fresh - files that have been in new/ for 5 seconds after their note move to cur/, so that a restart opens few (DESIGN section 2).
 */
#ifndef QUEUE_FRESH_H
#define QUEUE_FRESH_H

#include "qmgr.h"

bool fresh_init(struct qmgr *q, struct err *e);
void fresh_free(struct qmgr *q);
void fresh_add(struct qmgr *q, const struct spool_id *id);
void fresh_tick(struct qmgr *q);

#endif
