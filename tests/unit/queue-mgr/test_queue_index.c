#include "queue-mgr/index.h"

#include "unit/unit.h"

#define MANY 5000u

static struct spool_id id_number(uint32_t n)
{
	struct spool_id id;
	spool_id_make(1700000000 + n % 7, n, n * 2654435761u, &id);
	return id;
}

static uint32_t add(struct index *ix, uint32_t n)
{
	struct spool_id id = id_number(n);
	return index_add(ix, &id);
}

static uint32_t find(const struct index *ix, uint32_t n)
{
	struct spool_id id = id_number(n);
	return index_find(ix, &id);
}

static void entries_are_found_until_they_are_deleted(void)
{
	struct index *ix = index_new(1u << 20);
	for (uint32_t n = 0; n < MANY; n++)
		CU_ASSERT_NOT_EQUAL(add(ix, n), INDEX_NONE);
	CU_ASSERT_EQUAL(index_len(ix), MANY);
	for (uint32_t n = 0; n < MANY; n += 2)
		index_del(ix, find(ix, n));
	for (uint32_t n = 0; n < MANY; n++) {
		struct spool_id id, want = id_number(n);
		uint32_t slot = find(ix, n);
		CU_ASSERT_EQUAL(slot == INDEX_NONE, n % 2 == 0);
		if (slot == INDEX_NONE)
			continue;
		index_id(ix, slot, &id);
		CU_ASSERT_STRING_EQUAL(id.text, want.text);
	}
	uint32_t end = index_end(ix);
	for (uint32_t n = 0; n < MANY; n += 2)
		CU_ASSERT_NOT_EQUAL(add(ix, n), INDEX_NONE);
	CU_ASSERT_EQUAL(index_end(ix), end); /* places are used again */
	index_free(ix);
}

static void an_id_is_there_once_and_the_index_has_a_limit(void)
{
	struct index *ix = index_new(3);
	CU_ASSERT_NOT_EQUAL(add(ix, 1), INDEX_NONE);
	CU_ASSERT_EQUAL(add(ix, 1), INDEX_NONE);
	CU_ASSERT(add(ix, 2) != INDEX_NONE && add(ix, 3) != INDEX_NONE);
	CU_ASSERT_EQUAL(add(ix, 4), INDEX_NONE);
	index_del(ix, find(ix, 2));
	CU_ASSERT_NOT_EQUAL(add(ix, 4), INDEX_NONE);
	index_free(ix);
}

static void what_is_due_comes_in_the_order_of_time(void)
{
	struct index *ix = index_new(1u << 20);
	uint32_t due, slot, before = 0, random = 1;
	size_t n_due = 0;
	for (uint32_t n = 0; n < MANY; n++) {
		random = random * 1664525 + 1013904223;
		index_due_set(ix, add(ix, n), random >> 20);
	}
	for (uint32_t n = 0; n < MANY; n += 3)
		index_due_clear(ix, find(ix, n));
	for (uint32_t n = 1; n < MANY; n += 3)
		index_due_set(ix, find(ix, n), n); /* moved */
	for (uint32_t n = 2; n < MANY; n += 30)
		index_del(ix, find(ix, n));
	while (index_due_first(ix, &due, &slot)) {
		CU_ASSERT(due >= before);
		CU_ASSERT_EQUAL(index_due_at(ix, slot), due);
		before = due;
		index_due_clear(ix, slot);
		CU_ASSERT_EQUAL(index_at(ix, slot)->state, ENTRY_IDLE);
		n_due++;
	}
	CU_ASSERT_EQUAL(n_due, MANY - (MANY + 2) / 3 - (MANY - 2 + 29) / 30);
	index_free(ix);
}

static void all_times_may_become_earlier_and_keep_their_order(void)
{
	static const uint32_t in[] = { 500, 70, 5, 900, 100 }, want[] = { 0, 0, 0, 400, 800 };
	struct index *ix = index_new(10);
	uint32_t due, slot;
	for (uint32_t n = 0; n < COUNT(in); n++)
		index_due_set(ix, add(ix, n), in[n]);
	index_due_shift(ix, 100);
	for (size_t i = 0; i < COUNT(want); i++) {
		CU_ASSERT_TRUE_FATAL(index_due_first(ix, &due, &slot));
		CU_ASSERT_EQUAL(due, want[i]);
		index_due_clear(ix, slot);
	}
	index_free(ix);
}

/* A time in the heap that is not the name's must not change which file is meant. */
static void the_heap_leaves_the_name_alone(void)
{
	struct index *ix = index_new(10);
	char before[SPOOL_NAME_MAX], after[SPOOL_NAME_MAX];
	uint32_t slot = add(ix, 1);
	struct spool_id id = id_number(1);
	index_name(ix, slot, before);
	CU_ASSERT_STRING_EQUAL(before, id.text);
	struct entry *en = index_at(ix, slot);
	en->where = IN_CUR;
	en->due = 1700000000;
	en->tries = 2;
	en->sender = 0xabc;
	en->flags = ENTRY_WARNED | ENTRY_LOOK;
	index_name(ix, slot, before);
	CU_ASSERT_PTR_NOT_NULL(strstr(before, ":1700000000,2,*,00000abc,w"));
	index_due_set(ix, slot, 5);
	index_name(ix, slot, after);
	CU_ASSERT_STRING_EQUAL(before, after);
	index_free(ix);
}

void suite_queue_index(void)
{
	static const struct unit_case cases[] = { UNIT(entries_are_found_until_they_are_deleted),
		UNIT(an_id_is_there_once_and_the_index_has_a_limit), UNIT(what_is_due_comes_in_the_order_of_time),
		UNIT(all_times_may_become_earlier_and_keep_their_order), UNIT(the_heap_leaves_the_name_alone), UNIT_END };
	unit_suite("queue_index", cases);
}
