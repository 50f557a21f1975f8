/* compose - from a transaction to what is written into its queue file. */
#ifndef SMTPD_COMPOSE_H
#define SMTPD_COMPOSE_H

#include "session.h"

/* What submission owes a local program's message; once, while the beginning of the message is in memory. */
void compose_complete(struct session *s);
/* The header lines that come between our Received line and the message. */
bool compose_added(const struct session *s, struct sv verdict, struct buf *out) MUST_CHECK;
/* Makes txn.header and txn.marks. `verdict`: header lines of the content check; `room`: leave space for them and what was added. */
bool compose_header(struct session *s, struct sv verdict, bool room, struct err *e) MUST_CHECK;
/* Why a message could not be stored, in SMTP's words; logs the true reason. */
void compose_refusal(const struct session *s, const struct err *e, struct refusal *r);
enum spool_trust compose_trust(const struct session *s);

#endif
