#include "secure.h"

/* --- DANE ------------------------------------------------------------------------------------------------------------------- */

static bool read_tlsa(const struct dns_record *rec, struct tls_tlsa *ret)
{
	struct sv d = rec->data;
	if (d.n < 4)
		return false;
	*ret = (struct tls_tlsa){ (uint8_t)d.p[0], (uint8_t)d.p[1], (uint8_t)d.p[2], (const unsigned char *)d.p + 3, d.n - 3 };
	return true;
}

static void write_tlsa(const struct tls_tlsa *r, char *dst, size_t size)
{
	size_t n = strlen(dst);
	if (n + 2 * r->len + 20 > size) /* a whole certificate: for people it is as good as none */
		return;
	n += (size_t)snprintf(dst + n, size - n, "%u %u %u ", r->usage, r->selector, r->matching);
	for (size_t i = 0; i < r->len; i++)
		n += (size_t)snprintf(dst + n, size - n, "%02x", r->data[i]);
	snprintf(dst + n, size - n, "\n");
}

/* Of one base domain. *ret_found: there are validated records; what is not validated says nothing (RFC 7672 2.2). */
static bool ask_tlsa(struct dns *d, const struct secure_ask *q, const char *base, struct secure *s, bool *ret_found, struct err *e)
{
	char name[DNS_NAME_MAX + 20];
	struct dns_query query = { .name = name, .type = DNS_TLSA };
	snprintf(name, sizeof name, "_%u._tcp.%s", q->route->port, base);
	dns_ask_all(d, &query, 1, q->deadline_ms);
	*ret_found = query.answer.status == DNS_OK && query.answer.secure;
	if (query.answer.status >= DNS_FAILED) {
		/* RFC 7672 2.1.2: an attacker who can stop the answer must not be able to stop DANE with it. */
		err_dsn(e, ERR_TEMP, "4.7.5", "%s", query.answer.why);
		dns_answer_free(&query.answer);
		return false;
	}
	if (!*ret_found) {
		dns_answer_free(&query.answer);
		return true;
	}
	s->answer = query.answer;
	snprintf(s->base, sizeof s->base, "%s", base);
	return true;
}

static void take_records(struct secure *s, struct tls_attempt *t)
{
	size_t usable = 0;
	for (size_t i = 0; i < s->answer.n && s->n_tlsa < TLSA_MAX; i++) {
		struct tls_tlsa *r = &s->tlsa[s->n_tlsa];
		if (!read_tlsa(&s->answer.rec[i], r))
			continue;
		write_tlsa(r, t->tlsa, sizeof t->tlsa);
		usable += tls_tlsa_usable(r);
		s->n_tlsa++;
	}
	/* RFC 7672 2.2: records of which none is usable still say that TLS is there. */
	s->level = usable > 0 ? SECURE_DANE : SECURE_TLS;
	s->policy = TLS_POLICY_TLSA;
	if (usable == 0)
		t->result = TLS_RESULT_TLSA_INVALID;
}

/* The host's name may be believed: the list that names it was validated (RFC 7672 2.2.1). */
static bool can_dane(struct dns *d, const struct secure_ask *q)
{
	return dns_validates(d) && q->host->name[0] != '[' && (q->route->kind != ROUTE_MX || q->hosts->secure);
}

/* An alias in a signed zone that leads out of it: its own name may have TLSA records all the same (RFC 7672 2.2.2). */
static bool alias_is_secure(struct dns *d, const struct secure_ask *q)
{
	struct dns_query query = { .name = q->host->name, .type = DNS_CNAME };
	if (strcmp(q->host->canonical, q->host->name) == 0)
		return false;
	dns_ask_all(d, &query, 1, q->deadline_ms);
	bool secure = query.answer.status == DNS_OK && query.answer.secure;
	dns_answer_free(&query.answer);
	return secure;
}

/* RFC 7672 2.2.2: where the CNAMEs end goes first, then the name itself. */
static bool find_dane(struct dns *d, const struct secure_ask *q, struct secure *s, struct tls_attempt *t, struct err *e)
{
	const struct host *h = q->host;
	bool found = false;
	if (!can_dane(d, q) || (!h->secure && !alias_is_secure(d, q)))
		return true;
	bool ok = !h->secure || ask_tlsa(d, q, h->canonical, s, &found, e);
	if (ok && !found && strcmp(h->canonical, h->name) != 0)
		ok = ask_tlsa(d, q, h->name, s, &found, e);
	if (!ok) {
		t->policy = TLS_POLICY_TLSA;
		t->result = TLS_RESULT_DNSSEC_INVALID;
		return false;
	}
	if (!found)
		return true;
	take_records(s, t);
	s->sni = s->base;
	s->names[0] = s->base;
	s->names[1] = q->route->kind == ROUTE_MX ? q->route->host : NULL; /* RFC 7672 3.2.2 */
	return true;
}

/* --- MTA-STS ---------------------------------------------------------------------------------------------------------------- */

/* DANE goes first: RFC 8461 2. */
static bool apply_sts(const struct secure_ask *q, struct secure *s, struct tls_attempt *t, struct err *e)
{
	if (q->sts->mode == STS_NONE || s->policy == TLS_POLICY_TLSA)
		return true;
	bool named = sts_allows(q->sts->mx, q->host->name);
	s->policy = t->policy = TLS_POLICY_STS;
	t->testing = q->sts->mode == STS_TESTING;
	if (!named)
		t->result = TLS_RESULT_HOST_MISMATCH;
	if (t->testing) {
		s->look = named;
		return true;
	}
	if (!named) /* RFC 8461 4.1, 5 */
		return err_dsn(e, ERR_TEMP, "4.7.5", "the domain's MTA-STS policy does not name this host");
	s->level = MAX(s->level, SECURE_NAME);
	return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------------------- */

/* The host's name is not just what some DNS answer said. */
static bool sure_of_host(const struct secure_ask *q)
{
	return q->route->kind != ROUTE_MX || q->hosts->secure ||
	       (q->sts->mode != STS_NONE && sts_allows(q->sts->mx, q->host->name));
}

/* Whoever forges an MX record chooses the name that is in it, and has a certificate for that. Then the certificate must be for what
 * was configured or addressed, the domain or a name below it; without MX records the host is the domain. */
static void set_names(const struct secure_ask *q, struct secure *s)
{
	s->names[0] = s->sni;
	if (sure_of_host(q) || !q->hosts->mx)
		return;
	snprintf(s->below, sizeof s->below, ".%s", q->route->host);
	s->names[0] = s->below + 1;
	s->names[1] = s->below;
}

/* Whose host it is must be certain, and who answers (RFC 8689 4.2.1). */
static bool apply_requiretls(const struct secure_ask *q, struct secure *s, struct err *e)
{
	bool sure = sure_of_host(q);
	if (!q->requiretls)
		return true;
	s->requiretls = true;
	if (!sure || s->level == SECURE_NONE)
		return err_dsn(e, ERR_PERM, "5.7.30", "the sender demands TLS all the way (REQUIRETLS), but %s",
			sure ? "the route is without TLS" : "neither DNSSEC nor MTA-STS proves whose host this is");
	s->level = MAX(s->level, SECURE_NAME);
	return true;
}

static enum secure_level wished(enum cfg_tls_wish wish)
{
	static const enum secure_level levels[] = { [CFG_WISH_NONE] = SECURE_NONE,
		[CFG_WISH_MAY] = SECURE_MAY,
		[CFG_WISH_REQUIRE] = SECURE_TLS,
		[CFG_WISH_VERIFY] = SECURE_NAME,
		[CFG_WISH_DANE] = SECURE_DANE };
	return levels[wish];
}

static bool plan(struct dns *d, const struct secure_ask *q, struct secure *s, struct tls_attempt *t, struct err *e)
{
	enum cfg_tls_wish wish = q->route->tls;
	bool literal = q->host->name[0] == '[';
	s->level = MIN(wished(wish), SECURE_NAME);
	s->sni = literal ? NULL : q->host->name;
	s->prove = !literal && q->route->relay && q->route->relay->user[0] != '\0';
	set_names(q, s);
	bool ask = !q->arrive || wish == CFG_WISH_DANE;
	if (ask && wish != CFG_WISH_NONE && wish != CFG_WISH_VERIFY && !find_dane(d, q, s, t, e))
		return false;
	t->policy = s->policy;
	if (wish == CFG_WISH_DANE && s->level != SECURE_DANE) {
		t->result = TLS_RESULT_DANE_REQUIRED;
		return err_dsn(e, ERR_TEMP, "4.7.5", "tls = dane: there are no validated TLSA records that can be used");
	}
	if (ask && wish != CFG_WISH_NONE && !apply_sts(q, s, t, e))
		return false;
	if (!apply_requiretls(q, s, e))
		return false;
	if (literal && s->level >= SECURE_NAME)
		return err_dsn(e, ERR_TEMP, "4.3.5", "its certificate cannot be verified: the route gives an address, not a name");
	return true;
}

bool secure_plan(struct dns *d, const struct secure_ask *q, struct secure *ret, struct tls_attempt *t, struct err *e)
{
	*ret = (struct secure){ .policy = TLS_POLICY_NONE };
	*t = (struct tls_attempt){ .result = TLS_RESULT_OK };
	snprintf(t->domain, sizeof t->domain, "%s", q->route->host);
	snprintf(t->mx, sizeof t->mx, "%s", q->host->name);
	if (plan(d, q, ret, t, e))
		return true;
	snprintf(t->reason, sizeof t->reason, "%.199s", e->text);
	return false;
}

void secure_free(struct secure *s) { dns_answer_free(&s->answer); }
