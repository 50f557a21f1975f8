/* The name of an address, as far as it can be believed: whoever owns an address can give it any name, but only the name's owner can
 * let it lead back (RFC 8601 3: iprev). Runs in a helper process, for it may block. */
#include "nss.h"
#include "net/addr.h"

#include <netdb.h>

#define NAME_MAX_LEN 255

/* What may stand in a header and a log line; everything else is no host name. */
static bool is_host_name(struct sv s)
{
	struct addr ip;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= NAME_MAX_LEN && !addr_parse_ip(s, &ip);
}

static enum nss_status cannot(int error)
{
	return error == EAI_NONAME || error == EAI_NODATA || error == EAI_FAMILY || error == EAI_ADDRFAMILY ? NSS_NONE : NSS_FAILED;
}

static enum nss_status leads_back(const char *name, const struct addr *a)
{
	const struct addrinfo hints = { .ai_family = a->family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;
	bool found = false;
	int error = getaddrinfo(name, NULL, &hints, &all);
	if (error)
		return cannot(error);
	for (const struct addrinfo *i = all; i && !found; i = i->ai_next) {
		struct sockaddr_storage ss = { 0 };
		struct addr b;
		memcpy(&ss, i->ai_addr, MIN(i->ai_addrlen, sizeof(ss)));
		addr_from_sockaddr(&ss, &b);
		found = addr_same_ip(a, &b);
	}
	freeaddrinfo(all);
	return found ? NSS_FOUND : NSS_NONE;
}

void nss_reverse(const struct nss_req *q, struct nss_user *ret)
{
	char name[NI_MAXHOST];
	struct sockaddr_storage ss;
	struct addr a;

	*ret = (struct nss_user){ .status = NSS_NONE };
	if (!addr_parse_ip(sv_of(q->name), &a))
		return;
	socklen_t n = addr_to_sockaddr(&a, &ss);
	int error = getnameinfo((struct sockaddr *)&ss, n, name, sizeof(name), NULL, 0, NI_NAMEREQD);
	if (error) {
		ret->status = cannot(error);
		return;
	}
	struct sv host = sv_of(name);
	if (sv_ends(host, SV(".")))
		host.n--;
	if (!is_host_name(host))
		return;
	ret->status = leads_back(name, &a);
	if (ret->status != NSS_FOUND)
		return;
	BUG_IF(!sv_copy(host, ret->home, sizeof(ret->home)));
	for (char *p = ret->home; *p; p++)
		*p = ascii_lower(*p);
	memcpy(ret->name, q->name, sizeof(ret->name));
}
