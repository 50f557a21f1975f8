/* verp - variable envelope return paths: a sender for each recipient, so that a report says by its own address whom it is about.
 *
 *   list-owner@example.org and al@example.net with "+=": list-owner+al=example.net@example.org
 *
 * The form is that of Postfix and ezmlm, which list managers read. Pure. */
#ifndef MAIL_VERP_H
#define MAIL_VERP_H

#include "mail/maddr.h"

#define VERP_DELIMITERS "+="

bool verp_delimiters_ok(struct sv delimiters); /* two of - + = */
/* False: the sender stays as it is (the null sender, a recipient without a domain, one that would become too long). */
bool verp_sender(const struct maddr *sender, const struct maddr *rcpt, const char *delimiters, struct maddr *ret) MUST_CHECK;

#endif
