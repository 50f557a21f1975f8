/* One order: where to, over the connection at hand or a new one, host after host. Start reading here. */
#include "agent.h"

#include "base/log.h"

#include <errno.h>

#define PROBE_MS 5000
#define HOST_SESSIONS_MAX 2 /* with one host in one attempt, each at another of its addresses */

uint64_t agent_idle_end(const struct agent *a) { return a->peer.open ? a->peer.idle_ms + a->cfg->remote.remote_idle * 1000 : 0; }

static void log_sent(const struct order *o, const struct peer *p)
{
	size_t delivered = 0, refused = 0;
	for (size_t i = 0; i < o->n; i++) {
		delivered += o->item[i].settled && o->item[i].res.status == DELIVERED;
		refused += o->item[i].settled && o->item[i].res.status != DELIVERED;
	}
	LOG_INFO("sent", KV_QID(o->item[0].req.id), KV_STR("relay", p->label), KV_STR("tls", p->tls),
		KV_U64("delivered", delivered), KV_U64("refused", refused), KV_U64("size", o->wire_size),
		KV_U64("message", p->messages));
}

static void log_failed(const struct order *o, const struct peer *p, const struct err *e)
{
	LOG_INFO("host-failed", KV_QID(o->item[0].req.id), KV_STR("relay", p->label), KV_STR("tls", p->tls), KV_STR("dsn", e->dsn),
		KV_ERR(e));
}

/* All transactions that the order needs over one connection. False: *e, and what is not settled may go elsewhere. */
static bool run(struct agent *a, struct order *o, struct err *e)
{
	struct peer *p = &a->peer;
	p->deadline_ms = o->deadline_ms;
	p->c.ignore_wake = false;
	do {
		if (!transaction(p, o, &a->cfg->remote, e)) {
			log_failed(o, p, e);
			return false;
		}
	} while (o->retry && !p->broken);
	log_sent(o, p);
	if (o->retry)
		return err_dsn(e, ERR_TEMP, "4.5.3", "it takes no more recipients now");
	return true;
}

static bool interrupted(struct agent *a, const struct err *e)
{
	a->aborted = a->aborted || e->sys == EINTR;
	return a->aborted;
}

/* The connection of the last order, when it leads to the same place. One that ended meanwhile is no failure of the host. */
static bool run_kept(struct agent *a, struct order *o, const struct route *r)
{
	struct peer *p = &a->peer;
	struct err e;
	if (!p->open)
		return false;
	bool usable = strcmp(p->key, r->key) == 0 && (p->strict || !o->options.requiretls) && p->lax == o->arrive &&
		      !peer_gone(p) && p->messages < a->cfg->remote.remote_messages_max && clock_mono_ms() < agent_idle_end(a);
	bool ok = usable && run(a, o, &e);
	if (ok && !p->broken)
		return true;
	if (usable && !ok)
		interrupted(a, &e);
	peer_close(p);
	return a->aborted || !order_open(o);
}

/* The result of opening, or of using it. True: done with the order, or nothing more may be tried. */
static bool use(struct agent *a, struct order *o, bool opened, struct err *e)
{
	struct peer *p = &a->peer;
	if (!opened) {
		log_failed(o, p, e);
		peer_close(p);
		return interrupted(a, e);
	}
	a->reached = true;
	bool ok = run(a, o, e);
	if (!ok || p->broken || a->cfg->remote.remote_idle == 0)
		peer_close(p);
	return ok || interrupted(a, e) || !order_open(o);
}

static void new_peer(struct peer *p, const char *label)
{
	*p = (struct peer){ .c.fd = -1 };
	snprintf(p->label, sizeof p->label, "%s", label);
	snprintf(p->tls, sizeof p->tls, "no");
}

static void log_tls(const struct order *o, const struct peer *p, const struct tls_attempt *t)
{
	static const char *const policies[] = { [TLS_POLICY_NONE] = "none", [TLS_POLICY_STS] = "sts", [TLS_POLICY_TLSA] = "tlsa" };
	bool good = t->result == TLS_RESULT_OK;
	LOG_INFO("tls", KV_QID(o->item[0].req.id), KV_STR("relay", p->label), KV_STR("policy", policies[t->policy]),
		KV_STR("tls", p->tls),
		KV_STR("result", good         ? "ok"
				 : t->testing ? "failed-testing"
					      : "failed"),
		KV_STR("reason", t->reason));
}

/* RFC 7435: where TLS is only welcome, one that fails must not stop the mail. */
static bool open_host(struct agent *a, struct order *o, const struct host *h, struct peer_options *po, struct err *e)
{
	struct peer *p = &a->peer;
	struct secure clear = *po->secure;
	bool ok = peer_open(p, h, po, e);
	if (p->tls_tried) {
		log_tls(o, p, po->attempt);
		policy_report(a->policies, po->attempt);
	}
	if (ok || !p->tls_failed || po->secure->level != SECURE_MAY)
		return ok;
	peer_close(p);
	new_peer(p, h->name);
	clear.level = SECURE_NONE;
	po->secure = &clear;
	return peer_open(p, h, po, e);
}

static bool run_host(
	struct agent *a, struct order *o, const struct route *r, const struct hosts *hosts, const struct host *h, struct err *e)
{
	uint64_t end = clock_mono_ms() + a->cfg->remote.dns_timeout * 1000;
	const struct secure_ask q = { r, hosts, h, &a->sts, o->options.requiretls, o->arrive, end };
	struct secure s;
	struct tls_attempt t;
	struct peer_options po = { .cfg = a->cfg,
		.route = r,
		.wake = a->wake,
		.deadline_ms = o->deadline_ms,
		.lax = o->arrive,
		.tls = a->tls,
		.passwords = a->passwords,
		.secure = &s,
		.attempt = &t };
	new_peer(&a->peer, h->name);
	bool ok = secure_plan(a->dns, &q, &s, &t, e);
	if (ok)
		ok = open_host(a, o, h, &po, e);
	else
		policy_report(a->policies, &t);
	secure_free(&s);
	return use(a, o, ok, e);
}

static void forget_address(struct host *h, const struct addr *at)
{
	size_t n = 0;
	for (size_t i = 0; i < h->n_addr; i++)
		if (!addr_same_ip(&h->addr[i], at))
			h->addr[n++] = h->addr[i];
	h->n_addr = n;
}

/* RFC 5321 5.1: a host's other addresses are tried as well. dial() sees to those that do not answer; here are those that answer and
 * are of no use: one of several machines that is down behind its port. */
static bool run_addresses(
	struct agent *a, struct order *o, const struct route *r, const struct hosts *hosts, const struct host *h, struct err *e)
{
	struct host left = *h;
	for (int i = 0; i < HOST_SESSIONS_MAX; i++) {
		if (run_host(a, o, r, hosts, &left, e))
			return true;
		forget_address(&left, &a->peer.at);
		if (e->kind == ERR_PERM || a->peer.at.family == 0 || left.n_addr == 0 || clock_mono_ms() >= o->deadline_ms)
			return false;
	}
	return false;
}

/* What stopped this order is the fate of all mail to the destination. REQUIRETLS asks more than other mail does. */
static bool all_mail(const struct agent *a, const struct order *o) { return !a->reached && !o->options.requiretls; }

/* A host that says "never" fails the order only if none says "later". */
static void run_hosts(struct agent *a, struct order *o, const struct route *r, const struct hosts *hosts)
{
	struct err e = { 0 }, temp = { 0 };
	size_t n = MIN(hosts->n, (size_t)a->cfg->remote.remote_hosts_max);
	char where[sizeof a->peer.label] = "";
	for (size_t i = 0; i < n && clock_mono_ms() < o->deadline_ms; i++) {
		if (run_addresses(a, o, r, hosts, &hosts->host[i], &e))
			return;
		if (e.kind != ERR_PERM)
			temp = e;
		snprintf(where, sizeof where, "%s", a->peer.label);
	}
	order_settle(o, temp.kind != ERR_NONE ? &temp : &e, "4.4.1", where, all_mail(a, o));
}

static void run_unix(struct agent *a, struct order *o, const struct route *r)
{
	const struct peer_options po = {
		.cfg = a->cfg, .route = r, .wake = a->wake, .deadline_ms = o->deadline_ms, .passwords = a->passwords
	};
	struct err e;
	new_peer(&a->peer, "");
	if (!use(a, o, peer_open_unix(&a->peer, &po, &e), &e))
		order_settle(o, &e, "4.4.1", a->peer.label, all_mail(a, o));
}

/* MTA-STS is a domain's, not a route's (RFC 8461 5). */
static void find_policy(struct agent *a, const struct route *r)
{
	a->sts.mode = STS_NONE;
	if (r->kind == ROUTE_MX && r->tls != CFG_WISH_NONE)
		policy_find(a->policies, r->host, clock_mono_ms() + a->cfg->remote.dns_timeout * 1000, &a->sts);
}

/* Once for each worker, when it first needs an answer: without a DNS it takes its whole time. */
static void probe(struct agent *a, const struct route *r)
{
	char why[200];
	if (a->probed || r->kind == ROUTE_ADDRESS)
		return;
	a->probed = true;
	if (!dns_probe(a->dns, clock_mono_ms() + PROBE_MS, why, sizeof why) && why[0] != '\0')
		LOG_WARN("dnssec-off", KV_STR("reason", why));
}

/* A [relay] that cannot be found is the admin's to mend: nothing bounces for it. */
static void no_route(struct order *o, const struct route *r, struct err *e)
{
	if (r->relay && r->relay->host[0] != '\0') {
		e->kind = ERR_TEMP;
		err_add(e, "[relay %.60s]", r->relay->name);
		snprintf(e->dsn, sizeof e->dsn, "4.3.5");
	}
	order_settle(o, e, "4.3.5", "", true);
}

void deliver(struct agent *a, struct order *o)
{
	struct route r;
	struct hosts hosts;
	struct err e;
	uint64_t now = clock_mono_ms();
	const struct maddr *sender = o->item[0].req.stranger ? NULL : &o->author;
	a->aborted = a->reached = false;
	o->deadline_ms = now + a->cfg->remote.remote_timeout * 1000;
	if (!order_begin(o, &e) || !content_measure(o, &e) || !route_find(a->cfg, sender, &o->item[0].addr, &r, &e)) {
		order_settle(o, &e, "4.3.0", "", false);
		return;
	}
	if (run_kept(a, o, &r))
		return;
	if (r.kind == ROUTE_UNIX) {
		run_unix(a, o, &r);
		return;
	}
	probe(a, &r);
	find_policy(a, &r);
	now = clock_mono_ms();
	if (hosts_find(a->dns, &a->self, &r, now + a->cfg->remote.dns_timeout * 1000, &hosts, &e))
		run_hosts(a, o, &r, &hosts);
	else
		no_route(o, &r, &e);
}
