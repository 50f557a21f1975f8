/* finals - the final recipients of the message in progress: each gets one copy, however many ways lead to it. */
#ifndef SMTPD_FINALS_H
#define SMTPD_FINALS_H

#include "params.h"

/* All that one RCPT leads to (of struct resolve_rcpt), or none and why. `orig`: as the client named it, `text` its text. */
bool finals_add(struct session *s, const struct maddr *orig, const char *text, const struct vec *finals,
	const struct rcpt_params *p, struct refusal *r) MUST_CHECK;
/* Is it one of them, in a mailbox of ours? */
bool finals_has_local(const struct session *s, const struct maddr *a);

#endif
