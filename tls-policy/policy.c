/* What a domain demands: from the cache at once; what is not known is fetched while remote-delivery waits; what is old is fetched
 * again behind its back (RFC 8461 3.3, 5.1). */
#include "server.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define RECHECK_SECS 3600 /* is the id in DNS still the one that we have? */
#define ABSENT_SECS 3600  /* a domain without a policy may get one */
#define RETRY_SECS 300    /* after a failure */
#define POLICY_TEXT_MAX (STS_PATTERNS_MAX + 4000)

static struct sv key_of(const char *domain) { return sv_of(domain); }

static void answer_with(struct chan *c, const struct cached *known)
{
	struct sts_answer a = { .mode = STS_NONE };
	if (known) {
		a.mode = known->policy.mode;
		a.max_age = known->policy.max_age;
		snprintf(a.id, sizeof a.id, "%s", known->id);
		snprintf(a.mx, sizeof a.mx, "%s", known->policy.mx);
	}
	chan_answer(c, &a);
}

/* --- fetching ---------------------------------------------------------------------------------------------------------------- */

static bool ask(struct server *s, const struct fetch *f, const char *known_id)
{
	struct fetch_ask q = { .id = f->id };
	snprintf(q.name, sizeof q.name, "%s", f->domain);
	snprintf(q.known, sizeof q.known, "%s", known_id);
	return errands_ask(&s->fetcher, &q);
}

static struct fetch *begin(struct server *s, const char *domain, const char *known_id)
{
	struct fetch *f = hmap_get(s->fetches, key_of(domain));
	if (f)
		return f;
	f = mem_new(sizeof *f);
	f->id = ++s->last_id;
	snprintf(f->domain, sizeof f->domain, "%s", domain);
	if (hmap_put(s->fetches, key_of(domain), f)) {
		if (ask(s, f, known_id))
			return f;
		hmap_del(s->fetches, key_of(domain));
	}
	free(f);
	return NULL;
}

static void wait_for(struct chan *c, struct fetch *f)
{
	c->waits_for = f;
	c->next = f->first;
	f->first = c;
	ev_want(c->server->loop, &c->io, 0); /* one question at a time */
}

void policy_forget(struct chan *c)
{
	if (!c->waits_for)
		return;
	struct chan **at = &c->waits_for->first;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->waits_for = NULL;
}

static struct fetch *find_fetch(const struct server *s, uint64_t id)
{
	size_t cursor = 0;
	struct sv key;
	void *f;
	while (hmap_next(s->fetches, &cursor, &key, &f))
		if (((struct fetch *)f)->id == id)
			return f;
	return NULL;
}

/* --- how it went ---------------------------------------------------------------------------------------------------------------
 */

/* RFC 8460 4.3, in the order of remote-delivery's enum tls_result. */
static const char *const results[TLS_RESULT_MAX + 1] = { "", "starttls-not-supported", "certificate-host-mismatch",
	"certificate-expired", "certificate-not-trusted", "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required" };
enum { BY_NONE, BY_STS, BY_TLSA }; /* its enum tls_policy_type */

static void put_sts(struct server *s, const char *domain, struct buf *out)
{
	struct cached known;
	struct sv host, rest;
	if (cache_get(s->cache, domain, &known) != CACHE_FOUND)
		return;
	buf_putf(out, "version: STSv1\x1fmode: %s\x1f", sts_mode_name(known.policy.mode));
	for (rest = sv_of(known.policy.mx); sv_word(&rest, &host);)
		buf_putf(out, "mx: %.*s\x1f", (int)host.n, host.p);
	buf_putf(out, "max_age: %llu", (unsigned long long)known.policy.max_age);
}

static void put_tlsa(const char *records, struct buf *out)
{
	for (const char *p = records; *p; p++)
		buf_putc(out, *p == '\n' ? '\x1f' : *p);
}

bool policy_on_fact(void *chan, void *msg, struct err *e)
{
	static const char *const types[] = { [BY_NONE] = "no-policy-found", [BY_STS] = "sts", [BY_TLSA] = "tlsa" };
	struct server *s = ((struct chan *)chan)->server;
	const struct tls_fact *q = msg;
	struct buf policy = BUF_INIT(POLICY_TEXT_MAX);
	(void)e;
	if (q->policy == BY_STS)
		put_sts(s, q->domain, &policy);
	else if (q->policy == BY_TLSA)
		put_tlsa(q->tlsa, &policy);
	const struct fact f = { q->domain, types[q->policy], buf_str(&policy), results[q->result], q->from, q->mx, q->hello, q->to,
		q->reason };
	const struct fact good = { .domain = q->domain,
		.type = types[q->policy],
		.policy = buf_str(&policy),
		.result = "",
		.from = "",
		.mx = "",
		.hello = "",
		.to = "",
		.reason = "" }; /* successes are counted, no more */
	daily_count(s->daily, q->result == 0 ? &good : &f, clock_real_secs());
	buf_free(&policy);
	return true;
}

/* A policy that is announced and cannot be had is a failure, too. */
static void count_failure(struct server *s, const char *domain, const char *why)
{
	const struct fact f = { .domain = domain,
		.type = "sts",
		.policy = "",
		.result = "sts-policy-fetch-error",
		.from = "",
		.mx = "",
		.hello = "",
		.to = "",
		.reason = why };
	daily_count(s->daily, &f, clock_real_secs());
}

/* --- what came back ---------------------------------------------------------------------------------------------------------- */

static void log_outcome(struct server *s, const struct fetch *f, const struct fetch_answer *a, bool had)
{
	if (a->status == FETCH_OK)
		LOG_INFO("sts-policy", KV_STR("domain", f->domain), KV_STR("mode", sts_mode_name((enum sts_mode)a->mode)),
			KV_STR("id", a->policy_id), KV_U64("max_age", a->max_age), KV_STR("mx", a->mx));
	else if (a->status == FETCH_FAILED && log_may(&s->rate, "sts-failed", clock_mono_ms()))
		LOG(had ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "sts-failed", KV_STR("domain", f->domain), KV_STR("reason", a->text),
			KV_STR("known", had ? "yes" : "no"));
}

/* A policy in hand holds until its age is over, whatever DNS or the web server say meanwhile: else an attacker could make it go
 * away (RFC 8461 10.2). Its age counts from when it was fetched; that DNS still names its id makes it no younger (3.2). */
static void learn(struct cached *known, bool had, const struct fetch_answer *a, uint64_t now)
{
	if (a->status == FETCH_OK) {
		*known = (struct cached){ .fetched = now, .policy = { .mode = (enum sts_mode)a->mode, .max_age = a->max_age } };
		snprintf(known->id, sizeof known->id, "%s", a->policy_id);
		snprintf(known->policy.mx, sizeof known->policy.mx, "%s", a->mx);
	} else if (!had) {
		*known = (struct cached){ .fetched = now };
	}
	known->look_again = now + (a->status == FETCH_FAILED ? RETRY_SECS : a->status == FETCH_ABSENT ? ABSENT_SECS : RECHECK_SECS);
}

void policy_on_fetched(void *server, const void *answer)
{
	struct server *s = server;
	const struct fetch_answer *a = answer;
	struct fetch *f = find_fetch(s, a->id);
	struct cached known = { .id = "" };
	uint64_t now = clock_real_secs();
	if (!f)
		return;
	enum cache_found found = cache_get(s->cache, f->domain, &known);
	bool had = found == CACHE_FOUND && cached_holds(&known, now);
	if (a->status == FETCH_SAME && !had && ask(s, f, "")) /* its age ended meanwhile */
		return;
	log_outcome(s, f, a, had);
	if (a->status == FETCH_FAILED)
		count_failure(s, f->domain, a->text);
	learn(&known, had, a, now);
	if (found != CACHE_FAILED || a->status == FETCH_OK) /* what may be there is not overwritten with nothing */
		(void)cache_put(s->cache, f->domain, &known);
	while (f->first) {
		struct chan *c = f->first;
		policy_forget(c);
		ev_want(s->loop, &c->io, EV_READ);
		answer_with(c, cached_holds(&known, now) ? &known : NULL);
	}
	hmap_del(s->fetches, key_of(f->domain));
	free(f);
}

/* More than half of its time is over: not only its id is looked at, it is fetched anew, so that it does not run out. */
static bool ages(const struct cached *c, uint64_t now) { return now - c->fetched > c->policy.max_age / 2; }

/* --- questions --------------------------------------------------------------------------------------------------------------- */

bool policy_on_ask(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct sts_ask *q = msg;
	struct server *s = c->server;
	struct cached known = { .id = "" };
	uint64_t now = clock_real_secs();
	bool have = cache_get(s->cache, q->domain, &known) == CACHE_FOUND, holds = have && cached_holds(&known, now);
	bool fresh = have && now < known.look_again && known.fetched <= now;
	(void)e;
	if (q->domain[0] == '\0' || !s->cfg->remote.mta_sts) {
		answer_with(c, NULL);
		return true;
	}
	struct fetch *f = fresh ? NULL : begin(s, q->domain, holds && !ages(&known, now) ? known.id : "");
	if (holds || !f)
		answer_with(c, holds ? &known : NULL);
	else
		wait_for(c, f);
	return true;
}
