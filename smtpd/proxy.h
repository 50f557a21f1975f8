/* proxy - the PROXY protocol, versions 1 and 2: a balancer in front of us says who its client is, before anything else is said.
 *
 * It is read before the greeting and before TLS, and only from those whom the listener's `proxy` lists; not one byte behind it is
 * taken. The header of a listed balancer is demanded: a listener cannot guess (the protocol's own rule). */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H

#include "base/err.h"
#include "net/addr.h"

#define PROXY_V1_MAX 107         /* of a line with CRLF, as the protocol says */
#define PROXY_V2_MAX (16 + 1024) /* addresses, and additions that are skipped */
#define PROXY_FIRST 16           /* bytes that any header has but the shortest line of version 1 */

struct proxy {
	bool own; /* LOCAL or UNKNOWN: the balancer speaks for itself, the connection's own address holds */
	struct addr client;
};

/* A whole header. false: it is none. */
bool proxy_parse_v1(struct sv line, struct proxy *ret) MUST_CHECK;
bool proxy_parse_v2(struct sv header, struct proxy *ret) MUST_CHECK;
/* How long the header of version 2 is that begins with these 16 bytes; 0: they begin none, or one that is too long. */
size_t proxy_v2_len(struct sv first) MUST_CHECK;
/* Reads a header off a non-blocking socket, and no byte more. ERR_PEER: there is none; ERR_TEMP with ETIMEDOUT. */
bool proxy_read(int fd, uint64_t deadline_ms, struct proxy *ret, struct err *e) MUST_CHECK;

#endif
