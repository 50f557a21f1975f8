/* Slots, an open-addressed table from id to slot, and a binary heap of (due, slot). */
#include "index.h"

#define HIGH_CHARS 12

struct due {
	uint32_t due, slot;
};

struct index {
	struct entry *entry;
	uint32_t end, cap, max; /* slots used so far, allocated, allowed */
	uint32_t free_head;     /* list through `link` */
	size_t len;
	uint32_t *table; /* slot + 1; 0: empty */
	uint32_t mask;
	struct due *heap;
	size_t heap_len, heap_cap;
};

struct index *index_new(uint32_t max)
{
	struct index *ix = mem_new(sizeof(*ix));
	ix->max = max;
	ix->free_head = INDEX_NONE;
	ix->mask = 1023;
	ix->table = mem_new((ix->mask + (size_t)1) * sizeof(*ix->table));
	return ix;
}

void index_free(struct index *ix)
{
	if (ix == NULL)
		return;
	free(ix->entry);
	free(ix->table);
	free(ix->heap);
	free(ix);
}

/* --- ids ------------------------------------------------------------------------------------------------------------------- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

static uint64_t pack(const char *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 5 | (uint64_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
	return v;
}

static void unpack(uint64_t v, char *p, size_t n)
{
	while (n-- > 0) {
		p[n] = digits[v & 31];
		v >>= 5;
	}
}

void index_id(const struct index *ix, uint32_t slot, struct spool_id *ret)
{
	const struct entry *en = index_at(ix, slot);
	unpack(en->id_high, ret->text, HIGH_CHARS);
	unpack(en->id_low, ret->text + HIGH_CHARS, SPOOL_ID_LEN - HIGH_CHARS);
	ret->text[SPOOL_ID_LEN] = '\0';
}

/* Ids are ours (time, counter, random): a mix is enough, nobody outside chooses them. */
static uint32_t place_of(const struct index *ix, uint64_t high, uint32_t low)
{
	uint64_t h = (high ^ (uint64_t)low << 40) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32) & ix->mask;
}

static uint32_t entry_place(const struct index *ix, uint32_t slot)
{
	return place_of(ix, ix->entry[slot].id_high, ix->entry[slot].id_low);
}

/* The place of the id in the table, or the empty one where it would go. */
static uint32_t probe(const struct index *ix, uint64_t high, uint32_t low)
{
	uint32_t at = place_of(ix, high, low);
	for (; ix->table[at] != 0; at = (at + 1) & ix->mask) {
		const struct entry *en = &ix->entry[ix->table[at] - 1];
		if (en->id_high == high && en->id_low == low)
			break;
	}
	return at;
}

uint32_t index_find(const struct index *ix, const struct spool_id *id)
{
	uint32_t at = probe(ix, pack(id->text, HIGH_CHARS), (uint32_t)pack(id->text + HIGH_CHARS, SPOOL_ID_LEN - HIGH_CHARS));
	return ix->table[at] == 0 ? INDEX_NONE : ix->table[at] - 1;
}

static void table_grow(struct index *ix)
{
	uint32_t *old = ix->table, old_n = ix->mask + 1;
	ix->mask = ix->mask * 2 + 1;
	ix->table = mem_new((ix->mask + (size_t)1) * sizeof(*ix->table));
	for (uint32_t i = 0; i < old_n; i++) {
		if (old[i] == 0)
			continue;
		const struct entry *en = &ix->entry[old[i] - 1];
		ix->table[probe(ix, en->id_high, en->id_low)] = old[i];
	}
	free(old);
}

/* Linear probing without tombstones: what follows a hole moves back into it when its own place is not behind the hole. */
static void table_del(struct index *ix, uint32_t hole)
{
	uint32_t at = hole;
	for (;;) {
		at = (at + 1) & ix->mask;
		if (ix->table[at] == 0)
			break;
		uint32_t home = entry_place(ix, ix->table[at] - 1);
		if (((at - home) & ix->mask) >= ((at - hole) & ix->mask)) {
			ix->table[hole] = ix->table[at];
			hole = at;
		}
	}
	ix->table[hole] = 0;
}

/* --- slots ----------------------------------------------------------------------------------------------------------------- */

static uint32_t new_slot(struct index *ix)
{
	uint32_t slot = ix->free_head;
	if (slot != INDEX_NONE) {
		ix->free_head = ix->entry[slot].link;
		return slot;
	}
	if (ix->end == ix->cap) {
		ix->cap = ix->cap == 0 ? 1024 : MIN(ix->cap * 2, ix->max);
		ix->entry = mem_grow(ix->entry, ix->cap * sizeof(*ix->entry));
	}
	return ix->end++;
}

uint32_t index_add(struct index *ix, const struct spool_id *id)
{
	uint64_t high = pack(id->text, HIGH_CHARS);
	uint32_t low = (uint32_t)pack(id->text + HIGH_CHARS, SPOOL_ID_LEN - HIGH_CHARS);
	if (ix->len >= ix->max)
		return INDEX_NONE;
	if (ix->len >= ix->mask / 2)
		table_grow(ix);
	uint32_t at = probe(ix, high, low);
	if (ix->table[at] != 0)
		return INDEX_NONE;
	uint32_t slot = new_slot(ix);
	ix->entry[slot] = (struct entry){ .id_high = high, .id_low = low, .state = ENTRY_IDLE, .where = IN_NEW };
	ix->table[at] = slot + 1;
	ix->len++;
	return slot;
}

void index_del(struct index *ix, uint32_t slot)
{
	struct entry *en = index_at(ix, slot);
	BUG_IF(en->state == ENTRY_WAITING || en->state == ENTRY_OPEN);
	if (en->state == ENTRY_DUE)
		index_due_clear(ix, slot);
	table_del(ix, probe(ix, en->id_high, en->id_low));
	*en = (struct entry){ .state = ENTRY_FREE, .link = ix->free_head };
	ix->free_head = slot;
	ix->len--;
}

struct entry *index_at(const struct index *ix, uint32_t slot)
{
	BUG_IF(slot >= ix->end || ix->entry[slot].state == ENTRY_FREE);
	return &ix->entry[slot];
}

void index_name(const struct index *ix, uint32_t slot, char dst[SPOOL_NAME_MAX])
{
	const struct entry *en = index_at(ix, slot);
	struct spool_name n = { .due = en->due, .tries = en->tries, .dest = en->dest, .sender = en->sender };
	index_id(ix, slot, &n.id);
	n.warned = (en->flags & ENTRY_WARNED) != 0;
	n.owner = (en->flags & ENTRY_OWNER) != 0;
	if (en->where == IN_NEW)
		memcpy(dst, n.id.text, sizeof(n.id.text));
	else
		spool_name_text(&n, dst);
}

size_t index_len(const struct index *ix) { return ix->len; }

uint32_t index_end(const struct index *ix) { return ix->end; }

bool index_used(const struct index *ix, uint32_t slot) { return slot < ix->end && ix->entry[slot].state != ENTRY_FREE; }

/* --- the heap -------------------------------------------------------------------------------------------------------------- */

static void heap_put(struct index *ix, size_t at, struct due d)
{
	ix->heap[at] = d;
	ix->entry[d.slot].link = (uint32_t)at;
}

static void sift_up(struct index *ix, size_t at, struct due d)
{
	for (; at > 0 && d.due < ix->heap[(at - 1) / 2].due; at = (at - 1) / 2)
		heap_put(ix, at, ix->heap[(at - 1) / 2]);
	heap_put(ix, at, d);
}

static void sift_down(struct index *ix, size_t at, struct due d)
{
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= ix->heap_len)
			break;
		if (child + 1 < ix->heap_len && ix->heap[child + 1].due < ix->heap[child].due)
			child++;
		if (d.due <= ix->heap[child].due)
			break;
		heap_put(ix, at, ix->heap[child]);
		at = child;
	}
	heap_put(ix, at, d);
}

void index_due_set(struct index *ix, uint32_t slot, uint32_t due)
{
	struct entry *en = index_at(ix, slot);
	if (en->state == ENTRY_DUE)
		index_due_clear(ix, slot);
	BUG_IF(en->state != ENTRY_IDLE);
	if (ix->heap_len == ix->heap_cap) {
		ix->heap_cap = ix->heap_cap == 0 ? 1024 : ix->heap_cap * 2;
		ix->heap = mem_grow(ix->heap, ix->heap_cap * sizeof(*ix->heap));
	}
	en->state = ENTRY_DUE;
	sift_up(ix, ix->heap_len++, (struct due){ due, slot });
}

void index_due_clear(struct index *ix, uint32_t slot)
{
	struct entry *en = index_at(ix, slot);
	BUG_IF(en->state != ENTRY_DUE);
	size_t at = en->link;
	en->state = ENTRY_IDLE;
	struct due last = ix->heap[--ix->heap_len];
	if (at == ix->heap_len)
		return;
	if (at > 0 && last.due < ix->heap[(at - 1) / 2].due)
		sift_up(ix, at, last);
	else
		sift_down(ix, at, last);
}

uint32_t index_due_at(const struct index *ix, uint32_t slot)
{
	const struct entry *en = index_at(ix, slot);
	BUG_IF(en->state != ENTRY_DUE);
	return ix->heap[en->link].due;
}

/* Keeps the order, so the heap stays one. */
void index_due_shift(struct index *ix, uint32_t secs)
{
	for (size_t i = 0; i < ix->heap_len; i++)
		ix->heap[i].due -= MIN(secs, ix->heap[i].due);
}

bool index_due_first(const struct index *ix, uint32_t *ret_due, uint32_t *ret_slot)
{
	if (ix->heap_len == 0)
		return false;
	*ret_due = ix->heap[0].due;
	*ret_slot = ix->heap[0].slot;
	return true;
}
