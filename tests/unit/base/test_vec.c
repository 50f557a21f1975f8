#include "unit/unit.h"
#include "base/vec.h"

static struct vec filled(unsigned n)
{
	struct vec v = VEC_INIT(unsigned, 1000);

	for (unsigned i = 0; i < n; i++)
		*(unsigned *)vec_push(&v) = i;
	return v;
}

static void it_grows_to_its_limit_and_no_further(void)
{
	static const size_t limits[] = { 0, 1, 7, 8, 9, 100 };

	for (size_t k = 0; k < COUNT(limits); k++) {
		struct vec v = { .elem = sizeof(uint64_t), .max = limits[k] };
		for (size_t i = 0; i < limits[k]; i++) {
			uint64_t *p = vec_push(&v);
			CU_ASSERT_PTR_NOT_NULL_FATAL(p);
			CU_ASSERT_EQUAL(*p, 0);
			*p = i + 1;
		}
		CU_ASSERT_PTR_NULL(vec_push(&v));
		CU_ASSERT_EQUAL(v.len, limits[k]);
		for (size_t i = 0; i < limits[k]; i++)
			CU_ASSERT_EQUAL(VEC_AT(&v, uint64_t, i)[0], i + 1);
		vec_free(&v);
	}
}

static void removal_keeps_order_or_swaps(void)
{
	struct vec v = filled(5);

	vec_remove(&v, 1); /* 0 2 3 4 */
	CU_ASSERT_EQUAL(*(unsigned *)vec_at(&v, 1), 2);
	CU_ASSERT_EQUAL(*(unsigned *)vec_at(&v, 3), 4);
	vec_remove(&v, 3);      /* 0 2 3 */
	vec_swap_remove(&v, 0); /* 3 2 */
	CU_ASSERT_EQUAL(*(unsigned *)vec_at(&v, 0), 3);
	CU_ASSERT_EQUAL(*(unsigned *)vec_at(&v, 1), 2);
	vec_swap_remove(&v, 1);
	CU_ASSERT_EQUAL(v.len, 1);
	CU_ASSERT_EQUAL(*(unsigned *)vec_at(&v, 0), 3);
	vec_pop(&v);
	CU_ASSERT_EQUAL(v.len, 0);
	vec_free(&v);
}

static void a_new_element_is_zeroed_where_an_old_one_was(void)
{
	struct vec v = filled(5);

	vec_reset(&v);
	CU_ASSERT_EQUAL(v.len, 0);
	vec_push(&v);
	CU_ASSERT_EQUAL(*(unsigned *)vec_push(&v), 0);
	vec_free(&v);
	CU_ASSERT_PTR_NOT_NULL(vec_push(&v)); /* usable after free */
	vec_free(&v);
}

void suite_vec(void)
{
	static const struct unit_case cases[] = {
		UNIT(it_grows_to_its_limit_and_no_further),
		UNIT(removal_keeps_order_or_swaps),
		UNIT(a_new_element_is_zeroed_where_an_old_one_was),
		UNIT_END,
	};
	unit_suite("vec", cases);
}
