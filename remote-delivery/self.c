/* Which names and addresses are this host's own. */
#include "hosts.h"

#include "base/num.h"

#include <ifaddrs.h>
#include <netinet/in.h>

void self_init(struct self *s, const struct cfg *cfg)
{
	struct ifaddrs *all = NULL;
	*s = (struct self){ .cfg = cfg };
	if (getifaddrs(&all) < 0)
		return; /* loops are then found by name and configuration alone */
	for (const struct ifaddrs *i = all; i && s->n < COUNT(s->addr); i = i->ifa_next) {
		struct sockaddr_storage ss = { 0 };
		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		bool v4 = i->ifa_addr->sa_family == AF_INET;
		memcpy(&ss, i->ifa_addr, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		addr_from_sockaddr(&ss, &s->addr[s->n++]);
	}
	freeifaddrs(all);
}

bool self_is_name(const struct self *s, const char *host) { return sv_ieqs(sv_of(host), s->cfg->global.hostname); }

static bool is_interface(const struct self *s, const struct addr *a)
{
	if (addr_is_loopback(a))
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (addr_same_ip(&s->addr[i], a))
			return true;
	return false;
}

/* "*:25" is every address of an interface, another one itself. A listener of other software beside ours is not us. */
static bool listens(const struct self *s, const char *address, const struct addr *a)
{
	struct sv text = sv_of(address);
	struct addr at;
	uint64_t port;
	if (sv_starts(text, SV("*:")))
		return num_u64(sv_skip(text, 2), 1, 65535, &port) && port == a->port && is_interface(s, a);
	return addr_parse(text, 0, &at) && at.port == a->port && addr_same_ip(&at, a);
}

bool self_is_addr(const struct self *s, const struct addr *a)
{
	const struct vec *v = &s->cfg->listeners;
	const struct cfg_list *own = &s->cfg->remote.own_addresses;
	for (size_t i = 0; i < v->len; i++) {
		const struct cfg_listener *l = VEC_AT(v, struct cfg_listener, i);
		for (size_t k = 0; k < l->address.n; k++)
			if (listens(s, l->address.item[k], a))
				return true;
	}
	for (size_t i = 0; i < own->n; i++) {
		struct addr at;
		if (addr_parse_ip(sv_of(own->item[i]), &at) && addr_same_ip(&at, a))
			return true;
	}
	return false;
}
