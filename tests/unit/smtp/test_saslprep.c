/* RFC 4013, with its own examples (section 3). */
#include "tests/unit/unit.h"

#include "smtp/saslprep.h"

static void names_and_passwords_have_one_form(void)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} t[] = {
		{ "I\xc2\xadX", "IX" },   /* soft hyphen mapped to nothing */
		{ "user", "user" },       /* as it is */
		{ "USER", "USER" },       /* case is kept */
		{ "\xc2\xaa", "a" },      /* feminine ordinal: NFKC */
		{ "\xe2\x85\xa8", "IX" }, /* roman numeral nine */
		{ "\x07", NULL },         /* prohibited */
		{ "\xd8\xa7\x31", NULL }, /* bidirectional check: alef, one */
		{ "\xd8\xa7\xd8\xa8", "\xd8\xa7\xd8\xa8" },
		{ "e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9" }, /* as macOS and as others write it */
		{ "a\xc2\xa0"
		  "b",
			"a b" },                                              /* no-break space */
		{ "a b", "a b" }, { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" }, /* younger than Unicode 3.2 */
		{ "\xee\x80\x80", NULL },                                     /* private use */
		{ "\xe2\x81\xa0", NULL },                                     /* nothing but a word joiner */
		{ "a\xc2\x80", NULL },                                        /* C1 */
		{ "\xff", NULL }, { "\xc3", NULL }, { "", NULL }, { "12345678901234567890", "12345678901234567890" },
		{ "123456789012345678901", NULL },    /* no room */
		{ "\xef\xb7\xba\xef\xb7\xba", NULL }, /* grows out of it: 3 bytes become 33 */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char dst[21];
		struct err e = { 0 };
		bool ok = saslprep(sv_of(t[i].in), dst, sizeof dst, &e);
		CU_ASSERT_EQUAL(ok, t[i].out != NULL);
		if (ok && t[i].out)
			CU_ASSERT_STRING_EQUAL(dst, t[i].out);
		if (ok != (t[i].out != NULL))
			fprintf(stderr, "row %zu\n", i);
		CU_ASSERT_EQUAL(e.kind, ok ? ERR_NONE : ERR_PERM);
	}
	char dst[21];
	CU_ASSERT_FALSE(saslprep(SV("a\0b"), dst, sizeof dst, NULL));
}

static void what_is_prepared_stays_so(void)
{
	static const char *const t[] = { "\xc2\xaa\xe2\x85\xa8", "e\xcc\x81", "\xef\xbd\x81\xef\xbd\x82", "\xce\x85" };
	for (size_t i = 0; i < COUNT(t); i++) {
		char once[100], twice[100];
		CU_ASSERT_TRUE(saslprep(sv_of(t[i]), once, sizeof once, NULL));
		CU_ASSERT_TRUE(saslprep(sv_of(once), twice, sizeof twice, NULL));
		CU_ASSERT_STRING_EQUAL(once, twice);
	}
}

void suite_saslprep(void)
{
	static const struct unit_case cases[] = { UNIT(names_and_passwords_have_one_form), UNIT(what_is_prepared_stays_so),
		UNIT_END };
	unit_suite("saslprep", cases);
}
