/* agent - what a worker holds from one order to the next: its resolver, and the connection that may be used again. */
#ifndef REMOTE_AGENT_H
#define REMOTE_AGENT_H

#include "transaction.h"

struct agent {
	const struct cfg *cfg;
	struct ev_loop *loop; /* the resolver's alone */
	struct dns *dns;
	bool probed;
	struct self self;
	struct tls_client *tls;
	struct passwords *passwords;
	struct policy_source *policies;
	struct sts_policy sts; /* of the order in hand */
	int wake;
	struct peer peer; /* kept for the next order, if open */
	bool reached;     /* for the order in hand a host was ready to take mail */
	bool aborted;     /* the service ends: the order in hand was not carried out */
};

/* Every item of o gets its result, unless a->aborted. */
void deliver(struct agent *a, struct order *o);
/* Until when the connection is kept (monotonic); 0: there is none. */
uint64_t agent_idle_end(const struct agent *a);

#endif
