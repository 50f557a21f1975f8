/* hosts - the hosts of a route with their addresses, in the order in which they are to be tried (RFC 5321 5.1, 7505). */
#ifndef REMOTE_HOSTS_H
#define REMOTE_HOSTS_H

#include "base/clock.h"
#include "dns/dns.h"
#include "route.h"

#define HOSTS_MAX 20 /* of an MX list; the rest is left out */
#define ADDRS_MAX 8  /* of one host */

struct host {
	char name[MADDR_DOMAIN_MAX + 1]; /* as the MX record or the route names it; "[192.0.2.1]" for a literal */
	char canonical[DNS_NAME_MAX];    /* where its CNAMEs end (RFC 7672 2.2.2) */
	uint16_t preference;
	bool secure;                 /* name and addresses were validated: DANE may be asked for */
	bool undecided;              /* its addresses could not be looked up now */
	struct addr addr[ADDRS_MAX]; /* IPv6 and IPv4 in turns, IPv6 first (RFC 8305 4) */
	size_t n_addr;
};
struct hosts {
	struct host host[HOSTS_MAX];
	size_t n;
	bool mx;     /* from MX records, not the domain's own addresses */
	bool secure; /* the MX answer was validated */
};

/* Is it this host itself? Then mail sent there would come back. */
struct self {
	const struct cfg *cfg;
	struct addr addr[64]; /* of this host's interfaces */
	size_t n;
};
void self_init(struct self *s, const struct cfg *cfg); /* reads the interfaces: before a sandbox is closed */
bool self_is_name(const struct self *s, const char *host);
bool self_is_addr(const struct self *s, const struct addr *a); /* with its port: something of ours listens there */

/* ERR_PERM: it cannot be delivered (5.1.2, 5.1.10, 5.4.4, 5.4.6); ERR_TEMP: 4.4.3. The text names who answered what. */
bool hosts_find(struct dns *d, const struct self *self, const struct route *r, uint64_t deadline_ms, struct hosts *ret,
	struct err *e) MUST_CHECK;
/* The same from answers at hand: `mx` to a list in order (random among equals). */
bool hosts_of_mx(const struct dns_answer *mx, const char *domain, struct hosts *ret, struct err *e) MUST_CHECK;
/* Drops ourselves and everything no better (RFC 5321 5.1). ERR_PERM 5.4.6: nothing is left. */
bool hosts_drop_self(struct hosts *h, const struct self *self, const char *domain, struct err *e) MUST_CHECK;

#endif
