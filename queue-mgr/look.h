/* look - files that cannot be taken yet: their lock is still another's (an smtpd that writes, or an agent of an earlier queue-mgr),
 * or they came without a note and must be synced and checked first. The end of a lock is no event: the list is tried at the end of
 * each channel and every 100 ms. What the disk does not give is said once and tried again after a pause that grows: it stays. */
#ifndef QUEUE_LOOK_H
#define QUEUE_LOOK_H

#include "qmgr.h"

bool look_init(struct qmgr *q, struct err *e);
void look_free(struct qmgr *q);
/* smtpd's note: written, synced, to be closed by now. Taken at once when its lock is free, which is the rule. */
void look_note(struct qmgr *q, const struct spool_id *id, bool hold);
/* A file in new/ that came without its note. Tried at once; empty ones are removed. */
void look_add(struct qmgr *q, const struct spool_id *id);
void look_add_entry(struct qmgr *q, uint32_t slot); /* an entry whose file is locked: IDLE becomes BUSY */
void look_hint(struct qmgr *q);                     /* something ended: try all now */
size_t look_len(const struct qmgr *q);
bool look_full(const struct qmgr *q); /* files that could be taken wait for an io helper: add no more */

#endif
