#include "route.h"

#include "base/num.h"
#include "mail/relay.h"

static bool bad_host(const char *text, struct err *e)
{
	return err_dsn(e, ERR_TEMP, "4.3.5", "[relay] host = %.80s: is not a host, [host], unix:/path or lmtp:host", text);
}

/* Cuts ":port" off the end of *s; none there is no error. */
static bool cut_port(struct sv *s, uint16_t *ret)
{
	ptrdiff_t colon = sv_rchr(*s, ':');
	uint64_t port;
	if (colon < 0)
		return true;
	if (!num_u64(sv_skip(*s, (size_t)colon + 1), 1, 65535, &port))
		return false;
	*ret = (uint16_t)port;
	*s = sv_sub(*s, 0, (size_t)colon);
	return true;
}

/* "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1" */
static bool parse_ip(struct sv s, struct addr *ret) { return addr_parse_ip(sv_istarts(s, SV("IPv6:")) ? sv_skip(s, 5) : s, ret); }

static bool set_host(struct sv host, struct route *r)
{
	r->address = (struct addr){ 0 };
	if (parse_ip(host, &r->address)) {
		r->kind = ROUTE_ADDRESS;
		r->address.port = r->port;
		return sv_copy(host, r->host, sizeof r->host);
	}
	return maddr_domain_ok(host, true) && maddr_domain_ascii(host, r->host, NULL);
}

bool route_parse_host(const char *text, uint16_t default_port, struct route *ret, struct err *e)
{
	struct route r = { .port = default_port, .kind = ROUTE_MX };
	struct sv s = sv_of(text), inner;
	if (sv_starts(s, SV("lmtp:"))) {
		r.lmtp = true;
		r.kind = ROUTE_HOST;
		s = sv_skip(s, 5);
	}
	if (sv_starts(s, SV("unix:"))) {
		r.kind = ROUTE_UNIX;
		r.lmtp = true;
		if (!sv_starts(sv_skip(s, 5), SV("/")) || !sv_copy(sv_skip(s, 5), r.host, sizeof r.host))
			return bad_host(text, e);
	} else {
		bool literal = sv_starts(s, SV("["));
		ptrdiff_t end = sv_chr(s, ']');
		if (literal) {
			struct sv rest = sv_skip(s, (size_t)(end + 1));
			r.kind = ROUTE_HOST;
			inner = sv_sub(s, 1, (size_t)(end - 1));
			if (end < 0 || (rest.n > 0 && (rest.p[0] != ':' || !cut_port(&rest, &r.port))))
				return bad_host(text, e);
		} else {
			inner = s;
			if (!addr_parse_ip(s, &r.address) && !cut_port(&inner, &r.port))
				return bad_host(text, e);
		}
		if (!set_host(inner, &r))
			return bad_host(text, e);
	}
	*ret = r;
	return true;
}

static bool domain_route(const struct maddr *rcpt, struct route *r, struct err *e)
{
	struct sv domain = sv_of(rcpt->domain);
	r->kind = ROUTE_MX;
	if (rcpt->literal) {
		if (!set_host(sv_sub(domain, 1, domain.n - 2), r) || r->kind != ROUTE_ADDRESS)
			return err_dsn(e, ERR_PERM, "5.1.2", "%.100s is not an address", rcpt->domain);
		return true;
	}
	if (domain.n == 0 || !maddr_domain_ascii(domain, r->host, NULL))
		return err_dsn(e, ERR_PERM, "5.1.2", "%.100s is not a domain", rcpt->domain);
	return true;
}

bool route_find(const struct cfg *cfg, const struct maddr *sender, const struct maddr *rcpt, struct route *ret, struct err *e)
{
	const struct cfg_relay *relay = relay_find(cfg, sender, rcpt->domain);
	struct route r = { .port = (uint16_t)cfg->remote.remote_port, .tls = CFG_WISH_MAY };
	if (relay && relay->host[0] != '\0') {
		if (!route_parse_host(relay->host, (uint16_t)cfg->remote.remote_port, &r, e))
			return false;
	} else if (!domain_route(rcpt, &r, e))
		return false;
	if (relay) {
		r.relay = relay;
		r.tls = (enum cfg_tls_wish)relay->tls;
		r.lmtp = r.lmtp || relay->protocol == CFG_RELAY_LMTP;
	}
	snprintf(r.key, sizeof r.key, "%d %s %u %d %s", r.kind, r.host, r.port, r.lmtp, relay ? relay->name : "");
	*ret = r;
	return true;
}
