#include "daily.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hmap.h"
#include "base/log.h"

#include <string.h>

#define SAVE_MS 60000
#define LOOK_MS (10 * 60 * 1000) /* is a day over? */
#define LOOK_FIRST_MS 2000       /* after a start */
#define SPREAD_SECS (4 * 3600)   /* RFC 8460 4.1: not all the world at midnight */
#define GIVE_UP_SECS (2 * FACTS_DAY)

struct daily {
	const struct cfg *cfg;
	struct ev_loop *loop;
	int dir;
	struct cache *cache;
	struct facts *today, *past; /* past: whose reports are being sent */
	struct errands reporter;
	bool sending;
	char domain[FACTS_DOMAIN_MAX + 1]; /* whose report is on its way */
	struct ev_timer save, look;
	struct server *server;
	void (*on_dead)(struct server *s);
};

static void save(struct facts *f)
{
	struct err e;
	if (f && !facts_save(f, &e))
		LOG_WARN("facts-failed", KV_ERR(&e));
}

/* --- counting ---------------------------------------------------------------------------------------------------------------- */

static struct facts *open_day(struct daily *d, uint64_t day)
{
	struct err e;
	if (!cache_ready(d->cache))
		return NULL;
	struct facts *f = facts_open(d->dir, day, &e);
	if (!f)
		LOG_WARN("facts-failed", KV_ERR(&e));
	return f;
}

void daily_count(struct daily *d, const struct fact *fact, uint64_t now)
{
	uint64_t day = now - now % FACTS_DAY;
	if (!d->cfg->remote.tls_reports)
		return;
	if (d->today && facts_day(d->today) != day) {
		save(d->today);
		facts_free(d->today);
		d->today = NULL;
	}
	if (!d->today)
		d->today = open_day(d, day);
	if (!d->today)
		return;
	facts_add(d->today, fact);
	if (!d->save.place)
		ev_timer_set(d->loop, &d->save, SAVE_MS);
}

static void on_save(struct ev_timer *t, void *arg)
{
	struct daily *d = arg;
	(void)t;
	save(d->today);
}

/* --- sending: one domain after the other ------------------------------------------------------------------------------------- */

static void end_past(struct daily *d)
{
	save(d->past);
	facts_free(d->past);
	d->past = NULL;
	ev_timer_set(d->loop, &d->look, 0); /* there may be an older day */
}

static void send_next(struct daily *d)
{
	if (!facts_next_domain(d->past, d->domain)) {
		end_past(d);
		return;
	}
	struct report_ask *q = mem_new(sizeof *q);
	struct buf rows = BUF_INIT(REPORT_ROWS_MAX);
	snprintf(q->domain, sizeof q->domain, "%s", d->domain);
	q->id = q->from = facts_day(d->past);
	facts_text(d->past, d->domain, &rows);
	BUG_IF(!sv_copy(buf_sv(&rows), q->rows, sizeof q->rows));
	d->sending = errands_ask(&d->reporter, q);
	buf_free(&rows);
	free(q);
}

/* One that fails now is tried no more: the next day has its own (RFC 8460 5.4 leaves the choice). */
static void on_answer(void *arg, const void *answer)
{
	struct daily *d = arg;
	const struct report_answer *a = answer;
	d->sending = false;
	if (a->status == REPORT_SENT)
		LOG_INFO("tls-report", KV_STR("domain", d->domain), KV_STR("to", a->text));
	else if (a->status == REPORT_FAILED)
		LOG_WARN("tls-report-failed", KV_STR("domain", d->domain), KV_STR("reason", a->text));
	facts_drop(d->past, d->domain);
	save(d->past);
	send_next(d);
}

/* The moment in the night is ours alone, and the same each day. */
static uint64_t spread(const struct daily *d) { return hash_bytes(sv_of(d->cfg->global.hostname)) % SPREAD_SECS; }

static void on_look(struct ev_timer *t, void *arg)
{
	struct daily *d = arg;
	uint64_t now = clock_real_secs(), today = now - now % FACTS_DAY, day;
	ev_timer_set(d->loop, t, LOOK_MS);
	if (d->past || d->reporter.io.fd < 0 || !d->cfg->remote.tls_reports || !cache_ready(d->cache) ||
		!facts_oldest(d->dir, today, &day) || now < day + FACTS_DAY + spread(d))
		return;
	d->past = open_day(d, day);
	if (d->past && now < day + FACTS_DAY + GIVE_UP_SECS)
		send_next(d);
	else if (d->past)
		while (facts_next_domain(d->past, d->domain))
			facts_drop(d->past, d->domain);
	if (d->past && !d->sending)
		end_past(d);
}

static void on_dead(void *arg)
{
	struct daily *d = arg;
	d->on_dead(d->server);
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

struct daily *daily_new(const struct daily_options *o, struct err *e)
{
	struct daily *d = mem_new(sizeof *d);
	*d = (struct daily){ .cfg = o->cfg,
		.loop = o->loop,
		.dir = o->dirfd,
		.cache = o->cache,
		.server = o->server,
		.on_dead = o->on_dead,
		.save = { .on = on_save, .arg = d },
		.look = { .on = on_look, .arg = d },
		.reporter = { .ask = &report_ask_desc,
			.answer = &report_answer_desc,
			.on_answer = on_answer,
			.on_dead = on_dead,
			.arg = d } };
	d->reporter.io.fd = -1;
	if (o->fd >= 0 && !errands_init(&d->reporter, o->loop, o->fd, 1, e)) {
		free(d);
		return NULL;
	}
	if (o->fd >= 0)
		ev_timer_set(o->loop, &d->look, LOOK_FIRST_MS);
	return d;
}

void daily_free(struct daily *d)
{
	if (!d)
		return;
	save(d->today);
	save(d->past);
	facts_free(d->today);
	facts_free(d->past);
	ev_timer_clear(d->loop, &d->save);
	ev_timer_clear(d->loop, &d->look);
	errands_free(&d->reporter);
	free(d);
}
