#include "base/arena.h"
#include "base/buf.h"

#define CHUNK_FIRST 1024
#define CHUNK_MAX 65536

struct chunk {
	struct chunk *older;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct deferred {
	struct deferred *older;
	void (*fn)(void *);
	void *arg;
};

struct arena {
	struct chunk *newest;
	struct deferred *last;
	size_t cap, used;
};

struct arena *arena_new(size_t cap)
{
	struct arena *a = mem_new(sizeof(*a));

	a->cap = cap;
	return a;
}

static void add_chunk(struct arena *a, size_t n)
{
	size_t size = a->newest ? MIN(a->newest->size * 2, CHUNK_MAX) : CHUNK_FIRST;
	struct chunk *c;

	size = MAX(size, n);
	c = mem_grow(NULL, sizeof(*c) + size);
	*c = (struct chunk){ .older = a->newest, .size = size };
	a->newest = c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	void *p;

	if (n > a->cap - a->used)
		return NULL;
	n = (n + align - 1) & ~(align - 1);
	if (n > a->cap - a->used)
		return NULL;
	if (!a->newest || n > a->newest->size - a->newest->used)
		add_chunk(a, n);
	p = a->newest->data + a->newest->used;
	a->newest->used += n;
	a->used += n;
	return memset(p, 0, n);
}

char *arena_dup(struct arena *a, struct sv s)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return p;
}

bool arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct deferred *d = arena_alloc(a, sizeof(*d));

	if (!d)
		return false;
	*d = (struct deferred){ .older = a->last, .fn = fn, .arg = arg };
	a->last = d;
	return true;
}

size_t arena_used(const struct arena *a) { return a->used; }

static void run_deferred(struct arena *a)
{
	while (a->last) {
		struct deferred *d = a->last;
		a->last = d->older; /* first: fn may itself reset the arena's owner, but never run twice */
		d->fn(d->arg);
	}
}

/* The first chunk stays: the next transaction is likely as small as this one. */
void arena_reset(struct arena *a)
{
	run_deferred(a);
	while (a->newest && a->newest->older) {
		struct chunk *c = a->newest;
		a->newest = c->older;
		free(c);
	}
	if (a->newest)
		a->newest->used = 0;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	arena_reset(a);
	free(a->newest);
	free(a);
}
