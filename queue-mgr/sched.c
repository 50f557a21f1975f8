#include "sched.h"

#include "base/hmap.h"

#define FLOWS_MAX (1u << 24) /* each has something waiting, which is bounded elsewhere */
#define DESTS_KEPT 20000     /* what was learnt of idle ones is forgotten beyond */
#define FRESH_TURNS 4        /* for each turn of the retries */
#define WINDOW_UNIT 256u     /* windows are kept in 1/256 */

struct flow {
	struct dest *dest;
	struct flow *next; /* in its ring */
	struct unit *first, *last;
	uint32_t entry_first, entry_last;
	uint32_t sender;
	uint8_t ring;
};

struct flows { /* a ring: taken at the front, put back behind */
	struct flow *first, *last;
};

struct dest {
	uint32_t key;
	unsigned window; /* in WINDOW_UNIT */
	unsigned busy;
	unsigned turn;
	struct flows ring[RING_COUNT];
	struct dest *prev, *next; /* among the ready ones */
	bool ready;
};

struct sched {
	struct index *ix;
	struct hmap *dests, *flows;
	struct dest *first, *last; /* ready: something waits and the window has room */
	struct dest many;
	unsigned start, max;
	size_t units, entries;
};

struct flow_key {
	uint32_t dest, sender, ring;
};

struct sched *sched_new(struct index *ix, unsigned window_start, unsigned window_max)
{
	struct sched *s = mem_new(sizeof(*s));
	s->ix = ix;
	s->dests = hmap_new(FLOWS_MAX);
	s->flows = hmap_new(FLOWS_MAX);
	s->start = window_start * WINDOW_UNIT;
	s->max = window_max * WINDOW_UNIT;
	return s;
}

void sched_free(struct sched *s)
{
	if (s == NULL)
		return;
	hmap_free(s->dests, free);
	hmap_free(s->flows, free);
	free(s);
}

/* --- destinations ---------------------------------------------------------------------------------------------------------- */

static struct sv key_of(const uint32_t *key) { return (struct sv){ (const char *)key, sizeof(*key) }; }

static bool has_work(const struct dest *d) { return d->ring[RING_FRESH].first != NULL || d->ring[RING_RETRY].first != NULL; }

static void forget_idle(struct sched *s)
{
	size_t cursor = 0;
	struct sv key;
	void *value;
	while (hmap_next(s->dests, &cursor, &key, &value)) {
		struct dest *d = value;
		if (d->busy == 0 && !has_work(d)) {
			uint32_t k = d->key;
			free(hmap_del(s->dests, key_of(&k)));
		}
	}
}

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
	d->window = s->start;
	BUG_IF(!hmap_put(s->dests, key_of(&key), d));
	return d;
}

static void unready(struct sched *s, struct dest *d)
{
	if (!d->ready)
		return;
	*(d->prev != NULL ? &d->prev->next : &s->first) = d->next;
	*(d->next != NULL ? &d->next->prev : &s->last) = d->prev;
	d->prev = d->next = NULL;
	d->ready = false;
}

/* Puts it behind the other ready ones, or takes it out. */
static void set_ready(struct sched *s, struct dest *d)
{
	bool ready = d != &s->many && has_work(d) && (d->busy + 1) * WINDOW_UNIT <= d->window;
	if (ready == d->ready)
		return;
	if (!ready) {
		unready(s, d);
		return;
	}
	d->ready = true;
	d->prev = s->last;
	*(s->last != NULL ? &s->last->next : &s->first) = d;
	s->last = d;
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

static bool flow_empty(const struct flow *f) { return f->first == NULL && f->entry_first == INDEX_NONE; }

static void flow_drop(struct sched *s, struct flow *f)
{
	struct flow_key k = { f->dest->key, f->sender, f->ring };
	hmap_del(s->flows, (struct sv){ (const char *)&k, sizeof(k) });
	free(f);
}

static void ring_remove(struct flows *r, struct flow *f)
{
	struct flow *before = NULL;
	for (struct flow *i = r->first; i != f; i = i->next)
		before = i;
	*(before != NULL ? &before->next : &r->first) = f->next;
	if (r->last == f)
		r->last = before;
}

static void unlink_unit(struct sched *s, struct flow *f, struct unit *u)
{
	*(u->prev != NULL ? &u->prev->next : &f->first) = u->next;
	*(u->next != NULL ? &u->next->prev : &f->last) = u->prev;
	u->prev = u->next = NULL;
	u->flow = NULL;
	s->units--;
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

static struct flows *next_ring(struct dest *d)
{
	struct flows *fresh = &d->ring[RING_FRESH], *retry = &d->ring[RING_RETRY];
	if (fresh->first == NULL || retry->first == NULL)
		return fresh->first != NULL ? fresh : retry;
	d->turn = (d->turn + 1) % (FRESH_TURNS + 1);
	return d->turn == 0 ? retry : fresh;
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
}

static void take(struct sched *s, struct dest *d, struct pick *ret)
{
	struct flows *r = next_ring(d);
	struct flow *f = r->first;
	r->first = f->next;
	if (r->first == NULL)
		r->last = NULL;
	take_from(s, f, ret);
	if (flow_empty(f))
		flow_drop(s, f);
	else
		ring_push(r, f);
}

static bool start(struct sched *s, struct dest *d, struct pick *ret)
{
	unready(s, d);
	take(s, d, ret);
	d->busy++;
	set_ready(s, d);
	return true;
}

bool sched_next(struct sched *s, struct pick *ret) { return s->first != NULL && start(s, s->first, ret); }

bool sched_next_of(struct sched *s, uint32_t dest, struct pick *ret)
{
	struct dest *d = find_dest(s, dest);
	return d != NULL && d->ready && start(s, d, ret);
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
		d->window = MIN(d->window + step, s->max);
	if (end == SCHED_FAILURE)
		d->window = d->window > WINDOW_UNIT + step ? d->window - step : WINDOW_UNIT;
	set_ready(s, d);
}

unsigned sched_window(const struct sched *s, uint32_t dest)
{
	const struct dest *d = find_dest(s, dest);
	return (d != NULL ? d->window : s->start) / WINDOW_UNIT;
}
