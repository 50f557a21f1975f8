/* policy - what a domain demands of those who send it mail (MTA-STS, RFC 8461), and what became of it (facts for TLSRPT, RFC 8460).
 *
 * The worker asks before it connects to a domain's mail exchangers, and reports each attempt at TLS, good or bad. Policies are
 * fetched and reports are built elsewhere; this is the whole of what a worker knows of them. */
#ifndef REMOTE_POLICY_H
#define REMOTE_POLICY_H

#include "base/err.h"
#include "config/cfg.h"
#include "mail/maddr.h"
#include "mail/sts.h"
#include "net/addr.h"
#include "service/service.h"

/* RFC 8460 4.3. The first kinds are an attempt's, those behind POLICY_* what was wrong with the policy itself. */
enum tls_result {
	TLS_RESULT_OK, /* as the policy demands; with no policy: TLS of any kind */
	TLS_RESULT_NO_STARTTLS,
	TLS_RESULT_HOST_MISMATCH, /* of the certificate; with MTA-STS also a host that the policy does not name */
	TLS_RESULT_EXPIRED,
	TLS_RESULT_NOT_TRUSTED,
	TLS_RESULT_FAILED,         /* anything else */
	TLS_RESULT_TLSA_INVALID,   /* no record can be used, or none matches */
	TLS_RESULT_DNSSEC_INVALID, /* the look-up of TLSA records failed: forged, or no answer */
	TLS_RESULT_DANE_REQUIRED,  /* `tls = dane`, and there are no TLSA records */
};
enum tls_policy_type { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA };
struct tls_attempt { /* one connection to one host */
	enum tls_policy_type policy;
	enum tls_result result;
	char domain[MADDR_DOMAIN_MAX + 1]; /* whose policy: the recipients' domain, or the route's */
	char mx[MADDR_DOMAIN_MAX + 1];     /* host */
	char hello[MADDR_DOMAIN_MAX + 1];  /* the name in its answer to EHLO; "" none */
	struct addr from, to;              /* family 0: there was no connection */
	bool testing;                      /* the policy is in testing mode: the mail went on */
	char tlsa[2000];                   /* TLS_POLICY_TLSA: records as in a zone file, a line each */
	char version[16], cipher[64];      /* "" no TLS */
	char reason[200];                  /* in words; "" when all is well */
};

struct policy_source; /* a worker's way to tls-policy, which knows; its functions take NULL for 'nobody knows' */
struct policy_source *policy_open(struct svc_ctx *ctx);
void policy_close(struct policy_source *s);
/* The policy of a domain (A-labels). Waits until deadline_ms (monotonic) at most. Without an answer: none (RFC 8461 5.1).
 * Which hosts it allows: sts_allows(). */
void policy_find(struct policy_source *s, const char *domain, uint64_t deadline_ms, struct sts_policy *ret);
void policy_report(struct policy_source *s, const struct tls_attempt *t); /* never waits */

#endif
