/* Chains in buckets; records come from chunks, those that were given back first. */
#include "keyed.h"

#include "base/buf.h"
#include "base/clock.h"

#define CHUNK_RECORDS 1000
#define BITS_FIRST 6

struct chunk {
	struct chunk *next;
	max_align_t record[];
};

struct keyed_table {
	struct keyed **bucket; /* 1 << bits of them */
	unsigned bits;
	uint64_t mix; /* odd, by chance: peers choose the texts that keys are made of, not which share a bucket */
	size_t size, len;
	struct chunk *chunks;
	size_t unused;      /* records of the first chunk that never were in use */
	struct keyed *free; /* list through `next` */
};

struct keyed_table *keyed_new(size_t size)
{
	struct keyed_table *t = mem_new(sizeof(*t));
	t->size = size;
	t->mix = rnd_u64() | 1;
	t->bits = BITS_FIRST;
	t->bucket = mem_new(sizeof(*t->bucket) << t->bits);
	return t;
}

static void free_chunks(struct keyed_table *t)
{
	struct chunk *next;
	for (struct chunk *c = t->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	t->chunks = NULL;
	t->free = NULL;
	t->unused = 0;
}

void keyed_free(struct keyed_table *t)
{
	if (t == NULL)
		return;
	free_chunks(t);
	free(t->bucket);
	free(t);
}

static struct keyed **bucket_of(const struct keyed_table *t, uint32_t key) { return &t->bucket[(key * t->mix) >> (64 - t->bits)]; }

static void grow(struct keyed_table *t)
{
	struct keyed **old = t->bucket, *next;
	size_t n = (size_t)1 << t->bits++;
	t->bucket = mem_new(sizeof(*t->bucket) << t->bits);
	for (size_t i = 0; i < n; i++)
		for (struct keyed *k = old[i]; k != NULL; k = next) {
			struct keyed **to = bucket_of(t, k->key);
			next = k->next;
			k->next = *to;
			*to = k;
		}
	free(old);
}

static struct keyed *new_record(struct keyed_table *t)
{
	struct keyed *k = t->free;
	if (k != NULL) {
		t->free = k->next;
		memset(k, 0, t->size);
		return k;
	}
	if (t->unused == 0) {
		struct chunk *c = mem_new(sizeof(*c) + CHUNK_RECORDS * t->size);
		c->next = t->chunks;
		t->chunks = c;
		t->unused = CHUNK_RECORDS;
	}
	t->unused--;
	return (struct keyed *)(void *)((char *)t->chunks->record + t->unused * t->size);
}

void *keyed_add(struct keyed_table *t, uint32_t key)
{
	if (t->len >= (size_t)1 << t->bits)
		grow(t);
	struct keyed *k = new_record(t), **to = bucket_of(t, key);
	k->key = key;
	k->next = *to;
	*to = k;
	t->len++;
	return k;
}

static struct keyed *same(struct keyed *k, uint32_t key)
{
	while (k != NULL && k->key != key)
		k = k->next;
	return k;
}

void *keyed_find(const struct keyed_table *t, uint32_t key) { return same(*bucket_of(t, key), key); }

void *keyed_next(const void *record)
{
	const struct keyed *k = record;
	return same(k->next, k->key);
}

void keyed_del(struct keyed_table *t, void *record)
{
	struct keyed *k = record, **at = bucket_of(t, k->key);
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->next = t->free;
	t->free = k;
	if (--t->len == 0)
		free_chunks(t);
}

size_t keyed_len(const struct keyed_table *t) { return t->len; }
