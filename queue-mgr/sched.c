#include "sched.h"

#include "keyed.h"

#define DESTS_KEPT 20000 /* what was learnt of idle ones is forgotten beyond */
#define WINDOW_UNIT 256u /* windows are kept in 1/256 */

/* A million of each may wait: these three are counted in bytes. */
struct flow {
	struct keyed head; /* flow_key() */
	struct dest *dest;
	struct flow *prev, *next; /* in its ring */
	struct unit *first, *last;
	uint32_t entry_first, entry_last;
	uint32_t sender;
	uint8_t ring;
	bool light; /* its sender had little waiting at the last put */
};

struct sender { /* who has something waiting */
	struct keyed head;
	uint32_t waiting;
};

struct dest {
	struct keyed head;
	unsigned window; /* in WINDOW_UNIT */
	unsigned busy;
	unsigned cap;
	uint32_t waiting;
	uint32_t light; /* flows */
	int16_t credit[RING_COUNT];
	struct flow *ring[RING_COUNT]; /* taken at the front, which is then the last */
	struct dest *prev, *next;      /* among the ready ones, or the idle ones */
	struct ready *ready;           /* the list that it is in; NULL: none */
};
_Static_assert(
	sizeof(struct flow) + sizeof(struct sender) + sizeof(struct dest) <= 208, "a million of each: with the index, 270 MB");

struct ready { /* something waits and the window has room */
	struct dest *first, *last;
	size_t n;
};

enum kind { URGENT, LIGHT, USUAL, KIND_COUNT };
static const int kind_weight[KIND_COUNT] = { [URGENT] = 8, [LIGHT] = 4, [USUAL] = 1 };

struct sched {
	struct index *ix;
	struct keyed_table *dests, *flows, *senders;
	struct lane_state {
		struct ready ready[KIND_COUNT];
		int credit[KIND_COUNT];
		unsigned start, max; /* windows */
	} lane[LANE_COUNT];
	struct ready idle; /* nothing waits, none is busy, no cap: remembered for what was learnt, the latest last */
	struct dest many;
	size_t units, entries;
};

uint32_t sched_dest(enum lane lane, uint32_t hash) { return MAX(hash & ~1u, 2u) | (uint32_t)lane; }

struct sched *sched_new(struct index *ix, const struct window window[LANE_COUNT])
{
	struct sched *s = mem_new(sizeof(*s));
	s->ix = ix;
	s->dests = keyed_new(sizeof(struct dest));
	s->flows = keyed_new(sizeof(struct flow));
	s->senders = keyed_new(sizeof(struct sender));
	for (size_t i = 0; i < LANE_COUNT; i++) {
		s->lane[i].start = window[i].start * WINDOW_UNIT;
		s->lane[i].max = window[i].max * WINDOW_UNIT;
	}
	return s;
}

void sched_free(struct sched *s)
{
	if (s == NULL)
		return;
	keyed_free(s->dests);
	keyed_free(s->flows);
	keyed_free(s->senders);
	free(s);
}

/* --- destinations ---------------------------------------------------------------------------------------------------------- */

static const int weight[RING_COUNT] = { [RING_URGENT] = 8, [RING_FRESH] = 4, [RING_RETRY] = 1, [RING_BULK] = 1 };

static bool has_work(const struct dest *d)
{
	for (int i = 0; i < RING_COUNT; i++)
		if (d->ring[i] != NULL)
			return true;
	return false;
}

static struct lane_state *lane_of(struct sched *s, const struct dest *d) { return &s->lane[sched_lane(d->head.key)]; }

static struct dest *find_dest(const struct sched *s, uint32_t key) { return keyed_find(s->dests, key); }

static struct dest *get_dest(struct sched *s, uint32_t key)
{
	struct dest *d = find_dest(s, key);
	if (d != NULL)
		return d;
	d = keyed_add(s->dests, key);
	d->window = lane_of(s, d)->start;
	d->cap = SCHED_UNCAPPED;
	return d;
}

static void unready(struct dest *d)
{
	struct ready *r = d->ready;
	if (r == NULL)
		return;
	*(d->prev != NULL ? &d->prev->next : &r->first) = d->next;
	*(d->next != NULL ? &d->next->prev : &r->last) = d->prev;
	d->prev = d->next = NULL;
	d->ready = NULL;
	r->n--;
}

/* The list that it belongs into, NULL: none. */
static struct ready *list_of(struct sched *s, const struct dest *d)
{
	if (d == &s->many)
		return NULL;
	if (!has_work(d))
		return d->busy == 0 && d->cap == SCHED_UNCAPPED ? &s->idle : NULL;
	if (d->busy >= d->cap || (d->busy + 1) * WINDOW_UNIT > d->window)
		return NULL;
	return &lane_of(s, d)->ready[d->ring[RING_URGENT] != NULL ? URGENT : d->light > 0 ? LIGHT : USUAL];
}

static bool is_ready(const struct sched *s, const struct dest *d) { return d->ready != NULL && d->ready != &s->idle; }

/* Puts it behind the other ready ones of its kind, or takes it out. */
static void set_ready(struct sched *s, struct dest *d)
{
	struct ready *r = list_of(s, d);
	if (r == d->ready)
		return;
	unready(d);
	if (r == NULL)
		return;
	d->ready = r;
	d->prev = r->last;
	*(r->last != NULL ? &r->last->next : &r->first) = d;
	r->last = d;
	r->n++;
	if (s->idle.n > DESTS_KEPT) {
		struct dest *oldest = s->idle.first;
		unready(oldest);
		keyed_del(s->dests, oldest);
	}
}

/* --- flows ----------------------------------------------------------------------------------------------------------------- */

static uint32_t flow_key(uint32_t dest, uint32_t sender, enum ring ring) { return dest * 31 + sender * 5 + ring; }

static struct flow *find_flow(const struct sched *s, uint32_t dest, uint32_t sender, enum ring ring)
{
	struct flow *f = keyed_find(s->flows, flow_key(dest, sender, ring));
	while (f != NULL && (f->dest->head.key != dest || f->sender != sender || f->ring != ring))
		f = keyed_next(f);
	return f;
}

/* A ring is a circle: its last is before its first. */
static void ring_push(struct flow **ring, struct flow *f)
{
	struct flow *first = *ring != NULL ? *ring : f;
	f->next = first;
	f->prev = *ring != NULL ? first->prev : f;
	f->prev->next = f;
	first->prev = f;
	*ring = first;
}

static void ring_remove(struct flow **ring, struct flow *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
	if (*ring == f)
		*ring = f->next != f ? f->next : NULL;
}

static struct flow *get_flow(struct sched *s, struct dest *d, uint32_t sender, enum ring ring)
{
	struct flow *f = find_flow(s, d->head.key, sender, ring);
	if (f != NULL)
		return f;
	f = keyed_add(s->flows, flow_key(d->head.key, sender, ring));
	f->dest = d;
	f->sender = sender;
	f->ring = (uint8_t)ring;
	f->entry_first = f->entry_last = INDEX_NONE;
	ring_push(&d->ring[ring], f);
	return f;
}

/* --- senders --------------------------------------------------------------------------------------------------------------- */

static void set_light(struct flow *f, bool light)
{
	f->dest->light += light && !f->light;
	f->dest->light -= !light && f->light;
	f->light = light;
}

/* One more waits in this flow. */
static void count_in(struct sched *s, struct flow *f)
{
	struct sender *from = keyed_find(s->senders, f->sender);
	if (from == NULL)
		from = keyed_add(s->senders, f->sender);
	from->waiting++;
	f->dest->waiting++;
	set_light(f, from->waiting <= SCHED_LIGHT);
}

static void count_out(struct sched *s, const struct flow *f)
{
	struct sender *from = keyed_find(s->senders, f->sender);
	f->dest->waiting--;
	if (--from->waiting == 0)
		keyed_del(s->senders, from);
}

static bool flow_empty(const struct flow *f) { return f->first == NULL && f->entry_first == INDEX_NONE; }

static void flow_drop(struct sched *s, struct flow *f)
{
	set_light(f, false);
	ring_remove(&f->dest->ring[f->ring], f);
	keyed_del(s->flows, f);
}

static void unlink_unit(struct sched *s, struct flow *f, struct unit *u)
{
	*(u->prev != NULL ? &u->prev->next : &f->first) = u->next;
	*(u->next != NULL ? &u->next->prev : &f->last) = u->prev;
	u->prev = u->next = NULL;
	u->flow = NULL;
	s->units--;
	count_out(s, f);
}

/* --- waiting --------------------------------------------------------------------------------------------------------------- */

void sched_put(struct sched *s, struct unit *u, enum ring ring)
{
	struct dest *d = get_dest(s, u->dest);
	struct flow *f = get_flow(s, d, u->sender, ring);
	BUG_IF(u->flow != NULL);
	u->flow = f;
	u->next = NULL;
	u->prev = f->last;
	*(f->last != NULL ? &f->last->next : &f->first) = u;
	f->last = u;
	s->units++;
	count_in(s, f);
	set_ready(s, d);
}

void sched_withdraw(struct sched *s, struct unit *u)
{
	struct flow *f = u->flow;
	if (f == NULL)
		return;
	struct dest *d = f->dest;
	unlink_unit(s, f, u);
	if (flow_empty(f))
		flow_drop(s, f);
	set_ready(s, d);
}

void sched_put_entry(struct sched *s, uint32_t slot, enum ring ring)
{
	struct entry *en = index_at(s->ix, slot);
	BUG_IF(en->state != ENTRY_IDLE);
	struct dest *d = en->dest == 0 ? &s->many : get_dest(s, en->dest);
	struct flow *f = get_flow(s, d, en->sender, ring);
	en->state = ENTRY_WAITING;
	en->link = INDEX_NONE;
	if (f->entry_last == INDEX_NONE)
		f->entry_first = slot;
	else
		index_at(s->ix, f->entry_last)->link = slot;
	f->entry_last = slot;
	s->entries++;
	count_in(s, f);
	set_ready(s, d);
}

bool sched_has_closed(const struct sched *s, uint32_t dest, uint32_t sender, enum ring ring)
{
	const struct flow *f = find_flow(s, dest, sender, ring);
	return f != NULL && f->entry_first != INDEX_NONE;
}

size_t sched_units(const struct sched *s) { return s->units; }

size_t sched_waiting(const struct sched *s) { return s->units + s->entries; }

/* --- picking --------------------------------------------------------------------------------------------------------------- */

/* Each ring with work earns its weight at each turn; the richest is taken and pays for the turn: shares in proportion, evenly
 * spread, and none is left out. */
static struct flow **next_ring(struct dest *d)
{
	int best = -1, all = 0;
	for (int i = 0; i < RING_COUNT; i++) {
		if (d->ring[i] == NULL) {
			d->credit[i] = 0;
			continue;
		}
		d->credit[i] = (int16_t)(d->credit[i] + weight[i]);
		all += weight[i];
		if (best < 0 || d->credit[i] > d->credit[best])
			best = i;
	}
	d->credit[best] = (int16_t)(d->credit[best] - all);
	return &d->ring[best];
}

/* Open messages of a flow go first: they hold a descriptor, and nothing is opened while closed ones wait. */
static void take_from(struct sched *s, struct flow *f, struct pick *ret)
{
	*ret = (struct pick){ .unit = f->first, .slot = INDEX_NONE, .dest = f->dest->head.key };
	if (f->first != NULL) {
		unlink_unit(s, f, f->first);
		return;
	}
	struct entry *en = index_at(s->ix, f->entry_first);
	ret->slot = f->entry_first;
	f->entry_first = en->link;
	if (f->entry_first == INDEX_NONE)
		f->entry_last = INDEX_NONE;
	en->state = ENTRY_IDLE;
	s->entries--;
	count_out(s, f);
}

static void take(struct sched *s, struct dest *d, struct pick *ret)
{
	struct flow **ring = next_ring(d), *f = *ring;
	*ring = f->next;
	take_from(s, f, ret);
	if (flow_empty(f))
		flow_drop(s, f);
}

static bool start(struct sched *s, struct dest *d, struct pick *ret)
{
	unready(d);
	take(s, d, ret);
	d->busy++;
	set_ready(s, d);
	return true;
}

bool sched_ready_light(const struct sched *s, enum lane lane)
{
	return s->lane[lane].ready[URGENT].first != NULL || s->lane[lane].ready[LIGHT].first != NULL;
}

bool sched_ready(const struct sched *s, enum lane lane)
{
	return sched_ready_light(s, lane) || s->lane[lane].ready[USUAL].first != NULL;
}

/* As next_ring() does it. */
static struct dest *next_dest(struct lane_state *l, enum kind last)
{
	int best = -1, all = 0;
	for (int i = 0; i <= (int)last; i++) {
		if (l->ready[i].first == NULL) {
			l->credit[i] = 0;
			continue;
		}
		l->credit[i] += kind_weight[i];
		all += kind_weight[i];
		if (best < 0 || l->credit[i] > l->credit[best])
			best = i;
	}
	if (best < 0)
		return NULL;
	l->credit[best] -= all;
	return l->ready[best].first;
}

bool sched_next(struct sched *s, enum lane lane, struct pick *ret)
{
	struct dest *d = next_dest(&s->lane[lane], USUAL);
	return d != NULL && start(s, d, ret);
}

bool sched_next_light(struct sched *s, enum lane lane, struct pick *ret)
{
	struct dest *d = next_dest(&s->lane[lane], LIGHT);
	return d != NULL && start(s, d, ret);
}

bool sched_next_of(struct sched *s, uint32_t dest, struct pick *ret)
{
	struct dest *d = find_dest(s, dest);
	return d != NULL && is_ready(s, d) && start(s, d, ret);
}

bool sched_next_many(struct sched *s, uint32_t *ret_slot)
{
	struct pick p;
	if (!has_work(&s->many))
		return false;
	take(s, &s->many, &p);
	*ret_slot = p.slot;
	return true;
}

/* As Postfix's feedback of 1/N: N successes open the window by one, N failures close it by one. */
void sched_done(struct sched *s, uint32_t dest, enum sched_end end)
{
	struct dest *d = find_dest(s, dest);
	BUG_IF(d == NULL || d->busy == 0);
	unsigned step = MAX(WINDOW_UNIT * WINDOW_UNIT / d->window, 1u);
	d->busy--;
	if (end == SCHED_SUCCESS)
		d->window = MIN(d->window + step, lane_of(s, d)->max);
	if (end == SCHED_FAILURE)
		d->window = d->window > WINDOW_UNIT + step ? d->window - step : WINDOW_UNIT;
	set_ready(s, d);
}

void sched_cap(struct sched *s, uint32_t dest, unsigned cap)
{
	struct dest *d = cap == SCHED_UNCAPPED ? find_dest(s, dest) : get_dest(s, dest);
	if (d == NULL)
		return;
	d->cap = cap;
	set_ready(s, d);
}

bool sched_withdraw_next(struct sched *s, uint32_t dest, struct pick *ret)
{
	struct dest *d = find_dest(s, dest);
	if (d == NULL || !has_work(d))
		return false;
	unready(d);
	take(s, d, ret);
	set_ready(s, d);
	return true;
}

unsigned sched_busy(const struct sched *s, uint32_t dest)
{
	const struct dest *d = find_dest(s, dest);
	return d != NULL ? d->busy : 0;
}

size_t sched_waiting_for(const struct sched *s, uint32_t dest)
{
	const struct dest *d = find_dest(s, dest);
	return d != NULL ? d->waiting : 0;
}

unsigned sched_window(const struct sched *s, uint32_t dest)
{
	const struct dest *d = find_dest(s, dest);
	return d != NULL ? MIN(d->window / WINDOW_UNIT, d->cap) : s->lane[sched_lane(dest)].start / WINDOW_UNIT;
}
