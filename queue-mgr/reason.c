#include "reason.h"

#include "base/hmap.h"

struct reason {
	struct reason *prev, *next; /* by age */
	struct spool_id id;
	char text[];
};

struct reasons {
	struct hmap *by_id;
	struct reason *oldest, *newest;
	size_t max;
};

struct reasons *reasons_new(size_t max)
{
	struct reasons *r = mem_new(sizeof(*r));
	r->by_id = hmap_new(max + 1);
	r->max = max;
	return r;
}

void reasons_free(struct reasons *r)
{
	if (r == NULL)
		return;
	hmap_free(r->by_id, free);
	free(r);
}

void reasons_drop(struct reasons *r, const struct spool_id *id)
{
	struct reason *x = hmap_len(r->by_id) == 0 ? NULL : hmap_del(r->by_id, sv_of(id->text));
	if (x == NULL)
		return;
	*(x->prev != NULL ? &x->prev->next : &r->oldest) = x->next;
	*(x->next != NULL ? &x->next->prev : &r->newest) = x->prev;
	free(x);
}

void reasons_set(struct reasons *r, const struct spool_id *id, const char *text)
{
	size_t n = strlen(text) + 1;
	reasons_drop(r, id);
	if (hmap_len(r->by_id) >= r->max && r->oldest != NULL) {
		struct spool_id oldest = r->oldest->id;
		reasons_drop(r, &oldest);
	}
	struct reason *x = mem_new(sizeof(*x) + n);
	x->id = *id;
	memcpy(x->text, text, n);
	x->prev = r->newest;
	*(r->newest != NULL ? &r->newest->next : &r->oldest) = x;
	r->newest = x;
	BUG_IF(!hmap_put(r->by_id, sv_of(x->id.text), x));
}

const char *reasons_get(const struct reasons *r, const struct spool_id *id)
{
	const struct reason *x = hmap_get(r->by_id, sv_of(id->text));
	return x != NULL ? x->text : "";
}
