#include "unit/unit.h"
#include "mail/xtext.h"

static void what_is_encoded_decodes_to_itself(void)
{
	static const struct {
		const char *plain, *xtext;
	} t[] = { { "abc", "abc" }, { "a b", "a+20b" }, { "a+b=c", "a+2Bb+3Dc" }, { "ä", "+C3+A4" }, { "", "" },
		{ "<a@b>", "<a@b>" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf x = BUF_INIT(100), back = BUF_INIT(100);
		xtext_encode(sv_of(t[i].plain), &x);
		CU_ASSERT_STRING_EQUAL(buf_str(&x), t[i].xtext);
		CU_ASSERT_TRUE(xtext_decode(buf_sv(&x), &back));
		CU_ASSERT_STRING_EQUAL(buf_str(&back), t[i].plain);
		buf_free(&x);
		buf_free(&back);
	}
}

static void what_is_no_xtext_leaves_the_buffer_alone(void)
{
	static const char *const t[] = { "a=b", "a b", "+", "+4", "+4G", "a+0D+0A", "+00", "+7F", "a\tb", "\xc3\xa4" };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(100);
		buf_puts(&b, "kept");
		CU_ASSERT_FALSE(xtext_decode(sv_of(t[i]), &b));
		CU_ASSERT_STRING_EQUAL(buf_str(&b), "kept");
		buf_free(&b);
	}
}

static void the_limit_of_the_buffer_holds(void)
{
	struct buf b = BUF_INIT(2);

	CU_ASSERT_FALSE(xtext_decode(SV("abc"), &b));
	CU_ASSERT_EQUAL(b.len, 0);
	buf_free(&b);
}

void suite_xtext(void)
{
	static const struct unit_case cases[] = {
		UNIT(what_is_encoded_decodes_to_itself),
		UNIT(what_is_no_xtext_leaves_the_buffer_alone),
		UNIT(the_limit_of_the_buffer_holds),
		UNIT_END,
	};
	unit_suite("xtext", cases);
}
