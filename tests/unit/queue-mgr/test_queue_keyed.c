#include "queue-mgr/keyed.h"

#include "unit/unit.h"

struct rec {
	struct keyed head;
	uint32_t value;
};
#define MANY 100000u

static void records_are_found_by_key_among_many(void)
{
	struct keyed_table *t = keyed_new(sizeof(struct rec));
	unsigned bad = 0;
	for (uint32_t i = 0; i < MANY; i++)
		((struct rec *)keyed_add(t, i * 7))->value = i;
	CU_ASSERT_EQUAL(keyed_len(t), MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct rec *r = keyed_find(t, i * 7);
		bad += r == NULL || r->value != i || r->head.key != i * 7 || keyed_next(r) != NULL;
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_PTR_NULL(keyed_find(t, 3));
	keyed_free(t);
}

static void records_with_one_key_are_all_found(void)
{
	struct keyed_table *t = keyed_new(sizeof(struct rec));
	unsigned seen = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		((struct rec *)keyed_add(t, 5))->value = i;
		keyed_add(t, i + 100);
	}
	for (const struct rec *r = keyed_find(t, 5); r != NULL; r = keyed_next(r))
		seen++;
	CU_ASSERT_EQUAL(seen, 1000);
	keyed_free(t);
}

static void records_given_back_are_used_again_and_come_empty(void)
{
	struct keyed_table *t = keyed_new(sizeof(struct rec));
	struct rec *kept = keyed_add(t, 1), *r = keyed_add(t, 2);
	kept->value = 17;
	r->value = 4711;
	keyed_del(t, r);
	CU_ASSERT_PTR_NULL(keyed_find(t, 2));
	struct rec *again = keyed_add(t, 3);
	CU_ASSERT_PTR_EQUAL(again, r);
	CU_ASSERT_EQUAL(again->value, 0);
	CU_ASSERT_EQUAL(((struct rec *)keyed_find(t, 1))->value, 17);
	keyed_del(t, kept);
	keyed_del(t, again);
	CU_ASSERT_EQUAL(keyed_len(t), 0);
	CU_ASSERT_PTR_NOT_NULL(keyed_add(t, 1)); /* after all memory went back */
	keyed_free(t);
}

void suite_queue_keyed(void)
{
	static const struct unit_case cases[] = { UNIT(records_are_found_by_key_among_many),
		UNIT(records_with_one_key_are_all_found), UNIT(records_given_back_are_used_again_and_come_empty), UNIT_END };
	unit_suite("queue_keyed", cases);
}
