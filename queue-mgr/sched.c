#include "sched.h"

#include "base/hmap.h"

#define FLOWS_MAX (1u << 24) /* each has something waiting, which is bounded elsewhere */
#define DESTS_KEPT 20000     /* what was learnt of idle ones is forgotten beyond */
#define WINDOW_UNIT 256u     /* windows are kept in 1/256 */

struct flow {
	struct dest *dest;
	struct flow *prev, *next; /* in its ring */
	struct unit *first, *last;
	uint32_t entry_first, entry_last;
	uint32_t sender;
	uint8_t ring;
	bool light; /* its sender had little waiting at the last put */
};

struct flows { /* a ring: taken at the front, put back behind */
	struct flow *first, *last;
};

struct dest {
	uint32_t key;
	unsigned window; /* in WINDOW_UNIT */
	unsigned busy;
	unsigned cap;
	size_t waiting;
	size_t light; /* flows */
	int credit[RING_COUNT];
	struct flows ring[RING_COUNT];
	struct dest *prev, *next; /* among the ready ones */
	struct ready *ready;      /* the list that it is in; NULL: none */
};

struct ready { /* something waits and the window has room */
	struct dest *first, *last;
};

enum kind { URGENT, LIGHT, USUAL, KIND_COUNT };
static const int kind_weight[KIND_COUNT] = { [URGENT] = 8, [LIGHT] = 4, [USUAL] = 1 };

struct sched {
	struct index *ix;
	struct hmap *dests, *flows;
	struct hmap *senders; /* struct sender, of those who have something waiting */
	struct lane_state {
		struct ready ready[KIND_COUNT];
		int credit[KIND_COUNT];
		unsigned start, max; /* windows */
	} lane[LANE_COUNT];
	struct dest many;
	size_t units, entries;
};

struct sender {
	size_t waiting;
};

struct flow_key {
	uint32_t dest, sender, ring;
};

uint32_t sched_dest(enum lane lane, uint32_t hash) { return MAX(hash & ~1u, 2u) | (uint32_t)lane; }

struct sched *sched_new(struct index *ix, const struct window window[LANE_COUNT])
{
	struct sched *s = mem_new(sizeof(*s));
	s->ix = ix;
	s->dests = hmap_new(FLOWS_MAX);
	s->flows = hmap_new(FLOWS_MAX);
	s->senders = hmap_new(FLOWS_MAX);
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
	hmap_free(s->dests, free);
	hmap_free(s->flows, free);
	hmap_free(s->senders, free);
	free(s);
}

/* --- destinations ---------------------------------------------------------------------------------------------------------- */

static struct sv key_of(const uint32_t *key) { return (struct sv){ (const char *)key, sizeof(*key) }; }

static const int weight[RING_COUNT] = { [RING_URGENT] = 8, [RING_FRESH] = 4, [RING_RETRY] = 1, [RING_BULK] = 1 };

static bool has_work(const struct dest *d)
{
	for (int i = 0; i < RING_COUNT; i++)
		if (d->ring[i].first != NULL)
			return true;
	return false;
}

static void forget_idle(struct sched *s)
{
	size_t cursor = 0;
	struct sv key;
	void *value;
	while (hmap_next(s->dests, &cursor, &key, &value)) {
		struct dest *d = value;
		if (d->busy == 0 && !has_work(d) && d->cap == SCHED_UNCAPPED) {
			uint32_t k = d->key;
			free(hmap_del(s->dests, key_of(&k)));
		}
	}
}

static struct lane_state *lane_of(struct sched *s, const struct dest *d) { return &s->lane[sched_lane(d->key)]; }

static struct dest *find_dest(const struct sched *s, uint32_t key) { return hmap_get(s->dests, key_of(&key)); }

static struct dest *get_dest(struct sched *s, uint32_t key)
{
	struct dest *d = find_dest(s, key);
	if (d != NULL)
		return d;
	if (hmap_len(s->dests) >= DESTS_KEPT && hmap_len(s->dests) % DESTS_KEPT == 0)
		forget_idle(s);
	d = mem_new(sizeof(*d));
	d->key = key;
	d->window = lane_of(s, d)->start;
	d->cap = SCHED_UNCAPPED;
	BUG_IF(!hmap_put(s->dests, key_of(&key), d));
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
}

/* Puts it behind the other ready ones of its kind, or takes it out. */
static void set_ready(struct sched *s, struct dest *d)
{
	struct ready *r = &lane_of(s, d)->ready[d->ring[RING_URGENT].first != NULL ? URGENT : d->light > 0 ? LIGHT : USUAL];
	if (d == &s->many || !has_work(d) || d->busy >= d->cap || (d->busy + 1) * WINDOW_UNIT > d->window)
		r = NULL;
	if (r == d->ready)
		return;
	unready(d);
	if (r == NULL)
		return;
	d->ready = r;
	d->prev = r->last;
	*(r->last != NULL ? &r->last->next : &r->first) = d;
	r->last = d;
}

/* --- flows ----------------------------------------------------------------------------------------------------------------- */

static struct flow *find_flow(const struct sched *s, uint32_t dest, uint32_t sender, enum ring ring)
{
	struct flow_key k = { dest, sender, ring };
	return hmap_get(s->flows, (struct sv){ (const char *)&k, sizeof(k) });
}

static void ring_push(struct flows *r, struct flow *f)
{
	f->next = NULL;
	f->prev = r->last;
	*(r->last != NULL ? &r->last->next : &r->first) = f;
	r->last = f;
}

static struct flow *get_flow(struct sched *s, struct dest *d, uint32_t sender, enum ring ring)
{
	struct flow *f = find_flow(s, d->key, sender, ring);
	struct flow_key k = { d->key, sender, ring };
	if (f != NULL)
		return f;
	f = mem_new(sizeof(*f));
	*f = (struct flow){
		.dest = d, .sender = sender, .ring = (uint8_t)ring, .entry_first = INDEX_NONE, .entry_last = INDEX_NONE
	};
	BUG_IF(!hmap_put(s->flows, (struct sv){ (const char *)&k, sizeof(k) }, f));
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
	struct sender *from = hmap_get(s->senders, key_of(&f->sender));
	if (from == NULL) {
		from = mem_new(sizeof(*from));
		BUG_IF(!hmap_put(s->senders, key_of(&f->sender), from));
	}
	from->waiting++;
	f->dest->waiting++;
	set_light(f, from->waiting <= SCHED_LIGHT);
}

static void count_out(struct sched *s, const struct flow *f)
{
	struct sender *from = hmap_get(s->senders, key_of(&f->sender));
	f->dest->waiting--;
	if (--from->waiting == 0)
		free(hmap_del(s->senders, key_of(&f->sender)));
}

static bool flow_empty(const struct flow *f) { return f->first == NULL && f->entry_first == INDEX_NONE; }

static void flow_drop(struct sched *s, struct flow *f)
{
	struct flow_key k = { f->dest->key, f->sender, f->ring };
	set_light(f, false);
	hmap_del(s->flows, (struct sv){ (const char *)&k, sizeof(k) });
	free(f);
}

static void ring_remove(struct flows *r, struct flow *f)
{
	*(f->prev != NULL ? &f->prev->next : &r->first) = f->next;
	*(f->next != NULL ? &f->next->prev : &r->last) = f->prev;
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
	if (flow_empty(f)) {
		ring_remove(&d->ring[f->ring], f);
		flow_drop(s, f);
	}
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
static struct flows *next_ring(struct dest *d)
{
	int best = -1, all = 0;
	for (int i = 0; i < RING_COUNT; i++) {
		if (d->ring[i].first == NULL) {
			d->credit[i] = 0;
			continue;
		}
		d->credit[i] += weight[i];
		all += weight[i];
		if (best < 0 || d->credit[i] > d->credit[best])
			best = i;
	}
	d->credit[best] -= all;
	return &d->ring[best];
}

/* Open messages of a flow go first: they hold a descriptor, and nothing is opened while closed ones wait. */
static void take_from(struct sched *s, struct flow *f, struct pick *ret)
{
	*ret = (struct pick){ .unit = f->first, .slot = INDEX_NONE, .dest = f->dest->key };
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
	struct flows *r = next_ring(d);
	struct flow *f = r->first;
	ring_remove(r, f);
	take_from(s, f, ret);
	if (flow_empty(f))
		flow_drop(s, f);
	else
		ring_push(r, f);
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
	return d != NULL && d->ready != NULL && start(s, d, ret);
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
