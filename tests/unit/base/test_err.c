#include "unit/unit.h"
#include "base/err.h"

#include <errno.h>

static void every_setter_returns_false_and_takes_no_error_to_fill(void)
{
	struct err e;

	CU_ASSERT_FALSE(err_set(&e, ERR_PERM, "x"));
	CU_ASSERT_FALSE(err_dsn(&e, ERR_PERM, "5.1.1", "x"));
	CU_ASSERT_FALSE(err_sys(&e, ERR_PERM, "x"));
	CU_ASSERT_FALSE(err_set(NULL, ERR_PERM, "x"));
	CU_ASSERT_FALSE(err_dsn(NULL, ERR_PERM, "5.1.1", "x"));
	CU_ASSERT_FALSE(err_sys(NULL, ERR_PERM, "x"));
	err_add(NULL, "x");
	err_clear(NULL);
}

static void foreign_bytes_are_escaped(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
		{ "plain text", "user plain text" },
		{ "a\r\nb", "user a\\x0d\\x0ab" },
		{ "\x1b[31m", "user \\x1b[31m" },
		{ "\xff", "user \\xff" },
		{ "\xc2\x9b", "user \\xc2\\x9b" },
		{ "M\xc3\xbcller", "user M\xc3\xbcller" },
		{ "back\\slash", "user back\\slash" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e;
		err_set(&e, ERR_PERM, "user %s", t[i].in);
		CU_ASSERT_STRING_EQUAL(e.text, t[i].want);
		err_add(&e, "%s", "more"); /* escapes nothing twice */
		CU_ASSERT_STRING_EQUAL(e.text + 6, t[i].want);
	}
}

static void a_long_text_is_cut_at_a_whole_character(void)
{
	struct err e;
	char longer[800];

	for (size_t shift = 0; shift < 4; shift++) {
		memset(longer, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(longer); i += 3)
			memcpy(longer + i, "\xe2\x82\xac", 4);
		err_set(&e, ERR_TEMP, "%s", longer);
		size_t len = strlen(e.text);
		CU_ASSERT_TRUE(len < sizeof(e.text) && len + 3 >= sizeof(e.text) - 1);
		CU_ASSERT_EQUAL((len - shift) % 3, 0);
	}
	memset(longer, '\n', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, ERR_TEMP, "%s", longer);
	CU_ASSERT_EQUAL(strlen(e.text) % 4, 0);
}

static void the_system_error_is_taken_at_once(void)
{
	struct err e = { .dsn = "5.0.0" };

	errno = ENOENT;
	err_sys(&e, ERR_TEMP, "open %s", "file");
	CU_ASSERT_EQUAL(e.sys, ENOENT);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_STRING_EQUAL(e.text, "open file: No such file or directory");
	CU_ASSERT_STRING_EQUAL(e.dsn, "");
	err_set(&e, ERR_PERM, "other");
	CU_ASSERT_EQUAL(e.sys, 0);
}

static void context_goes_in_front_and_changes_nothing_else(void)
{
	struct err e;

	err_dsn(&e, ERR_LIMIT, "4.2.2", "mailbox full");
	e.sys = EDQUOT;
	err_add(&e, "user %s", "al");
	err_add(&e, "deliver");
	CU_ASSERT_STRING_EQUAL(e.text, "deliver: user al: mailbox full");
	CU_ASSERT_STRING_EQUAL(e.dsn, "4.2.2");
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(e.sys, EDQUOT);
	err_clear(&e);
	CU_ASSERT_EQUAL(e.kind, ERR_NONE);
	CU_ASSERT_STRING_EQUAL(e.text, "");
}

void suite_err(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_setter_returns_false_and_takes_no_error_to_fill),
		UNIT(foreign_bytes_are_escaped),
		UNIT(a_long_text_is_cut_at_a_whole_character),
		UNIT(the_system_error_is_taken_at_once),
		UNIT(context_goes_in_front_and_changes_nothing_else),
		UNIT_END,
	};
	unit_suite("err", cases);
}
