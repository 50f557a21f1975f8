/* The context of libunbound: where it asks, what it trusts; and the questions in flight. */
#include "dns/dns.h"

#include "base/clock.h"
#include "base/fd.h"
#include "dns/event.h"

#include <fcntl.h>
#include <unbound.h>

#define SERVERS_MAX 8
#define RESOLV_CONF "/etc/resolv.conf"
#define FILE_MAX (64 * 1024)
#define CLASS_IN 1

struct dns_wait { /* libunbound holds it until its callback, whatever becomes of the query */
	struct dns_wait *prev, *next;
	struct dns *d;
	struct dns_query *q; /* NULL: cancelled */
	void (*on)(struct dns_query *q, void *arg);
	void *arg;
};

struct dns {
	struct ev_loop *loop;
	struct ub_event_base *base;
	struct ub_ctx *ctx;
	char *server[SERVERS_MAX];
	size_t n_servers;
	char text[200];
	char *anchor_file;
	char anchor[DNS_NAME_MAX]; /* the zone of the first trust anchor; "" none */
	struct dns_wait *first;
};

/* --- where to ask ----------------------------------------------------------------------------------------------------------- */

static void add_server(struct dns *d, struct sv address)
{
	if (d->n_servers < SERVERS_MAX)
		d->server[d->n_servers++] = mem_dup(address);
}

/* resolv.conf(5). Addresses with a zone (fe80::1%eth0) are of no use to libunbound. */
static void read_resolv_conf(struct dns *d)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct sv rest, line, word, address;
	bool ok = fd_read_path(AT_FDCWD, RESOLV_CONF, &text, NULL);
	rest = buf_sv(&text);
	while (ok && sv_cut(&rest, '\n', &line))
		if (sv_word(&line, &word) && sv_eqs(word, "nameserver") && sv_word(&line, &address) && sv_chr(address, '%') < 0)
			add_server(d, sv_trim(address));
	buf_free(&text);
	if (d->n_servers == 0)
		add_server(d, SV("127.0.0.1"));
}

/* What the first anchor is for: `. IN DNSKEY ...`, `signed.example. 3600 IN DS ...`. */
static void read_anchor(struct dns *d)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct sv rest, line, word;
	bool ok = d->anchor_file[0] != '\0' && fd_read_path(AT_FDCWD, d->anchor_file, &text, NULL);
	rest = buf_sv(&text);
	while (ok && d->anchor[0] == '\0' && sv_cut(&rest, '\n', &line))
		if (sv_word(&line, &word) && word.p[0] != ';' && !sv_copy(sv_trim(word), d->anchor, sizeof d->anchor))
			d->anchor[0] = '\0';
	buf_free(&text);
}

static void name_servers(struct dns *d)
{
	size_t used = 0;
	for (size_t i = 0; i < d->n_servers && used < sizeof d->text; i++)
		used += (size_t)snprintf(d->text + used, sizeof d->text - used, "%s%s", i > 0 ? ", " : "", d->server[i]);
}

const char *dns_servers(const struct dns *d) { return d->text; }

/* --- the context -------------------------------------------------------------------------------------------------------------- */

static bool set(struct ub_ctx *ctx, const char *name, const char *value, struct err *e)
{
	int rc = ub_ctx_set_option(ctx, name, value);
	return rc == 0 || err_set(e, ERR_PERM, "libunbound: %s %s: %s", name, value, ub_strerror(rc));
}

static void ignore(void *arg, int rcode, void *packet, int len, int secure, char *why, int limited)
{
	(void)arg, (void)rcode, (void)packet, (void)len, (void)secure, (void)why, (void)limited;
}

/* A server that was away is tried again after a minute, not 15. The first question, which libunbound answers itself, makes it read
 * its files now. */
static bool make_context(struct dns *d, struct err *e)
{
	struct ub_ctx *ctx = ub_ctx_create_ub_event(d->base);
	int rc = 0, id;
	if (!ctx)
		return err_set(e, ERR_TEMP, "libunbound cannot start");
	d->ctx = ctx;
	ub_ctx_debugout(ctx, NULL);
	if (!set(ctx, "do-not-query-localhost:", "no", e) || !set(ctx, "infra-host-ttl:", "60", e))
		return false;
	for (size_t i = 0; i < d->n_servers && rc == 0; i++) {
		rc = ub_ctx_set_fwd(ctx, d->server[i]);
		if (rc != 0)
			return err_set(e, ERR_PERM, "dns_servers: %s is not an address", d->server[i]);
	}
	if (d->anchor[0] != '\0')
		rc = ub_ctx_add_ta_file(ctx, d->anchor_file);
	if (rc == 0)
		rc = ub_resolve_event(ctx, "localhost.", DNS_A, CLASS_IN, NULL, ignore, &id);
	return rc == 0 || err_set(e, ERR_PERM, "libunbound: %s%s%s", ub_strerror(rc), d->anchor[0] ? ": " : "",
				  d->anchor[0] ? d->anchor_file : "");
}

struct dns *dns_new(const struct dns_options *o, struct ev_loop *loop, struct err *e)
{
	struct dns *d = mem_new(sizeof *d);
	d->loop = loop;
	d->base = dns_events_new(loop);
	d->anchor_file = mem_dup(sv_of(o->anchor_file));
	for (size_t i = 0; i < o->n_servers; i++)
		add_server(d, sv_of(o->servers[i]));
	if (d->n_servers == 0)
		read_resolv_conf(d);
	name_servers(d);
	read_anchor(d);
	if (make_context(d, e))
		return d;
	dns_free(d);
	return NULL;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	if (d->ctx)
		ub_ctx_delete(d->ctx);
	dns_events_free(d->base);
	while (d->first) {
		struct dns_wait *w = d->first;
		d->first = w->next;
		free(w);
	}
	for (size_t i = 0; i < d->n_servers; i++)
		free(d->server[i]);
	free(d->anchor_file);
	free(d);
}

/* --- questions ------------------------------------------------------------------------------------------------------------------
 */

static const char *type_name(enum dns_type type)
{
	static const struct {
		enum dns_type type;
		const char *name;
	} names[] = { { DNS_A, "A" }, { DNS_AAAA, "AAAA" }, { DNS_MX, "MX" }, { DNS_TXT, "TXT" }, { DNS_TLSA, "TLSA" },
		{ DNS_PTR, "PTR" }, { DNS_CNAME, "CNAME" }, { DNS_DNSKEY, "DNSKEY" } };
	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].type == type)
			return names[i].name;
	return "?";
}

static void fail(const struct dns *d, struct dns_query *q, enum dns_status status, const char *what)
{
	q->answer = (struct dns_answer){ .status = status };
	snprintf(q->answer.why, sizeof q->answer.why, "%s %.80s: %s (resolver %.60s)", type_name(q->type), q->name, what, d->text);
}

static void explain(const struct dns *d, struct dns_query *q)
{
	const char *what = q->answer.status == DNS_NXDOMAIN ? "no such name" : "no such record";
	if (q->answer.status != DNS_OK)
		snprintf(q->answer.why, sizeof q->answer.why, "%s %.80s: %s (resolver %.60s)", type_name(q->type), q->name, what,
			d->text);
}

static void on_answer(void *arg, int rcode, void *packet, int len, int secure, char *why, int limited)
{
	struct dns_wait *w = arg;
	struct dns_query *q = w->q;
	struct sv bytes = { packet, packet && len > 0 ? (size_t)len : 0 };
	(void)why, (void)limited;
	*(w->prev ? &w->prev->next : &w->d->first) = w->next;
	if (w->next)
		w->next->prev = w->prev;
	if (q) {
		if (secure == 1)
			fail(w->d, q, DNS_BOGUS, "its signatures are not valid");
		else if (rcode != 0)
			fail(w->d, q, DNS_FAILED, "the servers give no answer");
		else if (!dns_packet_parse(bytes, q->name, q->type, &q->answer))
			fail(w->d, q, DNS_FAILED, "the answer cannot be read");
		else
			explain(w->d, q);
		q->answer.secure = secure == 2;
		q->done = true;
		q->waits = NULL;
		if (w->on)
			w->on(q, w->arg);
	}
	free(w);
}

void dns_ask(struct dns *d, struct dns_query *q, void (*on)(struct dns_query *, void *), void *arg)
{
	struct dns_wait *w = mem_new(sizeof *w);
	int id, rc;
	*w = (struct dns_wait){ .next = d->first, .d = d, .q = q, .on = on, .arg = arg };
	if (d->first)
		d->first->prev = w;
	d->first = w;
	q->done = false;
	q->waits = w;
	rc = ub_resolve_event(d->ctx, q->name, (int)q->type, CLASS_IN, w, on_answer, &id);
	if (rc != 0) /* its callback was not called and will not be */
		on_answer(w, 2, NULL, 0, 0, NULL, 0);
}

void dns_cancel(struct dns_query *q)
{
	if (q->waits)
		q->waits->q = NULL;
	q->waits = NULL;
}

void dns_ask_all(struct dns *d, struct dns_query *q, size_t n, uint64_t deadline_ms)
{
	size_t left = n;
	for (size_t i = 0; i < n; i++)
		dns_ask(d, &q[i], NULL, NULL);
	for (;;) {
		left = 0;
		for (size_t i = 0; i < n; i++)
			left += !q[i].done;
		uint64_t now = clock_mono_ms();
		if (left == 0 || now >= deadline_ms)
			break;
		ev_turn(d->loop, (int)MIN(deadline_ms - now, 60000u));
	}
	for (size_t i = 0; i < n && left > 0; i++) {
		if (q[i].done)
			continue;
		dns_cancel(&q[i]);
		fail(d, &q[i], DNS_TIMEOUT, "no answer in time");
		q[i].done = true;
	}
}

/* --- validation -----------------------------------------------------------------------------------------------------------------
 */

bool dns_validates(const struct dns *d) { return d->anchor[0] != '\0'; }

bool dns_probe(struct dns *d, uint64_t deadline_ms, char *ret_why, size_t why_size)
{
	struct dns_query q = { .name = d->anchor, .type = DNS_DNSKEY };
	struct err e;
	ret_why[0] = '\0';
	if (!dns_validates(d))
		return false;
	dns_ask_all(d, &q, 1, deadline_ms);
	bool stripped =
		q.answer.status == DNS_BOGUS || ((q.answer.status == DNS_OK || q.answer.status == DNS_NODATA) && !q.answer.secure);
	dns_answer_free(&q.answer);
	if (!stripped)
		return true;
	snprintf(ret_why, why_size, "resolver %s does not pass on the signatures of %s", d->text, d->anchor);
	ub_ctx_delete(d->ctx);
	d->ctx = NULL;
	while (d->first) { /* of a context that is gone */
		struct dns_wait *w = d->first;
		d->first = w->next;
		free(w);
	}
	d->anchor[0] = '\0';
	if (!make_context(d, &e))
		BUG_IF(true); /* the same was good at start */
	return false;
}
