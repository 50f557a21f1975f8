/* sender - with which envelope sender a message goes to one recipient: its own, but for mail that an alias sends on to another host
 * (SRS, mail/srs.h),
 * and for mail that was submitted with XVERP (mail/verp.h). */
#ifndef QUEUE_SENDER_H
#define QUEUE_SENDER_H

#include "qmgr.h"

/* As root: who else could read the keys could make us send mail on. Without them senders stay as they are. */
void sender_load_keys(struct qmgr *q, const struct cfg *cfg);
bool sender_init(struct qmgr *q, struct err *e) MUST_CHECK;
void sender_free(struct qmgr *q);
/* Whom a report about this recipient goes to, of a message with XVERP. */
void sender_of_report(const struct rcpt *r, char dst[ADDRESS_MAX + 1]);
void sender_of(const struct qmgr *q, const struct rcpt *r, char dst[ADDRESS_MAX + 1]); /* "" is the null sender */

#endif
