/* sts - the texts of MTA-STS (RFC 8461): a domain's TXT record, its policy, and which hosts the policy allows. */
#ifndef MAIL_STS_H
#define MAIL_STS_H

#include "base/err.h"
#include "base/sv.h"
#include "ipc/msg_tls.h"

#define STS_ID_MAX TLS_STS_ID_MAX       /* RFC 8461 3.1 */
#define STS_POLICY_MAX (64u * 1024)     /* bytes of a policy file (3.2: a limit like this) */
#define STS_PATTERNS_MAX TLS_STS_MX_MAX /* bytes of all patterns of one policy; a policy with more is refused */
#define STS_AGE_MAX TLS_STS_AGE_MAX     /* seconds, 3.2: about a year; more counts as this */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint64_t max_age;              /* seconds */
	char mx[STS_PATTERNS_MAX + 1]; /* patterns in A-labels and lower case, blanks between */
};

const char *sts_mode_name(enum sts_mode mode); /* "enforce" */
/* Is this TXT record the one of MTA-STS? ("v=STSv1;" first.) Then its id; "" when that is missing or malformed. */
bool sts_is_record(struct sv txt, char ret_id[STS_ID_MAX + 1]);
/* ERR_PERM: it is no policy, and why. */
bool sts_policy_parse(struct sv text, struct sts_policy *ret, struct err *e) MUST_CHECK;
/* `host` in A-labels, any case. `*.` stands for exactly one label (4.1). */
bool sts_allows(const char *patterns, const char *host);

#endif
