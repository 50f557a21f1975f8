#include "unit/unit.h"
#include "base/sv.h"

static void views_compare_by_length_and_bytes(void)
{
	static const struct {
		struct sv a, b;
		bool eq, ieq;
		int cmp;
	} t[] = {
		{ { NULL, 0 }, { "", 0 }, true, true, 0 },
		{ { "abc", 3 }, { "abc", 3 }, true, true, 0 },
		{ { "abc", 3 }, { "abd", 3 }, false, false, -1 },
		{ { "abc", 3 }, { "ab", 2 }, false, false, 1 },
		{ { "", 0 }, { "a", 1 }, false, false, -1 },
		{ { "aBC", 3 }, { "AbC", 3 }, false, true, 1 },
		{ { "a\0b", 3 }, { "a\0c", 3 }, false, false, -1 },
		{ { "\xff", 1 }, { "a", 1 }, false, false, 1 },
		{ { "[", 1 }, { "{", 1 }, false, false, -1 }, /* 32 apart, but no letters */
		{ { "\xc4", 1 }, { "\xe4", 1 }, false, false, -1 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		int cmp = sv_cmp(t[i].a, t[i].b);
		CU_ASSERT_EQUAL(sv_eq(t[i].a, t[i].b), t[i].eq);
		CU_ASSERT_EQUAL(sv_ieq(t[i].a, t[i].b), t[i].ieq);
		CU_ASSERT_EQUAL((cmp > 0) - (cmp < 0), t[i].cmp);
	}
}

static void prefixes_and_suffixes_are_found_within_the_length(void)
{
	static const struct {
		const char *s, *part;
		bool starts, istarts, ends, iends;
	} t[] = {
		{ "MAIL FROM", "MAIL", true, true, false, false },
		{ "MAIL FROM", "mail", false, true, false, false },
		{ "MAIL FROM", "FROM", false, false, true, true },
		{ "MAIL FROM", "from", false, false, false, true },
		{ "MAIL", "MAIL", true, true, true, true },
		{ "MAI", "MAIL", false, false, false, false },
		{ "", "", true, true, true, true },
		{ "x", "", true, true, true, true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv s = sv_of(t[i].s), part = sv_of(t[i].part);
		CU_ASSERT_EQUAL(sv_starts(s, part), t[i].starts);
		CU_ASSERT_EQUAL(sv_istarts(s, part), t[i].istarts);
		CU_ASSERT_EQUAL(sv_ends(s, part), t[i].ends);
		CU_ASSERT_EQUAL(sv_iends(s, part), t[i].iends);
	}
}

static void parts_are_clipped_to_the_view(void)
{
	struct sv s = SV("hello");

	CU_ASSERT_TRUE(sv_eqs(sv_sub(s, 1, 3), "ell"));
	CU_ASSERT_TRUE(sv_eqs(sv_sub(s, 3, 100), "lo"));
	CU_ASSERT_TRUE(sv_eqs(sv_sub(s, 3, SIZE_MAX), "lo"));
	CU_ASSERT_TRUE(sv_eqs(sv_sub(s, 5, 1), ""));
	CU_ASSERT_TRUE(sv_eqs(sv_sub(s, 99, 1), ""));
	CU_ASSERT_TRUE(sv_eqs(sv_skip(s, SIZE_MAX), ""));
	CU_ASSERT_TRUE(sv_eqs(sv_skip(sv_of(NULL), 3), ""));
	CU_ASSERT_TRUE(sv_eqs(sv_trim(SV(" \t\r\n a b \n")), "a b"));
	CU_ASSERT_TRUE(sv_eqs(sv_trim(SV(" \r\n")), ""));
}

static void bytes_and_strings_are_found(void)
{
	struct sv s = SV("a@b@c");

	CU_ASSERT_EQUAL(sv_chr(s, '@'), 1);
	CU_ASSERT_EQUAL(sv_rchr(s, '@'), 3);
	CU_ASSERT_EQUAL(sv_chr(s, 'x'), -1);
	CU_ASSERT_EQUAL(sv_rchr(s, 'x'), -1);
	CU_ASSERT_EQUAL(sv_chr(sv_of(NULL), 'x'), -1);
	CU_ASSERT_EQUAL(sv_rchr(sv_of(NULL), 'x'), -1);
	CU_ASSERT_EQUAL(sv_find(s, SV("@c")), 3);
	CU_ASSERT_EQUAL(sv_find(s, SV("@d")), -1);
	CU_ASSERT_EQUAL(sv_find(s, SV("")), 0);
	CU_ASSERT_EQUAL(sv_find(sv_of(NULL), SV("a")), -1);
	CU_ASSERT_EQUAL(sv_find(SV("a\0b"), SV("\0b")), 1);
}

static void cutting_gives_every_part_once(void)
{
	static const struct {
		const char *s, *parts; /* parts joined with | and ended with ! */
	} t[] = {
		{ "a,,b", "a||b|!" },
		{ "", "|!" },
		{ "a", "a|!" },
		{ ",", "||!" },
		{ "a,", "a||!" },
		{ NULL, "!" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv rest = sv_of(t[i].s), part;
		char got[64] = "";
		size_t n = 0;
		while (n < 40 && sv_cut(&rest, ',', &part))
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s|", (int)part.n, part.p);
		snprintf(got + n, sizeof(got) - n, "!");
		CU_ASSERT_STRING_EQUAL(got, t[i].parts);
	}
}

static void words_are_runs_without_blanks(void)
{
	static const struct {
		const char *s, *words;
	} t[] = {
		{ "  one\ttwo  three ", "one|two|three|!" }, { "", "!" }, { " \t ", "!" }, { "a", "a|!" },
		{ "a\rb\n", "a\rb\n|!" }, /* CR and LF are bytes like any other here */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv rest = sv_of(t[i].s), word;
		char got[64] = "";
		size_t n = 0;
		while (n < 40 && sv_word(&rest, &word))
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s|", (int)word.n, word.p);
		snprintf(got + n, sizeof(got) - n, "!");
		CU_ASSERT_STRING_EQUAL(got, t[i].words);
		CU_ASSERT_EQUAL(rest.n, 0);
	}
}

static void a_copy_needs_room_for_its_nul_and_holds_no_other(void)
{
	char dst[4] = "old";

	CU_ASSERT_FALSE(sv_copy(SV("long"), dst, sizeof(dst)));
	CU_ASSERT_FALSE(sv_copy(SV("a\0b"), dst, sizeof(dst)));
	CU_ASSERT_FALSE(sv_copy(SV(""), dst, 0));
	CU_ASSERT_STRING_EQUAL(dst, "old"); /* untouched on failure */
	CU_ASSERT_TRUE(sv_copy(SV("abc"), dst, sizeof(dst)));
	CU_ASSERT_STRING_EQUAL(dst, "abc");
	CU_ASSERT_TRUE(sv_copy(sv_of(NULL), dst, sizeof(dst)));
	CU_ASSERT_STRING_EQUAL(dst, "");
}

static void utf8_is_judged_as_rfc_3629_says(void)
{
	static const struct {
		const char *s;
		bool ok;
	} t[] = {
		{ "", true },
		{ "plain", true },
		{ "\xc3\xa4", true },
		{ "\xe2\x82\xac", true },
		{ "\xf0\x9f\x93\xa7", true },
		{ "\xf4\x8f\xbf\xbf", true },  /* U+10FFFF */
		{ "\xf4\x90\x80\x80", false }, /* beyond it */
		{ "\xf5\x80\x80\x80", false },
		{ "\xc0\x80", false }, /* overlong NUL */
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false }, /* overlong */
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\x9f\xbf", true },  /* U+D7FF */
		{ "\xed\xa0\x80", false }, /* a surrogate */
		{ "\xee\x80\x80", true },
		{ "\x80", false }, /* a continuation alone */
		{ "\xc3", false }, /* cut short */
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x93", false },
		{ "\xc3(", false },
		{ "\xe2\x82(", false },
		{ "a\xff", false },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(sv_is_utf8(sv_of(t[i].s)), t[i].ok);
	CU_ASSERT_FALSE(sv_is_utf8((struct sv){ "\xe2\x82\xac", 2 })); /* does not look past the end */
}

static void control_characters_are_not_printable(void)
{
	static const struct {
		const char *s;
		size_t len;
	} t[] = {
		{ "a", 1 },
		{ " ", 1 },
		{ "~", 1 },
		{ "\x1f", 0 },
		{ "\n", 0 },
		{ "\x7f", 0 },
		{ "\xc2\x80", 0 },
		{ "\xc2\x9b", 0 },
		{ "\xc2\x9f", 0 },
		{ "\xc2\xa0", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xff", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(sv_print_len(sv_of(t[i].s)), t[i].len);
	CU_ASSERT_EQUAL(sv_print_len(SV("\0")), 0);
	CU_ASSERT_TRUE(sv_has_ctl(SV("a\tb")));
	CU_ASSERT_TRUE(sv_has_ctl(SV("a\0")));
	CU_ASSERT_TRUE(sv_has_ctl(SV("\x7f")));
	CU_ASSERT_FALSE(sv_has_ctl(SV("a b~\xff")));
	CU_ASSERT_TRUE(sv_is_ascii(SV("a\x7f")));
	CU_ASSERT_FALSE(sv_is_ascii(SV("a\x80")));
}

void suite_sv(void)
{
	static const struct unit_case cases[] = {
		UNIT(views_compare_by_length_and_bytes),
		UNIT(prefixes_and_suffixes_are_found_within_the_length),
		UNIT(parts_are_clipped_to_the_view),
		UNIT(bytes_and_strings_are_found),
		UNIT(cutting_gives_every_part_once),
		UNIT(words_are_runs_without_blanks),
		UNIT(a_copy_needs_room_for_its_nul_and_holds_no_other),
		UNIT(utf8_is_judged_as_rfc_3629_says),
		UNIT(control_characters_are_not_printable),
		UNIT_END,
	};
	unit_suite("sv", cases);
}
