/* route - where a message for a domain goes next: a [relay] section's host, or the domain's own mail exchangers. */
#ifndef REMOTE_ROUTE_H
#define REMOTE_ROUTE_H

#include "base/err.h"
#include "config/cfg.h"
#include "mail/maddr.h"

enum route_kind {
	ROUTE_MX,      /* `host` and its MX records */
	ROUTE_HOST,    /* `host` itself */
	ROUTE_ADDRESS, /* `address` */
	ROUTE_UNIX,    /* the socket `host` */
};
struct route {
	enum route_kind kind;
	char host[MADDR_DOMAIN_MAX + 1]; /* A-labels, lower case */
	struct addr address;
	uint16_t port;
	bool lmtp;
	enum cfg_tls_wish tls;
	const struct cfg_relay *relay; /* NULL: none */
	char key[400];                 /* the same for messages that may share a connection */
};

/* A [relay] host's text: host, host:port, [host]:port, 192.0.2.1, [IPv6:2001:db8::1]:25, unix:/path, lmtp:host. */
bool route_parse_host(const char *text, uint16_t default_port, struct route *ret, struct err *e) MUST_CHECK;
/* `sender` NULL: not to be believed, so that no section with `senders` is his. ERR_PERM with 5.1.2: the domain is none. ERR_TEMP:
 * the configuration's fault. */
bool route_find(
	const struct cfg *cfg, const struct maddr *sender, const struct maddr *rcpt, struct route *ret, struct err *e) MUST_CHECK;

#endif
