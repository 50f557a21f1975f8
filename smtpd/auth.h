/* auth - what AUTH offers in this session, and what an authenticated client may do. No I/O. */
#ifndef SMTPD_AUTH_H
#define SMTPD_AUTH_H

#include "session.h"

/* At EHLO: asks what is worth offering. */
void auth_look(struct session *s);
bool auth_works(const struct session *s);                       /* EHLO shows it */
void auth_mechanisms(const struct session *s, struct buf *out); /* " PLAIN LOGIN" */
/* In PH_AUTH: a line that answers a challenge. */
void auth_response(struct session *s, struct sv line, struct buf *reply);
/* The dialogue, if there is one, ends without an answer. */
void auth_abort(struct session *s);

/* owner.c: is the address the account's own (RFC 6409 6.1)? */
bool owner_of_sender(struct session *s, const struct maddr *from, struct refusal *r);
bool owner_of_header(struct session *s, struct sv message, struct refusal *r); /* each address in From */
/* One more recipient: has the account used up its budget? */
bool budget_allows(struct session *s, struct refusal *r);

#endif
