/* rules - the [rule NAME] sections: who may do what. In the order of the file, at the earliest point where the answer is certain.
 *
 * A condition is known from some stage on; before that a rule that would otherwise hold may still hold, and so nothing behind an
 * `accept` or `relay` of that kind is decided either. Nothing is remembered between stages: each judges the list from its start. */
#ifndef SMTPD_RULES_H
#define SMTPD_RULES_H

#include "session.h"

void rules_init(struct session *s);

enum rules_stage { RULES_CONNECT, RULES_HELO, RULES_MAIL, RULES_RCPT };

/* Before there is a recipient: may the client go on? false: *r says why not. `sender` from RULES_MAIL on. */
bool rules_pass(struct session *s, enum rules_stage stage, const struct maddr *sender, struct refusal *r) MUST_CHECK;

struct rules_effect {         /* on one recipient */
	const char *redirect; /* who gets the mail instead; NULL: nobody */
	bool relay;           /* it may go anywhere */
	struct vec hits;      /* of const struct cfg_rule *: what has held, in order */
};
/* The same for a recipient. Mail to our postmaster is neither refused nor held here (RFC 5321 4.5.1). rules_effect_free() in any
 * case. */
bool rules_recipient(struct session *s, const struct maddr *to, struct rules_effect *ret, struct refusal *r) MUST_CHECK;
void rules_effect_free(struct rules_effect *f);
/* The recipient is taken: what the rules do to the message is noted in its transaction, and logged. false: too many rules. */
bool rules_note(struct session *s, const char *to, const struct rules_effect *f, struct refusal *r) MUST_CHECK;

bool rules_hold(const struct session *s);                     /* the message waits for an admin */
void rules_headers(const struct session *s, struct buf *out); /* of `tag` */

#define RULES_NOTED_MAX 32                        /* rules that change one message */
#define RULES_HEADERS_MAX (RULES_NOTED_MAX * 280) /* bytes of their header lines */

#endif
