/* secure - what the connection to one host must be before it gets the message: the route's wish, DANE, MTA-STS and REQUIRETLS
 * together. RFC 7672, 8461, 8689. */
#ifndef REMOTE_SECURE_H
#define REMOTE_SECURE_H

#include "hosts.h"
#include "policy.h"
#include "tls/tls.h"

#define TLSA_MAX 24

enum secure_level {  /* each demands what the ones before it do */
	SECURE_NONE, /* no TLS */
	SECURE_MAY,  /* if it can be had */
	SECURE_TLS,  /* of any kind */
	SECURE_NAME, /* the certificate is good for one of `names` (WebPKI) */
	SECURE_DANE, /* it is what `tlsa` says */
};
struct secure {
	enum secure_level level;
	bool look;       /* level MAY: the certificate is looked at all the same, for the report (MTA-STS testing) */
	bool prove;      /* a password is meant for it: looked at, whatever the level */
	bool requiretls; /* the peer must promise to go on like this */
	enum tls_policy_type policy;
	const char *sni; /* NULL: the host is an address. Points into the host, as all names do */
	const char *names[3];
	char below[MADDR_DOMAIN_MAX + 2]; /* one of them: ".example.org" is any name below it */
	struct tls_tlsa tlsa[TLSA_MAX];
	size_t n_tlsa;
	char base[DNS_NAME_MAX];  /* of the TLSA records */
	struct dns_answer answer; /* holds their data */
};

struct secure_ask {
	const struct route *route;
	const struct hosts *hosts;
	const struct host *host;
	const struct sts_policy *sts;
	bool requiretls;
	bool arrive; /* TLS-Required: No: what the receiver demands is set aside, not what the route does */
	uint64_t deadline_ms;
};
/* May look up TLSA records. False: this host may not be given the message; the kind says whether ever, and t->result what it was.
 * secure_free() in either case. */
bool secure_plan(struct dns *d, const struct secure_ask *q, struct secure *ret, struct tls_attempt *t, struct err *e) MUST_CHECK;
void secure_free(struct secure *s);

#endif
