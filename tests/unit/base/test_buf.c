#include "unit/unit.h"
#include "base/buf.h"

static void an_append_past_the_limit_changes_nothing(void)
{
	static const struct {
		size_t limit;
		const char *first, *second, *want;
		bool ok;
	} t[] = {
		{ 6, "abc", "def", "abcdef", true },
		{ 6, "abc", "defg", "abc", false },
		{ 0, "", "", "", true },
		{ 0, "", "x", "", false },
		{ 1000, "abc", "def", "abcdef", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(t[i].limit);
		buf_puts(&b, t[i].first);
		buf_puts(&b, t[i].second);
		CU_ASSERT_STRING_EQUAL(buf_str(&b), t[i].want);
		CU_ASSERT_EQUAL(b.len, strlen(t[i].want));
		CU_ASSERT_EQUAL(buf_ok(&b), t[i].ok);
		buf_free(&b);
	}
}

static void every_kind_of_append_heeds_the_limit(void)
{
	struct buf b = BUF_INIT(3);

	buf_putf(&b, "%d", 1234);
	CU_ASSERT_FALSE(buf_ok(&b));
	buf_reset(&b);
	buf_fill(&b, 'x', 4);
	CU_ASSERT_FALSE(buf_ok(&b));
	buf_reset(&b);
	buf_puts(&b, "abc");
	buf_putc(&b, 'd');
	CU_ASSERT_FALSE(buf_ok(&b));
	buf_reset(&b);
	CU_ASSERT_PTR_NULL(buf_room(&b, 4));
	CU_ASSERT_FALSE(buf_ok(&b));
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "");
	buf_free(&b);
}

static void over_sticks_until_reset(void)
{
	struct buf b = BUF_INIT(4);

	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	buf_puts(&b, "f"); /* would fit */
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "abc");
	CU_ASSERT_FALSE(buf_ok(&b));
	buf_putf(&b, "%s", "g");
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "abc");
	buf_reset(&b);
	CU_ASSERT_TRUE(buf_ok(&b));
	buf_puts(&b, "wxyz");
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "wxyz");
	buf_free(&b);
}

static void a_formatted_append_fits_at_every_length(void)
{
	for (int n = 0; n < 300; n++) {
		struct buf b = BUF_INIT(300);
		buf_putf(&b, "%*s", n, "");
		buf_putf(&b, "%d", 7);
		CU_ASSERT_EQUAL(b.len, (size_t)n + 1);
		CU_ASSERT_EQUAL(buf_str(&b)[n], '7');
		CU_ASSERT_EQUAL(strlen(buf_str(&b)), (size_t)n + 1);
		CU_ASSERT_TRUE(buf_ok(&b));
		buf_free(&b);
	}
}

static void drop_and_cut_keep_the_rest_terminated(void)
{
	struct buf b = BUF_INIT(100);

	buf_puts(&b, "0123456789");
	buf_drop(&b, 3);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "3456789");
	buf_cut(&b, 2);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "34");
	buf_drop(&b, 2);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "");
	buf_free(&b);
	buf_drop(&b, 0);
	buf_cut(&b, 0);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "");
}

static void room_that_was_not_claimed_is_not_there(void)
{
	struct buf b = BUF_INIT(100);
	char *p = buf_room(&b, 50);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memset(p, 'x', 50);
	buf_grew(&b, 2);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "xx");
	buf_puts(&b, "yz");
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "xxyz");
	memset(buf_room(&b, 3), 'w', 3);
	buf_grew(&b, 0);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "xxyz");
	buf_free(&b);
}

static void nul_bytes_are_kept(void)
{
	struct buf b = BUF_INIT(100);

	buf_put(&b, "a\0b", 3);
	buf_putc(&b, '\0');
	CU_ASSERT_EQUAL(b.len, 4);
	CU_ASSERT_TRUE(sv_eq(buf_sv(&b), SV("a\0b\0")));
	buf_free(&b);
}

static void a_freed_buffer_may_be_used_again_with_its_limit(void)
{
	struct buf b = BUF_INIT(3);

	buf_puts(&b, "abcd");
	buf_free(&b);
	CU_ASSERT_TRUE(buf_ok(&b));
	buf_puts(&b, "abc");
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "abc");
	buf_putc(&b, 'd');
	CU_ASSERT_FALSE(buf_ok(&b));
	buf_free(&b);
}

void suite_buf(void)
{
	static const struct unit_case cases[] = {
		UNIT(an_append_past_the_limit_changes_nothing),
		UNIT(every_kind_of_append_heeds_the_limit),
		UNIT(over_sticks_until_reset),
		UNIT(a_formatted_append_fits_at_every_length),
		UNIT(drop_and_cut_keep_the_rest_terminated),
		UNIT(room_that_was_not_claimed_is_not_there),
		UNIT(nul_bytes_are_kept),
		UNIT(a_freed_buffer_may_be_used_again_with_its_limit),
		UNIT_END,
	};
	unit_suite("buf", cases);
}
