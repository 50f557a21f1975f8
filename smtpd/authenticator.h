/* authenticator - smtpd's side of the talk with authd: one AUTH dialogue at a time, and what an account may still send. */
#ifndef SMTPD_AUTHENTICATOR_H
#define SMTPD_AUTHENTICATOR_H

#include "link.h"
#include "ipc/msg_auth.h"

struct authenticator {
	struct link link;
	uint64_t wait_ms; /* authd answers a failure late */
};

/* As session_ops.auth_offer, which authd answers at once: after seconds without an answer it is taken for dead. */
bool authenticator_offer(struct authenticator *a, const struct auth_offer *q, struct auth_offered *ret, struct err *e) MUST_CHECK;
/* As session_ops.auth, auth_cancel and spend. A link that ended since the last question (authd was restarted) is made anew once. */
bool authenticator_ask(struct authenticator *a, const struct auth_start *start, struct sv response, struct auth_answer *ret,
	struct err *e) MUST_CHECK;
void authenticator_cancel(struct authenticator *a);
bool authenticator_spend(struct authenticator *a, const struct auth_spend *q, struct auth_spent *ret, struct err *e) MUST_CHECK;

#endif
