#include "hosts.h"

#include "base/num.h"

/* --- the MX list ----------------------------------------------------------------------------------------------------------------
 */

static void shuffle(struct host *h, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = rnd_u64() % i;
		struct host other = h[k];
		h[k] = h[i - 1];
		h[i - 1] = other;
	}
}

static int by_preference(const void *a, const void *b)
{
	const struct host *x = a, *y = b;
	return x->preference < y->preference ? -1 : x->preference > y->preference;
}

/* Whole list first, so that a list longer than ours is cut at its worst end. qsort(3) is not stable: equals are shuffled after it.
 */
static void sort(struct host *h, size_t n)
{
	qsort(h, n, sizeof *h, by_preference);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && h[k].preference == h[i].preference;)
			k++;
		shuffle(h + i, k - i);
	}
}

bool hosts_of_mx(const struct dns_answer *mx, const char *domain, struct hosts *ret, struct err *e)
{
	struct host *all = mem_new((mx->n + 1) * sizeof *all);
	size_t n = 0;
	for (size_t i = 0; i < mx->n; i++) {
		struct sv name = mx->rec[i].data;
		if (name.n == 0 || !sv_copy(name, all[n].name, sizeof all[n].name) || !maddr_domain_ok(name, false))
			continue;
		all[n++].preference = mx->rec[i].preference;
	}
	bool null_mx = mx->n == 1 && mx->rec[0].data.n == 0; /* RFC 7505 3 */
	sort(all, n);
	ret->n = MIN(n, (size_t)HOSTS_MAX);
	ret->mx = true;
	memcpy(ret->host, all, ret->n * sizeof *all);
	free(all);
	if (null_mx)
		return err_dsn(e, ERR_PERM, "5.1.10", "%.100s does not accept mail (null MX)", domain);
	return n > 0 || err_dsn(e, ERR_PERM, "5.4.4", "no MX record of %.100s names a host", domain);
}

/* --- ourselves -------------------------------------------------------------------------------------------------------------------
 */

bool hosts_drop_self(struct hosts *h, const struct self *self, const char *domain, struct err *e)
{
	uint32_t limit = UINT32_MAX;
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++) {
		bool ours = self_is_name(self, h->host[i].name);
		for (size_t k = 0; k < h->host[i].n_addr; k++)
			ours = ours || self_is_addr(self, &h->host[i].addr[k]);
		if (ours)
			limit = MIN(limit, h->host[i].preference);
	}
	for (size_t i = 0; i < h->n; i++)
		if (h->host[i].preference < limit)
			h->host[n++] = h->host[i];
	bool was_there = h->n > 0;
	h->n = n;
	return n > 0 || !was_there ||
	       err_dsn(e, ERR_PERM, "5.4.6",
		       "mail for %.100s would come back: this host is its best mail exchanger, but does not hold the domain",
		       domain);
}

/* --- addresses
 * ---------------------------------------------------------------------------------------------------------------------- */

/* 0.0.0.0/8 and :: are "this host" to the kernel, ::ffff:0:0/96 is IPv4 in disguise (RFC 6890): whoever puts them into the DNS
 * would have us talk to ourselves. */
static bool is_nobody(const struct addr *a)
{
	static const uint8_t zeros[16], mapped[12] = { [10] = 0xff, [11] = 0xff };
	return a->family == AF_INET ? a->ip[0] == 0 : memcmp(a->ip, zeros, 16) == 0 || memcmp(a->ip, mapped, 12) == 0;
}

static void take_addresses(const struct dns_answer *a, sa_family_t family, uint16_t port, struct addr *ret, size_t *n)
{
	for (size_t i = 0; i < a->n && *n < ADDRS_MAX; i++) {
		struct addr *to = &ret[*n];
		*to = (struct addr){ .family = family, .port = port };
		memcpy(to->ip, a->rec[i].data.p, a->rec[i].data.n);
		*n += !is_nobody(to);
	}
}

static void shuffle_addrs(struct addr *a, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = rnd_u64() % i;
		struct addr other = a[k];
		a[k] = a[i - 1];
		a[i - 1] = other;
	}
}

static bool unanswered(const struct dns_answer *a) { return a->status >= DNS_FAILED; }

/* RFC 8305 4: families in turns, IPv6 first. */
static void set_addresses(struct host *h, const struct dns_answer *a4, const struct dns_answer *a6, uint16_t port)
{
	struct addr v4[ADDRS_MAX], v6[ADDRS_MAX];
	size_t n4 = 0, n6 = 0, i4 = 0, i6 = 0;
	take_addresses(a4, AF_INET, port, v4, &n4);
	take_addresses(a6, AF_INET6, port, v6, &n6);
	shuffle_addrs(v4, n4);
	shuffle_addrs(v6, n6);
	h->n_addr = 0;
	while (h->n_addr < ADDRS_MAX && (i4 < n4 || i6 < n6)) {
		if (i6 < n6)
			h->addr[h->n_addr++] = v6[i6++];
		if (i4 < n4 && h->n_addr < ADDRS_MAX)
			h->addr[h->n_addr++] = v4[i4++];
	}
	h->undecided = h->n_addr == 0 && (unanswered(a4) || unanswered(a6));
	h->secure = (a4->secure || unanswered(a4)) && (a6->secure || unanswered(a6));
	snprintf(h->canonical, sizeof h->canonical, "%s", a4->alias ? a4->name : a6->alias ? a6->name : h->name);
}

static void find_addresses(struct dns *d, struct hosts *h, uint16_t port, uint64_t deadline_ms, struct err *why)
{
	struct dns_query q[2 * HOSTS_MAX] = { 0 };
	for (size_t i = 0; i < h->n; i++) {
		q[2 * i] = (struct dns_query){ .name = h->host[i].name, .type = DNS_A };
		q[2 * i + 1] = (struct dns_query){ .name = h->host[i].name, .type = DNS_AAAA };
	}
	dns_ask_all(d, q, 2 * h->n, deadline_ms);
	for (size_t i = 0; i < h->n; i++) {
		const struct dns_answer *a4 = &q[2 * i].answer, *a6 = &q[2 * i + 1].answer;
		set_addresses(&h->host[i], a4, a6, port);
		bool nobody = a4->n + a6->n > 0 && !h->host[i].undecided;
		if (h->host[i].n_addr == 0)
			err_set(why, h->host[i].undecided ? ERR_TEMP : ERR_PERM, "%s",
				nobody           ? "what the DNS gives is no host's address"
				: unanswered(a6) ? a6->why
						 : a4->why);
	}
	for (size_t i = 0; i < 2 * h->n; i++)
		dns_answer_free(&q[i].answer);
}

/* Hosts without an address are of no use. One that could not be looked up now makes the whole wait, if no other is there. */
static bool keep_usable(struct hosts *h, const char *domain, const struct err *why, struct err *e)
{
	bool undecided = false;
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++) {
		undecided = undecided || h->host[i].undecided;
		if (h->host[i].n_addr > 0)
			h->host[n++] = h->host[i];
	}
	h->n = n;
	if (n > 0)
		return true;
	if (undecided)
		return err_dsn(e, ERR_TEMP, "4.4.3", "%s", why->text);
	return err_dsn(
		e, ERR_PERM, "5.4.4", "%s of %.80s has an address: %s", h->mx ? "no mail exchanger" : "no name", domain, why->text);
}

static void single(struct hosts *h, const char *name)
{
	h->n = 1;
	h->host[0] = (struct host){ 0 };
	snprintf(h->host[0].name, sizeof h->host[0].name, "%s", name);
}

/* RFC 5321 5.1: no MX record means the domain itself; an error does not. */
static bool find_mx(struct dns *d, const char *domain, uint64_t deadline_ms, struct hosts *h, struct err *e)
{
	struct dns_query q = { .name = domain, .type = DNS_MX };
	bool ok = true;
	dns_ask_all(d, &q, 1, deadline_ms);
	h->secure = q.answer.secure;
	switch (q.answer.status) {
	case DNS_OK:
		ok = hosts_of_mx(&q.answer, domain, h, e);
		break;
	case DNS_NODATA:
		single(h, domain);
		break;
	case DNS_NXDOMAIN:
		ok = err_dsn(e, ERR_PERM, "5.1.2", "%s", q.answer.why);
		break;
	default:
		ok = err_dsn(e, ERR_TEMP, "4.4.3", "%s", q.answer.why);
		break;
	}
	dns_answer_free(&q.answer);
	return ok;
}

bool hosts_find(
	struct dns *d, const struct self *self, const struct route *r, uint64_t deadline_ms, struct hosts *ret, struct err *e)
{
	struct err why = { 0 };
	ret->n = 0;
	ret->mx = ret->secure = false;
	if (r->kind == ROUTE_ADDRESS) {
		single(ret, r->host);
		snprintf(ret->host[0].name, sizeof ret->host[0].name, "[%.250s]", r->host);
		ret->host[0].addr[0] = r->address;
		ret->host[0].n_addr = 1;
		return hosts_drop_self(ret, self, r->host, e);
	}
	if (r->kind == ROUTE_HOST)
		single(ret, r->host);
	else if (!find_mx(d, r->host, deadline_ms, ret, e))
		return false;
	/* Ourselves by name first: our own addresses may not be known here. */
	if (!hosts_drop_self(ret, self, r->host, e))
		return false;
	find_addresses(d, ret, r->port, deadline_ms, &why);
	return keep_usable(ret, r->host, &why, e) && hosts_drop_self(ret, self, r->host, e);
}
