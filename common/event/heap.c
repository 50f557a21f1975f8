#include "event/heap.h"
#include "base/buf.h"

static void put(struct ev_heap *h, size_t i, struct ev_timer *t)
{
	h->at[i] = t;
	t->place = i + 1;
}

static void rise(struct ev_heap *h, size_t i)
{
	struct ev_timer *t = h->at[i];

	while (i > 0 && h->at[(i - 1) / 2]->due_ms > t->due_ms) {
		put(h, i, h->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, t);
}

static void sink(struct ev_heap *h, size_t i)
{
	struct ev_timer *t = h->at[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->len)
			break;
		if (child + 1 < h->len && h->at[child + 1]->due_ms < h->at[child]->due_ms)
			child++;
		if (h->at[child]->due_ms >= t->due_ms)
			break;
		put(h, i, h->at[child]);
		i = child;
	}
	put(h, i, t);
}

void ev_heap_set(struct ev_heap *h, struct ev_timer *t, uint64_t due_ms)
{
	t->due_ms = due_ms;
	if (!t->place) {
		if (h->len == h->cap) {
			h->cap = h->cap ? 2 * h->cap : 16;
			h->at = mem_grow(h->at, h->cap * sizeof(struct ev_timer *));
		}
		put(h, h->len++, t);
	}
	rise(h, t->place - 1);
	sink(h, t->place - 1);
}

void ev_heap_remove(struct ev_heap *h, struct ev_timer *t)
{
	size_t i = t->place - 1;

	if (!t->place)
		return;
	t->place = 0;
	h->len--;
	if (i == h->len)
		return;
	put(h, i, h->at[h->len]);
	rise(h, i);
	sink(h, i);
}

struct ev_timer *ev_heap_first(const struct ev_heap *h) { return h->len ? h->at[0] : NULL; }

void ev_heap_free(struct ev_heap *h)
{
	free(h->at);
	*h = (struct ev_heap){ .at = NULL };
}
