/* guard - what one client may take of us: how many connections, how often, how slowly. Strangers alone are measured; rates are
 * shared by all smtpd processes (limit.h). */
#ifndef SMTPD_GUARD_H
#define SMTPD_GUARD_H

#include "limit.h"
#include "session.h"
#include "service/service.h"

struct guard {
	struct limits *limits; /* NULL: nothing is counted */
	const struct cfg *cfg;
	struct svc_ctx *ctx;
	uint64_t client, network; /* limits_client() and limits_network(); 0: not counted */
	bool stranger;            /* from the network, neither trusted nor in unlimited_networks */
};

void guard_start(
	struct guard *g, struct svc_ctx *ctx, const struct cfg *cfg, struct limits *limits, const struct session_client *c);
/* NULL: come in. Else why not, for the client; logged. */
const char *guard_enter(struct guard *g, const struct session_client *c);
/* The same for the account that the session has from now on ("": none any more): connections at once. */
const char *guard_account(struct guard *g, const char *account);
/* As session_ops.allow. */
bool guard_allow(struct guard *g, enum limit_kind what, uint64_t n, const char *account);
/* How long it has to wait for its greeting; 0: not at all. */
uint64_t guard_greet_ms(const struct guard *g);
void guard_waited(struct guard *g); /* it did */

#endif
