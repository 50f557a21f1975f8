/* addr - network addresses and networks as values. IPv4-mapped IPv6 is turned into IPv4 at the edge. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/socket.h>

struct addr {               /* an IP address with a port, or the peer of a Unix socket (family AF_UNIX) */
	sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC */
	uint16_t port;
	uint8_t ip[16]; /* 4 or 16 bytes used, network order */
};

struct addr_net {
	sa_family_t family;
	uint8_t bits;
	uint8_t ip[16];
};

#define ADDR_TEXT_MAX 56
bool addr_parse_ip(struct sv text, struct addr *ret) MUST_CHECK;                     /* "192.0.2.1", "2001:db8::1" (no brackets) */
bool addr_parse(struct sv text, uint16_t default_port, struct addr *ret) MUST_CHECK; /* "127.0.0.1:25", "[::1]:25", "::1" */
const char *addr_text(const struct addr *a, char dst[ADDR_TEXT_MAX]);                /* the IP alone; "local" for AF_UNIX */
const char *addr_text_port(const struct addr *a, char dst[ADDR_TEXT_MAX]);           /* "192.0.2.1:25", "[::1]:25" */
void addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *ret);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret);
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);

/* "10.0.0.0/8", "::1"; host bits set: an error that names the network. */
bool addr_net_parse(struct sv text, struct addr_net *ret, struct err *e) MUST_CHECK;
struct addr_net addr_net_of(const struct addr *a, unsigned bits); /* the network of so many bits that holds an IP address */
bool addr_net_has(const struct addr_net *net, const struct addr *a);
const char *addr_net_text(const struct addr_net *net, char dst[ADDR_TEXT_MAX]);

#endif
