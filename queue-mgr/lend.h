/* lend - smtpd's channels: queue files are made, lent, and taken back with a note (DESIGN D5). A file is lent empty, its
 * description locked by the borrower's copy; the end of the channel makes queue-mgr look at what it had lent. */
#ifndef QUEUE_LEND_H
#define QUEUE_LEND_H

#include "qmgr.h"

bool lend_init(struct qmgr *q, struct err *e);
void lend_free(struct qmgr *q);
bool lend_start(struct qmgr *q, struct err *e) MUST_CHECK; /* the queue is ours: channels are taken from now on */
void lend_stop(struct qmgr *q);                            /* no new channels; the open ones are closed */
void lend_tick(struct qmgr *q);                            /* each second: files made ahead and not asked for are removed */
void lend_channel(struct qmgr *q, int fd);                 /* a new channel of smtpd; fd becomes ours */
size_t lend_channels(const struct qmgr *q);

#endif
