#include "unit/unit.h"
#include "base/arena.h"

static void the_cap_holds_over_many_chunks(void)
{
	static const size_t sizes[] = { 1, 16, 100, 1000, 5000, 100000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct arena *a = arena_new(200000);
		size_t got = 0;
		while (arena_alloc(a, sizes[i]))
			got += sizes[i];
		CU_ASSERT_TRUE(got <= 200000);
		CU_ASSERT_TRUE(arena_used(a) <= 200000);
		CU_ASSERT_TRUE(arena_used(a) + sizes[i] + 16 > 200000);
		arena_reset(a);
		CU_ASSERT_EQUAL(arena_used(a), 0);
		CU_ASSERT_PTR_NOT_NULL(arena_alloc(a, sizes[i]));
		arena_free(a);
	}
}

static void an_absurd_size_is_refused(void)
{
	struct arena *a = arena_new(SIZE_MAX);

	CU_ASSERT_PTR_NOT_NULL(arena_alloc(a, 1));
	CU_ASSERT_PTR_NULL(arena_alloc(a, SIZE_MAX));
	CU_ASSERT_PTR_NULL(arena_alloc(a, SIZE_MAX - 16));
	arena_free(a);
	a = arena_new(0);
	CU_ASSERT_PTR_NULL(arena_alloc(a, 1));
	CU_ASSERT_PTR_NULL(arena_dup(a, SV("")));
	CU_ASSERT_FALSE(arena_defer(a, free, NULL));
	arena_free(a);
	arena_free(NULL);
}

static void memory_is_aligned_zeroed_and_apart(void)
{
	struct arena *a = arena_new(100000);

	for (int round = 0; round < 2; round++) { /* the second finds what the first wrote */
		unsigned char *p[100];
		for (size_t i = 0; i < COUNT(p); i++) {
			p[i] = arena_alloc(a, i + 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(p[i]);
			CU_ASSERT_EQUAL((uintptr_t)p[i] % _Alignof(max_align_t), 0);
			for (size_t k = 0; k <= i; k++)
				CU_ASSERT_EQUAL_FATAL(p[i][k], 0);
			memset(p[i], (int)i + 1, i + 1);
		}
		for (size_t i = 0; i < COUNT(p); i++)
			CU_ASSERT_EQUAL(p[i][i], i + 1);
		arena_reset(a);
	}
	arena_free(a);
}

static void a_copy_is_terminated(void)
{
	struct arena *a = arena_new(1000);

	CU_ASSERT_STRING_EQUAL(arena_dup(a, (struct sv){ "hello", 2 }), "he");
	CU_ASSERT_STRING_EQUAL(arena_dup(a, sv_of(NULL)), "");
	arena_free(a);
}

struct note {
	char text[8];
	size_t n;
};

struct mark {
	struct note *to;
	char c;
};

static void write_mark(void *arg)
{
	struct mark *m = arg;

	m->to->text[m->to->n++] = m->c;
}

static void deferred_calls_run_once_last_first(void)
{
	struct note note = { .n = 0 };
	struct mark m[3] = { { &note, 'a' }, { &note, 'b' }, { &note, 'c' } };
	struct arena *a = arena_new(1000);

	CU_ASSERT_TRUE(arena_defer(a, write_mark, &m[0]));
	CU_ASSERT_TRUE(arena_defer(a, write_mark, &m[1]));
	arena_reset(a);
	CU_ASSERT_STRING_EQUAL(note.text, "ba");
	arena_reset(a);
	CU_ASSERT_STRING_EQUAL(note.text, "ba");
	CU_ASSERT_TRUE(arena_defer(a, write_mark, &m[2]));
	arena_free(a);
	CU_ASSERT_STRING_EQUAL(note.text, "bac");
}

void suite_arena(void)
{
	static const struct unit_case cases[] = {
		UNIT(the_cap_holds_over_many_chunks),
		UNIT(an_absurd_size_is_refused),
		UNIT(memory_is_aligned_zeroed_and_apart),
		UNIT(a_copy_is_terminated),
		UNIT(deferred_calls_run_once_last_first),
		UNIT_END,
	};
	unit_suite("arena", cases);
}
