#include "proxy.h"

#include "base/clock.h"
#include "base/num.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V1_SHORTEST (sizeof "PROXY UNKNOWN\r\n" - 1)
#define IPV4_LEN 12 /* two addresses and two ports */
#define IPV6_LEN 36

/* --- version 1: PROXY TCP4 192.0.2.7 192.0.2.1 40000 25 CRLF --- */
static bool take_port(struct sv s, uint16_t *ret)
{
	uint64_t n;
	bool padded = s.n > 1 && s.p[0] == '0';
	if (padded || !num_u64(s, 0, UINT16_MAX, &n))
		return false;
	*ret = (uint16_t)n;
	return true;
}

/* family: as the line names it; a mapped IPv6 address is IPv4 by now. */
static bool take_ip(struct sv s, bool ipv6, struct addr *ret) { return (sv_chr(s, ':') >= 0) == ipv6 && addr_parse_ip(s, ret); }

bool proxy_parse_v1(struct sv line, struct proxy *ret)
{
	struct sv word[6], rest = line;
	struct addr to;
	size_t n = 0;
	*ret = (struct proxy){ .own = false };
	if (line.n > PROXY_V1_MAX || !sv_ends(line, SV("\r\n")) || !sv_starts(line, SV("PROXY ")))
		return false;
	rest.n -= 2;
	if (sv_starts(rest, SV("PROXY UNKNOWN")) && (rest.n == 13 || rest.p[13] == ' ')) {
		ret->own = true; /* what follows says nothing */
		return !sv_has_ctl(rest);
	}
	while (n < COUNT(word) && sv_cut(&rest, ' ', &word[n]))
		n++;
	bool ipv6 = sv_eqs(word[1], "TCP6");
	return n == COUNT(word) && !rest.p && (ipv6 || sv_eqs(word[1], "TCP4")) && take_ip(word[2], ipv6, &ret->client) &&
	       take_ip(word[3], ipv6, &to) && take_port(word[4], &ret->client.port) && take_port(word[5], &to.port);
}

/* --- version 2 --- */
size_t proxy_v2_len(struct sv first)
{
	if (first.n < PROXY_FIRST || memcmp(first.p, V2_SIGNATURE, V2_SIGNATURE_LEN) != 0)
		return 0;
	size_t len = PROXY_FIRST + (size_t)(((unsigned char)first.p[14] << 8) | (unsigned char)first.p[15]);
	return len <= PROXY_V2_MAX ? len : 0;
}

static void set_ip(struct addr *a, sa_family_t family, const char *ip, const char *port)
{
	struct sockaddr_storage ss;
	struct addr raw = { .family = family };
	memcpy(raw.ip, ip, family == AF_INET ? 4 : 16);
	raw.port = (uint16_t)(((unsigned char)port[0] << 8) | (unsigned char)port[1]);
	addr_to_sockaddr(&raw, &ss);
	addr_from_sockaddr(&ss, a); /* mapped IPv6 becomes IPv4, as at the edge */
}

bool proxy_parse_v2(struct sv header, struct proxy *ret)
{
	*ret = (struct proxy){ .own = false };
	if (header.n < PROXY_FIRST || header.n != proxy_v2_len(sv_sub(header, 0, PROXY_FIRST)))
		return false;
	unsigned command = (unsigned char)header.p[12], family = (unsigned char)header.p[13];
	const char *at = header.p + PROXY_FIRST;
	size_t n = header.n - PROXY_FIRST;
	if (command == 0x20 || (command == 0x21 && family == 0x00)) /* LOCAL; UNSPEC */
		ret->own = true;
	else if (command == 0x21 && family == 0x11 && n >= IPV4_LEN)
		set_ip(&ret->client, AF_INET, at, at + 8);
	else if (command == 0x21 && family == 0x21 && n >= IPV6_LEN)
		set_ip(&ret->client, AF_INET6, at, at + 32);
	else
		return false;
	return true;
}

/* --- reading: never more than the header is sure to have --- */
struct reading {
	int fd;
	uint64_t deadline_ms;
	char buf[PROXY_V2_MAX];
	size_t n;
};

static bool fill(struct reading *r, size_t want, struct err *e)
{
	while (r->n < want) {
		uint64_t now = clock_mono_ms();
		if (now >= r->deadline_ms) {
			errno = ETIMEDOUT;
			return err_sys(e, ERR_TEMP, "wait for the PROXY header");
		}
		if (!sock_wait(r->fd, POLLIN, r->deadline_ms - now, e))
			return false;
		ssize_t got = read(r->fd, r->buf + r->n, want - r->n);
		if (got == 0)
			return err_set(e, ERR_PEER, "it went away before its PROXY header was there");
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(e, ERR_PEER, "read the PROXY header");
		r->n += got > 0 ? (size_t)got : 0;
	}
	return true;
}

static struct sv have(const struct reading *r) { return (struct sv){ r->buf, r->n }; }

/* A line is read byte by byte behind its shortest form: its client's first bytes may be in the socket already. */
static bool read_line(struct reading *r, struct err *e)
{
	while (sv_chr(have(r), '\n') < 0 && r->n < PROXY_V1_MAX)
		if (!fill(r, r->n + 1, e))
			return false;
	return true;
}

bool proxy_read(int fd, uint64_t deadline_ms, struct proxy *ret, struct err *e)
{
	struct reading r = { .fd = fd, .deadline_ms = deadline_ms };
	bool ok;
	if (!fill(&r, V1_SHORTEST, e))
		return false;
	if (memcmp(r.buf, V2_SIGNATURE, V2_SIGNATURE_LEN) == 0) {
		if (!fill(&r, PROXY_FIRST, e))
			return false;
		size_t len = proxy_v2_len(have(&r));
		if (len > 0 && !fill(&r, len, e))
			return false;
		ok = len > 0 && proxy_parse_v2(have(&r), ret);
	} else {
		if (sv_starts(have(&r), SV("PROXY ")) && !read_line(&r, e))
			return false;
		ok = proxy_parse_v1(have(&r), ret);
	}
	return ok || err_set(e, ERR_PEER, "what it sent is no PROXY header");
}
