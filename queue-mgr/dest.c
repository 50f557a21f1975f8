#include "dest.h"

#include "finish.h"
#include "sender.h"
#include "work.h"
#include "base/clock.h"
#include "base/hmap.h"
#include "base/log.h"
#include "mail/relay.h"

#define PUT_OFF_PER_TURN 100
#define JITTER_PARTS 8
#define RATE_WINDOW 60 /* seconds */
#define RATE_LEAST 5   /* a minute: is that too fast too, the rests make it slower */
#define FORGET_AT_ONCE (DESTS_MAX / 4)
#define MS 1000
#define MINUTE_US 60000000u

struct dest_info {
	struct qmgr *q;
	uint32_t key;
	const struct cfg_relay *relay; /* the route; NULL: none */
	char name[256];
	enum { UP, PROBING, DOWN } state;
	unsigned failures;     /* in a row */
	unsigned pauses;       /* since it is down */
	uint32_t until;        /* DOWN: when it is probed */
	uint32_t rest;         /* nothing is begun before; 0: none */
	uint32_t calm;         /* until when the rest is one that it asked for */
	uint64_t next_us;      /* by its rate the next may begin then */
	unsigned cap;          /* learnt: connections at once; 0: none */
	uint64_t rate;         /* learnt: messages a minute; 0: none */
	uint32_t lesson;       /* until when both hold */
	uint32_t minute;       /* when this RATE_WINDOW began */
	uint32_t sent, before; /* messages begun in it, and in the one before */
	uint64_t delivered, deferred;
	uint32_t heard; /* when it said `reply` */
	char reply[300];
	struct ev_timer timer;          /* the end of a pause */
	struct dest_info *next_put_off; /* in dests.put_off */
	bool in_put_off;
};

struct dests {
	struct hmap *by_key;
	struct dest_info *put_off; /* down, and something may wait */
	struct ev_timer again;
	uint32_t full; /* when there was nothing to forget */
};

/* --- what an answer means ---------------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* RFC 3463: X.4.* is network and routing. Throttling has no code of its own: 421, 4.7.0 and Gmail's 4.7.28 are what the large ones
 * say; greylisting is 4.7.1 or 4.2.* and concerns one message. */
enum dest_verdict dest_verdict(const struct deliver_res *res)
{
	if (res->status != DEFERRED)
		return DEST_WELL;
	if (begins(res->text, "421") || strcmp(res->dsn, "4.7.0") == 0 || strcmp(res->dsn, "4.7.28") == 0 ||
		strcmp(res->dsn, "4.4.5") == 0)
		return DEST_TOO_FAST;
	return res->host != 0 ? DEST_AWAY : begins(res->dsn, "4.4.") ? DEST_LOST : DEST_WELL;
}

static struct sv key_of(const uint32_t *key) { return (struct sv){ (const char *)key, sizeof(*key) }; }

static struct dest_info *find(const struct qmgr *q, uint32_t key) { return hmap_get(q->dests->by_key, key_of(&key)); }

/* --- routes ------------------------------------------------------------------------------------------------------------------ */

static const char *domain_of(const struct rcpt *r)
{
	const char *at = strrchr(r->addr, '@');
	return at != NULL ? at + 1 : r->addr;
}

/* As remote-delivery will find it: by the sender that it is told, unless a stranger says so. */
static const struct cfg_relay *relay_of(const struct qmgr *q, const struct rcpt *r)
{
	char text[ADDRESS_MAX + 1];
	struct maddr sender;
	if (q->cfg->relays.len == 0)
		return NULL;
	sender_of(q, r, text);
	bool believed = r->msg->trust == SPOOL_LOCAL || r->msg->trust == SPOOL_AUTHENTICATED;
	bool known = believed && text[0] != '\0' && maddr_parse(sv_of(text), MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &sender, NULL);
	return relay_find(q->cfg, known ? &sender : NULL, domain_of(r));
}

static const char *place_of(const struct cfg_relay *relay, const struct rcpt *r)
{
	return relay != NULL && relay->host[0] != '\0' ? relay->host : domain_of(r);
}

static bool is_at(const struct dest_info *d, const struct cfg_relay *relay, const struct rcpt *r)
{
	return d->relay == relay && sv_ieqs(sv_of(place_of(relay, r)), d->name);
}

/* Keys are short, and anybody can find a domain that has the key of another: where that is known to be another's, this one takes
 * the next. Else who is down could take down whom he likes. */
static void route(const struct qmgr *q, struct rcpt *r)
{
	char text[1024];
	const struct cfg_relay *relay = relay_of(q, r);
	const struct dest_info *d;
	if (relay != NULL) {
		snprintf(text, sizeof(text), "%s %s", relay->name, place_of(relay, r));
		r->unit.dest = sched_dest(LANE_REMOTE, hash_key(sv_of(text)));
	}
	while ((d = find(q, r->unit.dest)) != NULL && !is_at(d, relay, r))
		r->unit.dest = sched_dest(LANE_REMOTE, r->unit.dest + 2);
}

void dests_route(const struct qmgr *q, struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].cls == CLASS_REMOTE)
			route(q, &m->rcpt[i]);
}

static struct dest_info *find_of(const struct qmgr *q, const struct rcpt *r)
{
	struct dest_info *d = r->cls == CLASS_REMOTE ? find(q, r->unit.dest) : NULL;
	return d != NULL && is_at(d, relay_of(q, r), r) ? d : NULL;
}

static const char *route_name(const struct dest_info *d) { return d->relay != NULL ? d->relay->name : ""; }

/* --- remembering ------------------------------------------------------------------------------------------------------------- */

static bool is_quiet(const struct dest_info *d, uint32_t now, bool or_down)
{
	const struct sched *s = d->q->sched;
	return (or_down || (d->state != DOWN && d->rest <= now && d->lesson <= now)) && !d->in_put_off &&
	       sched_busy(s, d->key) == 0 && sched_waiting_for(s, d->key) == 0;
}

static void forget(struct dest_info *d)
{
	uint32_t key = d->key;
	ev_timer_clear(d->q->loop, &d->timer);
	sched_cap(d->q->sched, key, SCHED_UNCAPPED);
	hmap_del(d->q->dests->by_key, key_of(&key));
	free(d);
}

static size_t forget_some(struct qmgr *q, uint32_t now, bool or_down)
{
	size_t cursor = 0, n = 0;
	struct sv key;
	void *value;
	while (n < FORGET_AT_ONCE && hmap_next(q->dests->by_key, &cursor, &key, &value))
		if (is_quiet(value, now, or_down)) {
			forget(value);
			n++;
		}
	return n;
}

/* A walk over all, but only once for many new ones, or once in a second. Dead domains, which anybody can name, must not keep the
 * limits of others out. */
static void make_room(struct qmgr *q, uint32_t now)
{
	if (q->dests->full == now)
		return;
	if (forget_some(q, now, false) == 0 && forget_some(q, now, true) == 0)
		q->dests->full = now;
}

static void on_pause_over(struct ev_timer *t, void *arg);
static void set_cap(struct dest_info *d);

static struct dest_info *get(struct qmgr *q, const struct rcpt *r)
{
	struct dest_info *d = find(q, r->unit.dest);
	if (d != NULL)
		return is_at(d, relay_of(q, r), r) ? d : NULL;
	if (hmap_len(q->dests->by_key) >= DESTS_MAX)
		make_room(q, q_now());
	d = mem_new(sizeof(*d));
	*d = (struct dest_info){ .q = q, .key = r->unit.dest, .timer = { .on = on_pause_over, .arg = d } };
	d->relay = relay_of(q, r);
	snprintf(d->name, sizeof(d->name), "%.255s", place_of(d->relay, r));
	set_cap(d);
	if (hmap_put(q->dests->by_key, key_of(&d->key), d))
		return d;
	sched_cap(q->sched, d->key, SCHED_UNCAPPED);
	free(d);
	return NULL;
}

/* --- pace -------------------------------------------------------------------------------------------------------------------- */

static uint64_t rate_of(const struct dest_info *d)
{
	uint64_t own = d->relay != NULL && d->relay->rate > 0 ? d->relay->rate : d->q->queue->destination_rate;
	return d->rate == 0 || (own > 0 && own < d->rate) ? own : d->rate;
}

/* Tells the scheduler how many it may have at once. */
static void set_cap(struct dest_info *d)
{
	unsigned cap = d->cap > 0 ? d->cap : SCHED_UNCAPPED;
	if (d->relay != NULL && d->relay->connections > 0)
		cap = (unsigned)MIN((uint64_t)cap, d->relay->connections);
	if (d->state == PROBING)
		cap = 1;
	if (d->state == DOWN || d->rest > 0)
		cap = 0;
	sched_cap(d->q->sched, d->key, cap);
}

static void rest_for(struct dest_info *d, uint64_t ms)
{
	d->rest = q_now() + (uint32_t)((ms + MS - 1) / MS);
	ev_timer_set(d->q->loop, &d->timer, ms);
	set_cap(d);
}

/* Evenly: each message pays for its share of the minute, and the next one begins when that is over. */
static void keep_pace(struct dest_info *d)
{
	uint64_t now = ev_now_ms(d->q->loop) * MS, rate = rate_of(d);
	if (rate == 0)
		return;
	d->next_us = MAX(d->next_us, now) + MINUTE_US / rate;
	if (d->next_us >= now + MS)
		rest_for(d, (d->next_us - now) / MS);
}

static void count_sent(struct dest_info *d, uint32_t now)
{
	if (now - d->minute >= RATE_WINDOW) {
		d->before = now - d->minute < 2 * RATE_WINDOW ? d->sent : 0;
		d->minute = now;
		d->sent = 0;
	}
	d->sent++;
}

/* Messages in the last minute, as if those of the window before had come evenly. */
static uint32_t sent_lately(const struct dest_info *d, uint32_t now)
{
	uint32_t age = MIN(now - d->minute, (uint32_t)RATE_WINDOW);
	return d->sent + d->before * (RATE_WINDOW - age) / RATE_WINDOW;
}

static void forget_lesson(struct dest_info *d)
{
	LOG_INFO("destination-freed", KV_STR("destination", d->name), KV_STR("route", route_name(d)));
	d->lesson = d->cap = 0;
	d->rate = 0;
	set_cap(d);
}

void dests_sent(struct qmgr *q, const struct rcpt *r)
{
	struct dest_info *d = r->cls == CLASS_REMOTE ? get(q, r) : NULL;
	uint32_t now = q_now();
	if (d == NULL)
		return;
	if (d->lesson > 0 && d->lesson <= now)
		forget_lesson(d);
	count_sent(d, now);
	keep_pace(d);
}

static void slow_down(struct dest_info *d, uint32_t now)
{
	unsigned at_once = MAX(sched_window(d->q->sched, d->key), 1u);
	if (d->calm > now) /* said by another connection of the same crowd: one lesson */
		return;
	d->cap = MAX((d->cap > 0 ? MIN(d->cap, at_once) : at_once) / 2, 1u);
	d->rate = MAX(sent_lately(d, now) / 2, RATE_LEAST);
	d->lesson = now + DEST_LESSON;
	uint32_t pause = (uint32_t)MIN(DEST_THROTTLED, MAX(d->q->queue->retry_max, 1u));
	d->calm = now + pause;
	rest_for(d, pause * (uint64_t)MS);
	LOG_WARN("destination-slowed", KV_STR("destination", d->name), KV_STR("route", route_name(d)),
		KV_U64("connections", d->cap), KV_U64("per_minute", d->rate), KV_U64("for", DEST_LESSON),
		KV_STR("reply", d->reply));
}

/* --- down and up ------------------------------------------------------------------------------------------------------------- */

static uint32_t pause_of(const struct dest_info *d)
{
	uint64_t pause = DEST_PAUSE_MIN, most = MAX(d->q->queue->retry_max, 1u);
	for (unsigned i = 1; i < d->pauses && pause < most; i++)
		pause *= 2;
	pause = MIN(pause, most);
	return (uint32_t)MAX(pause + rnd_u64() % (pause / JITTER_PARTS + 1), 1u);
}

static void go_down(struct dest_info *d, uint32_t now)
{
	struct dests *all = d->q->dests;
	d->pauses++;
	uint32_t pause = pause_of(d);
	if (d->state != PROBING || d->pauses <= 1)
		LOG_WARN("destination-down", KV_STR("destination", d->name), KV_STR("route", route_name(d)),
			KV_U64("probe_in", pause), KV_STR("reason", d->reply));
	d->state = DOWN;
	d->until = now + pause;
	d->rest = 0;
	ev_timer_set(d->q->loop, &d->timer, pause * (uint64_t)MS);
	set_cap(d);
	if (d->in_put_off)
		return;
	d->in_put_off = true;
	d->next_put_off = all->put_off;
	all->put_off = d;
	ev_timer_set(d->q->loop, &all->again, 0);
}

static void come_up(struct dest_info *d)
{
	if (d->state == UP && d->failures == 0)
		return;
	if (d->state != UP)
		LOG_INFO("destination-up", KV_STR("destination", d->name), KV_STR("route", route_name(d)));
	d->state = UP;
	d->pauses = d->failures = 0;
	set_cap(d);
}

static void on_pause_over(struct ev_timer *t, void *arg)
{
	struct dest_info *d = arg;
	(void)t;
	if (d->state == DOWN)
		d->state = PROBING;
	d->rest = 0;
	set_cap(d);
	work_dispatch(d->q);
}

static void keep_reply(struct dest_info *d, const struct deliver_res *res, uint32_t now)
{
	d->heard = now;
	snprintf(d->reply, sizeof(d->reply), "%.*s%s%.*s", 80, res->where, res->where[0] != '\0' ? ": " : "", 200,
		res->text[0] != '\0' ? res->text : res->dsn);
}

void dests_result(struct qmgr *q, const struct rcpt *r, const struct deliver_res *res)
{
	struct dest_info *d = find_of(q, r);
	uint32_t now = q_now();
	if (d == NULL)
		return;
	keep_reply(d, res, now);
	d->delivered += res->status == DELIVERED;
	d->deferred += res->status == DEFERRED;
	switch (dest_verdict(res)) {
	case DEST_WELL:
		come_up(d);
		break;
	case DEST_TOO_FAST:
		come_up(d);
		slow_down(d, now);
		break;
	case DEST_LOST:
		break;
	case DEST_AWAY:
		d->failures++;
		if (d->state == PROBING || (d->state == UP && d->failures >= DEST_FAILURES))
			go_down(d, now);
	}
}

/* --- what waits for one that is down ------------------------------------------------------------------------------------------ */

/* A unit goes the way of a failed delivery, so that warnings and returns come in their time. The closed entry of a file only gets a
 * later turn, unless that would be later than its own pauses allow. */
static void put_off_entry(struct qmgr *q, const struct dest_info *d, const struct pick *p)
{
	const struct entry *en = index_at(q->index, p->slot);
	uint32_t now = q_now();
	struct msg *m;
	if ((en->flags & ENTRY_DELETED) == 0 && now < en->due + q->queue->retry_max) {
		index_due_set(q->index, p->slot, MAX(d->until, now + 1) + (uint32_t)(rnd_u64() % DEST_PAUSE_MIN));
		return;
	}
	if (work_open(q, p->slot, &m) == MSG_OPEN)
		work_start(q, m); /* its units are put off in their turn */
}

static void put_off(struct qmgr *q, const struct dest_info *d, const struct pick *p)
{
	char text[400];
	if (p->unit == NULL) {
		put_off_entry(q, d, p);
		return;
	}
	struct rcpt *r = CONTAINER(p->unit, struct rcpt, unit);
	struct msg *m = r->msg;
	m->waiting--;
	snprintf(text, sizeof(text), "not tried, for this destination could not be reached before: %.300s", d->reply);
	r->tried = q_now();
	rcpt_result(r, RCPT_DEFERRED, "4.4.1", text, "");
	finish_msg(q, m);
}

void dests_put_off(struct qmgr *q)
{
	struct dests *all = q->dests;
	struct pick p;
	int n = 0;
	while (all->put_off != NULL && n < PUT_OFF_PER_TURN) {
		struct dest_info *d = all->put_off;
		if (d->state == DOWN && sched_withdraw_next(q->sched, d->key, &p)) {
			put_off(q, d, &p);
			n++;
			continue;
		}
		all->put_off = d->next_put_off;
		d->in_put_off = false;
	}
	if (all->put_off != NULL)
		ev_timer_set(q->loop, &all->again, 0);
}

static void on_again(struct ev_timer *t, void *arg)
{
	(void)t;
	dests_put_off(arg);
	work_dispatch(arg);
}

/* New mail for one that is down. */
void dests_arrived(struct qmgr *q, uint32_t key)
{
	struct dest_info *d = find(q, key);
	if (d == NULL || d->state != DOWN || d->in_put_off)
		return;
	d->in_put_off = true;
	d->next_put_off = q->dests->put_off;
	q->dests->put_off = d;
	ev_timer_set(q->loop, &q->dests->again, 0);
}

/* --- for the admin ------------------------------------------------------------------------------------------------------------ */

bool dests_next(const struct qmgr *q, size_t *cursor, struct queue_dest *ret)
{
	static const char *const states[] = { [UP] = "up", [PROBING] = "probing", [DOWN] = "down" };
	uint32_t now = q_now();
	struct sv key;
	void *value;
	if (!hmap_next(q->dests->by_key, cursor, &key, &value))
		return false;
	const struct dest_info *d = value;
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->name, sizeof(ret->name), "%.255s", d->name);
	snprintf(ret->route, sizeof(ret->route), "%.64s", route_name(d));
	snprintf(ret->state, sizeof(ret->state), "%s",
		d->state == UP && d->rest > now     ? "resting"
		: d->state == UP && d->lesson > now ? "slowed"
						    : states[d->state]);
	ret->waiting = sched_waiting_for(q->sched, d->key);
	ret->busy = sched_busy(q->sched, d->key);
	ret->connections = sched_window(q->sched, d->key);
	if (d->relay != NULL && d->relay->connections > 0)
		ret->connections = MIN(ret->connections, d->relay->connections);
	ret->per_minute = rate_of(d);
	ret->next = d->state == DOWN ? d->until : d->rest;
	ret->delivered = d->delivered;
	ret->deferred = d->deferred;
	ret->heard = d->heard;
	snprintf(ret->reply, sizeof(ret->reply), "%s", d->reply);
	return true;
}

/* --- life ----------------------------------------------------------------------------------------------------------------------
 */

bool dests_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->dests = mem_new(sizeof(*q->dests));
	q->dests->by_key = hmap_new(DESTS_MAX);
	q->dests->again = (struct ev_timer){ .on = on_again, .arg = q };
	return true;
}

void dests_free(struct qmgr *q)
{
	size_t cursor = 0;
	struct sv key;
	void *value;
	if (q->dests == NULL)
		return;
	while (hmap_next(q->dests->by_key, &cursor, &key, &value))
		forget(value);
	hmap_free(q->dests->by_key, NULL);
	ev_timer_clear(q->loop, &q->dests->again);
	free(q->dests);
	q->dests = NULL;
}
