#include "rules.h"

#define DOMAINS_MAX 20002 /* the rows' limits for `domains`, and hostname and localhost */
#define RELAYED_MAX 1000000

static bool is_postmaster(const struct maddr *a) { return sv_ieqs(maddr_local(a), "postmaster"); }

/* Domains are compared in their ASCII form (RFC 5890 2.3.2.4). */
static bool add_local(struct rules *r, const char *domain, struct err *e)
{
	char name[MADDR_DOMAIN_MAX + 1];

	if (!maddr_domain_ascii(sv_of(domain), name, e))
		return false;
	if (hmap_get(r->locals, sv_of(name)))
		return true;
	const struct cfg_domain *section = cfg_domain(r->cfg, sv_of(domain));
	struct local_domain *d = mem_new(sizeof(*d));
	d->users = section ? section->users : CFG_USERS_BOTH;
	d->catch_all = section ? section->catch_all : "";
	memcpy(d->name, name, sizeof(name));
	BUG_IF(!hmap_put(r->locals, sv_of(name), d));
	return true;
}

static bool add_locals(struct rules *r, struct err *e)
{
	const struct cfg_global *g = &r->cfg->global;

	for (size_t i = 0; i < g->domains.n; i++)
		if (!add_local(r, g->domains.item[i], e))
			return false;
	return add_local(r, g->hostname, e) && add_local(r, "localhost", e);
}

/* A section for some senders names no route for all, and opens the domain to nobody. */
static void take_relay(struct relayed_domain *d, const struct cfg_relay *relay)
{
	if (relay->senders.n > 0)
		return;
	d->route = relay->host;
	d->anyone = relay->accept_from == CFG_ACCEPT_ANYONE;
}

static bool add_relay(struct rules *r, const struct cfg_relay *relay, struct err *e)
{
	char name[MADDR_DOMAIN_MAX + 1];

	for (size_t i = 0; i < relay->domains.n; i++) {
		if (sv_eqs(SV("*"), relay->domains.item[i])) {
			if (relay->senders.n == 0)
				r->other_route = relay->host;
			continue;
		}
		if (!maddr_domain_ascii(sv_of(relay->domains.item[i]), name, e))
			return false;
		struct relayed_domain *d = hmap_get(r->relays, sv_of(name));
		if (!d) {
			d = mem_new(sizeof(*d));
			*d = (struct relayed_domain){ .route = "" };
			if (!hmap_put(r->relays, sv_of(name), d)) {
				free(d);
				return err_set(e, ERR_PERM, "more than %d relayed domains", RELAYED_MAX);
			}
		}
		take_relay(d, relay);
	}
	return true;
}

static const char *home_domain(const struct rules *r)
{
	const struct cfg_global *g = &r->cfg->global;
	char name[MADDR_DOMAIN_MAX + 1];

	if (maddr_domain_ascii(sv_of(g->origin), name, NULL) && hmap_get(r->locals, sv_of(name)))
		return g->origin;
	return g->domains.n ? g->domains.item[0] : g->hostname;
}

struct rules *rules_new(const struct cfg *cfg, struct err *e)
{
	struct rules *r = mem_new(sizeof(*r));
	bool ok;

	*r = (struct rules){ .cfg = cfg, .locals = hmap_new(DOMAINS_MAX), .relays = hmap_new(RELAYED_MAX), .other_route = "" };
	r->any = (struct local_domain){ .users = CFG_USERS_BOTH, .catch_all = "" };
	ok = add_locals(r, e);
	for (size_t i = 0; ok && i < cfg->relays.len; i++)
		ok = add_relay(r, VEC_AT(&cfg->relays, struct cfg_relay, i), e);
	if (!ok) {
		rules_free(r);
		return NULL;
	}
	r->home_domain = home_domain(r);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	hmap_free(r->locals, free);
	hmap_free(r->relays, free);
	free(r);
}

const struct local_domain *rules_local(const struct rules *r, struct maddr *a)
{
	char name[MADDR_DOMAIN_MAX + 1];

	if (!maddr_domain_ascii(sv_of(a->domain), name, NULL))
		return NULL;
	const struct local_domain *d = hmap_get(r->locals, sv_of(name));
	if (d) {
		memcpy(a->domain, name, sizeof(name));
		a->utf8 = !sv_is_ascii(maddr_local(a));
	} else if (a->literal && is_postmaster(a)) {
		d = &r->any; /* RFC 5321 4.5.1: whatever name or address this host was reached by */
	}
	return d;
}

struct relayed_domain rules_relay(const struct rules *r, const struct maddr *a)
{
	char name[MADDR_DOMAIN_MAX + 1];
	const struct relayed_domain *d = NULL;

	if (maddr_domain_ascii(sv_of(a->domain), name, NULL))
		d = hmap_get(r->relays, sv_of(name));
	return d ? *d : (struct relayed_domain){ .route = r->other_route };
}
