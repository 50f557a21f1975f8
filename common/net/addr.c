#include "net/addr.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

static size_t ip_len(sa_family_t family) { return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0; }

static void unmap(struct addr *a)
{
	if (a->family != AF_INET6 || memcmp(a->ip, mapped, sizeof(mapped)))
		return;
	a->family = AF_INET;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
}

static bool parse_raw(struct sv text, struct addr *ret)
{
	struct addr a = { .family = AF_UNSPEC };
	char s[INET6_ADDRSTRLEN];

	if (!sv_copy(text, s, sizeof(s)))
		return false;
	if (inet_pton(AF_INET, s, a.ip) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, s, a.ip) == 1)
		a.family = AF_INET6;
	else
		return false;
	*ret = a;
	return true;
}

bool addr_parse_ip(struct sv text, struct addr *ret)
{
	if (!parse_raw(text, ret))
		return false;
	unmap(ret);
	return true;
}

bool addr_parse(struct sv text, uint16_t default_port, struct addr *ret)
{
	struct sv ip = text, port = SV("");
	ptrdiff_t colon = sv_rchr(text, ':'), close = sv_chr(text, ']');
	bool bracket = sv_starts(text, SV("["));
	uint64_t n = default_port;
	struct addr a;

	if (bracket) {
		if (close < 0)
			return false;
		ip = sv_sub(text, 1, (size_t)close - 1);
		port = sv_skip(text, (size_t)close + 1);
	} else if (colon >= 0 && sv_chr(text, ':') == colon) { /* one colon only: no IPv6 address has that */
		ip = sv_sub(text, 0, (size_t)colon);
		port = sv_skip(text, (size_t)colon);
	}
	if (port.n && (port.p[0] != ':' || !num_u64(sv_skip(port, 1), 0, UINT16_MAX, &n)))
		return false;
	if (!addr_parse_ip(ip, &a) || (bracket && sv_chr(ip, ':') < 0))
		return false;
	a.port = (uint16_t)n;
	*ret = a;
	return true;
}

const char *addr_text(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
	if (ip_len(a->family))
		inet_ntop(a->family, a->ip, dst, ADDR_TEXT_MAX);
	else
		snprintf(dst, ADDR_TEXT_MAX, "%s", a->family == AF_UNIX ? "local" : "unknown");
	return dst;
}

const char *addr_text_port(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	addr_text(a, ip);
	if (a->family == AF_INET6)
		snprintf(dst, ADDR_TEXT_MAX, "[%.45s]:%u", ip, a->port);
	else if (a->family == AF_INET)
		snprintf(dst, ADDR_TEXT_MAX, "%.45s:%u", ip, a->port);
	else
		snprintf(dst, ADDR_TEXT_MAX, "%.45s", ip);
	return dst;
}

void addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *ret)
{
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;

	*ret = (struct addr){ .family = ss->ss_family };
	if (ss->ss_family == AF_INET) {
		ret->port = ntohs(in->sin_port);
		memcpy(ret->ip, &in->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		ret->port = ntohs(in6->sin6_port);
		memcpy(ret->ip, &in6->sin6_addr, 16);
		unmap(ret);
	}
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (void *)ret;
	struct sockaddr_in6 *in6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = a->family;
	if (a->family == AF_INET) {
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->family == AF_INET6) {
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return sizeof(sa_family_t);
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, ip_len(a->family)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->ip[0] == 127;
	return a->family == AF_UNIX || (a->family == AF_INET6 && memcmp(a->ip, one, 16) == 0);
}

static void mask(uint8_t *ip, size_t len, unsigned bits)
{
	for (size_t i = 0; i < len; i++) {
		unsigned keep = bits > 8 * i ? (unsigned)MIN(bits - 8 * i, 8) : 0;
		ip[i] &= (uint8_t)(0xff00 >> keep);
	}
}

bool addr_net_parse(struct sv text, struct addr_net *ret, struct err *e)
{
	ptrdiff_t slash = sv_chr(text, '/');
	struct addr_net net = { .family = AF_UNSPEC };
	struct addr a;
	uint64_t bits;
	char fix[ADDR_TEXT_MAX];

	if (!parse_raw(slash < 0 ? text : sv_sub(text, 0, (size_t)slash), &a))
		return err_set(e, ERR_PERM, "%.*s: not an IP network such as 192.0.2.0/24 or 2001:db8::/32", (int)MIN(text.n, 80),
			text.n ? text.p : "");
	bits = 8 * ip_len(a.family);
	if (slash >= 0 && !num_u64(sv_skip(text, (size_t)slash + 1), 0, bits, &bits))
		return err_set(e, ERR_PERM, "%.*s: the prefix length must be a number from 0 to %u", (int)MIN(text.n, 80), text.p,
			(unsigned)(8 * ip_len(a.family)));
	if (a.family == AF_INET6 && bits >= 96 && memcmp(a.ip, mapped, sizeof(mapped)) == 0) {
		unmap(&a);
		bits -= 96;
	}
	net.family = a.family;
	net.bits = (uint8_t)bits;
	memcpy(net.ip, a.ip, sizeof(net.ip));
	mask(net.ip, ip_len(net.family), net.bits);
	if (memcmp(net.ip, a.ip, sizeof(net.ip)))
		return err_set(e, ERR_PERM, "%.*s: has bits set beyond the prefix; did you mean %s?", (int)MIN(text.n, 80), text.p,
			addr_net_text(&net, fix));
	*ret = net;
	return true;
}

struct addr_net addr_net_of(const struct addr *a, unsigned bits)
{
	struct addr_net net = { .family = a->family, .bits = (uint8_t)MIN(bits, 8 * ip_len(a->family)) };

	memcpy(net.ip, a->ip, sizeof(net.ip));
	mask(net.ip, ip_len(net.family), net.bits);
	return net;
}

bool addr_net_has(const struct addr_net *net, const struct addr *a)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (net->family != a->family || ip_len(a->family) == 0 || memcmp(net->ip, a->ip, whole))
		return false;
	return rest == 0 || ((net->ip[whole] ^ a->ip[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

const char *addr_net_text(const struct addr_net *net, char dst[ADDR_TEXT_MAX])
{
	struct addr a = { .family = net->family };
	char ip[ADDR_TEXT_MAX];

	memcpy(a.ip, net->ip, sizeof(a.ip));
	snprintf(dst, ADDR_TEXT_MAX, "%.45s/%u", addr_text(&a, ip), net->bits);
	return dst;
}
