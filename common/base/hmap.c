/* Open addressing with linear probing. A deleted entry leaves a mark, so that a walk may delete what it has just seen; the
 * marks go when the table is made anew. */
#include "base/hmap.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/siphash.h"

#define SLOTS_FIRST 16

struct slot {
	uint64_t hash;
	char *key; /* NULL: never used */
	size_t key_len;
	void *value; /* NULL with a key: deleted, and key is the static mark */
};

struct hmap {
	struct slot *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;  /* live and deleted */
	size_t n_live, max;
	struct siphash_key key;
};

static char deleted[1];

struct hmap *hmap_new(size_t max)
{
	struct hmap *m = mem_new(sizeof(*m));

	m->max = max;
	rnd_bytes(&m->key, sizeof(m->key));
	return m;
}

/* The live slot of the key, or NULL. */
static struct slot *find(const struct hmap *m, struct sv key, uint64_t hash)
{
	if (m->n_live == 0)
		return NULL;
	for (size_t i = hash & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
		struct slot *s = &m->slots[i];
		if (!s->key)
			return NULL;
		if (s->hash == hash && s->value && sv_eq((struct sv){ s->key, s->key_len }, key))
			return s;
	}
}

static struct slot *first_free(struct slot *slots, size_t n_slots, uint64_t hash)
{
	size_t i = hash & (n_slots - 1);

	while (slots[i].key)
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

/* Room for one more: at most three slots of four in use. The new size follows what is live, so a table may shrink too. */
static void make_room(struct hmap *m)
{
	size_t n = SLOTS_FIRST;

	if (m->n_used + 1 <= m->n_slots / 4 * 3)
		return;
	while (n / 2 < m->n_live + 1)
		n *= 2;
	struct slot *slots = mem_new(n * sizeof(*slots));
	for (size_t i = 0; i < m->n_slots; i++)
		if (m->slots[i].value)
			*first_free(slots, n, m->slots[i].hash) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->n_slots = n;
	m->n_used = m->n_live;
}

void *hmap_get(const struct hmap *m, struct sv key)
{
	struct slot *s = m->n_live ? find(m, key, siphash(&m->key, key)) : NULL;

	return s ? s->value : NULL;
}

bool hmap_put(struct hmap *m, struct sv key, void *value)
{
	uint64_t hash = siphash(&m->key, key);
	struct slot *s = find(m, key, hash);

	BUG_IF(!value);
	if (s) {
		s->value = value;
		return true;
	}
	if (m->n_live >= m->max)
		return false;
	make_room(m);
	s = first_free(m->slots, m->n_slots, hash);
	*s = (struct slot){ .hash = hash, .key = mem_dup(key), .key_len = key.n, .value = value };
	m->n_used++;
	m->n_live++;
	return true;
}

void *hmap_del(struct hmap *m, struct sv key)
{
	struct slot *s = m->n_live ? find(m, key, siphash(&m->key, key)) : NULL;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	free(s->key);
	*s = (struct slot){ .key = deleted };
	m->n_live--;
	return value;
}

size_t hmap_len(const struct hmap *m) { return m->n_live; }

bool hmap_next(const struct hmap *m, size_t *cursor, struct sv *ret_key, void **ret_value)
{
	while (*cursor < m->n_slots) {
		const struct slot *s = &m->slots[(*cursor)++];
		if (!s->value)
			continue;
		*ret_key = (struct sv){ s->key, s->key_len };
		*ret_value = s->value;
		return true;
	}
	return false;
}

void hmap_clear(struct hmap *m, void (*free_value)(void *))
{
	for (size_t i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slots[i];
		if (!s->value)
			continue;
		if (free_value)
			free_value(s->value);
		free(s->key);
	}
	free(m->slots);
	m->slots = NULL;
	m->n_slots = m->n_used = m->n_live = 0;
}

void hmap_free(struct hmap *m, void (*free_value)(void *))
{
	if (!m)
		return;
	hmap_clear(m, free_value);
	free(m);
}

uint64_t hash_bytes(struct sv s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	return h;
}
