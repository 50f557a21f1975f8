/* rules - the configuration in the form in which an address asks for it. Made once, never changed. */
#ifndef RESOLVE_RULES_H
#define RESOLVE_RULES_H

#include "base/hmap.h"
#include "config/cfg.h"
#include "mail/maddr.h"

struct local_domain {
	int users;             /* enum cfg_users */
	const char *catch_all; /* "" for none */
	char name[MADDR_DOMAIN_MAX + 1];
};

/* A domain with a [relay] section, or several for different senders. Which one a message takes remote-delivery decides. */
struct relayed_domain {
	const char *route; /* next hop of the section for all senders; "" none */
	bool anyone;       /* accept_from = anyone: mail for it is taken from strangers */
};

struct rules {
	const struct cfg *cfg;
	struct hmap *locals;     /* of struct local_domain */
	struct hmap *relays;     /* of struct relayed_domain */
	const char *other_route; /* of a [relay] with `*` for all senders; "" none */
	struct local_domain any; /* where an address is local although its domain is not: postmaster at an address literal */
	const char *home_domain; /* of names without a domain in aliases: origin, if it is ours, else the first that is */
};

/* `cfg` must live as long. ERR_PERM: a domain that is none. */
struct rules *rules_new(const struct cfg *cfg, struct err *e);
void rules_free(struct rules *r);
/* NULL: not ours. An internationalised domain of *a becomes its A-label form when it is. */
const struct local_domain *rules_local(const struct rules *r, struct maddr *a);
/* For a domain that is not ours. */
struct relayed_domain rules_relay(const struct rules *r, const struct maddr *a);

#endif
