/* content - the bytes of a message, from DATA or BDAT, on their way into memory or the lent file. */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include "session.h"

/* A queue file for the message that begins. */
bool content_begin(struct session *s, enum smtp_form form, struct refusal *r) MUST_CHECK;
/* Takes bytes of it until they are used up or it ended; returns how many. What is wrong with it is then in txn.problem. */
size_t content_feed(struct session *s, struct sv in);
void content_end(struct session *s);  /* the last chunk was there */
void content_drop(struct session *s); /* the message will not be taken: from here on nothing of it is kept */

#endif
