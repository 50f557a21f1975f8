#include "unit/unit.h"
#include "base/num.h"

#define U64_TOP 18446744073709551615u

static void decimal_numbers_are_digits_within_a_range(void)
{
	static const struct {
		const char *s;
		uint64_t min, max;
		bool ok;
		uint64_t want;
	} t[] = {
		{ "0", 0, 10, true, 0 },
		{ "10", 0, 10, true, 10 },
		{ "11", 0, 10, false, 0 },
		{ "4", 5, 10, false, 0 },
		{ "007", 0, 10, true, 7 },
		{ "", 0, 10, false, 0 },
		{ "+1", 0, 10, false, 0 },
		{ "-1", 0, 10, false, 0 },
		{ " 1", 0, 10, false, 0 },
		{ "1 ", 0, 10, false, 0 },
		{ "0x1", 0, 10, false, 0 },
		{ "1e1", 0, 10, false, 0 },
		{ "a", 0, 10, false, 0 },
		{ "18446744073709551615", 0, U64_TOP, true, U64_TOP },
		{ "18446744073709551616", 0, U64_TOP, false, 0 },
		{ "184467440737095516150", 0, U64_TOP, false, 0 },
		{ "99999999999999999999999", 0, U64_TOP, false, 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t n = 42;
		CU_ASSERT_EQUAL(num_u64(sv_of(t[i].s), t[i].min, t[i].max, &n), t[i].ok);
		CU_ASSERT_EQUAL(n, t[i].ok ? t[i].want : 42);
	}
}

static void hex_and_signed_numbers_end_at_their_limits(void)
{
	uint64_t u = 42;
	int64_t n = 42;

	CU_ASSERT_TRUE(num_hex(SV("fFfFfFfFfFfFfFfF"), U64_TOP, &u));
	CU_ASSERT_EQUAL(u, U64_TOP);
	CU_ASSERT_FALSE(num_hex(SV("10000000000000000"), U64_TOP, &u));
	CU_ASSERT_FALSE(num_hex(SV("100"), 0xff, &u));
	CU_ASSERT_FALSE(num_hex(SV("0xff"), 0xff, &u));
	CU_ASSERT_FALSE(num_hex(SV("g"), 0xff, &u));
	CU_ASSERT_FALSE(num_hex(SV(""), 0xff, &u));
	CU_ASSERT_TRUE(num_i64(SV("-9223372036854775808"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_EQUAL(n, INT64_MIN);
	CU_ASSERT_TRUE(num_i64(SV("9223372036854775807"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_EQUAL(n, INT64_MAX);
	CU_ASSERT_FALSE(num_i64(SV("9223372036854775808"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_FALSE(num_i64(SV("-9223372036854775809"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_FALSE(num_i64(SV("-"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_FALSE(num_i64(SV("--1"), INT64_MIN, INT64_MAX, &n));
	CU_ASSERT_FALSE(num_i64(SV("-6"), -5, 5, &n));
	CU_ASSERT_TRUE(num_i64(SV("-5"), -5, 5, &n));
	CU_ASSERT_EQUAL(n, -5);
}

static void durations_have_units(void)
{
	static const struct {
		const char *s;
		bool ok;
		uint64_t want;
	} t[] = {
		{ "90", true, 90 },
		{ "90s", true, 90 },
		{ "5m", true, 300 },
		{ "2h", true, 7200 },
		{ "5d", true, 432000 },
		{ "1w", true, 604800 },
		{ "2H", true, 7200 },
		{ "0", true, 0 },
		{ "s", false, 0 },
		{ "", false, 0 },
		{ "5x", false, 0 },
		{ "5 m", false, 0 },
		{ "5mm", false, 0 },
		{ "-5m", false, 0 },
		{ "1h30m", false, 0 },
		{ "99999999999999999w", false, 0 },
		{ "1000000s", false, 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t n = 42;
		CU_ASSERT_EQUAL(num_secs(sv_of(t[i].s), 0, 999999, &n), t[i].ok);
		CU_ASSERT_EQUAL(n, t[i].ok ? t[i].want : 42);
	}
}

static void sizes_are_powers_of_1024(void)
{
	static const struct {
		const char *s;
		bool ok;
		uint64_t want;
	} t[] = {
		{ "10", true, 10 },
		{ "64K", true, 65536 },
		{ "64k", true, 65536 },
		{ "64KiB", true, 65536 },
		{ "50M", true, 52428800 },
		{ "2G", true, 1ull << 31 },
		{ "1T", true, 1ull << 40 },
		{ "1MiB", true, 1 << 20 },
		{ "10iB", false, 0 },
		{ "iB", false, 0 },
		{ "KiB", false, 0 },
		{ "1KB", false, 0 },
		{ "1B", false, 0 },
		{ "1.5M", false, 0 },
		{ "16777216T", false, 0 },
		{ "", false, 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t n = 42;
		CU_ASSERT_EQUAL(num_size(sv_of(t[i].s), 0, U64_TOP, &n), t[i].ok);
		CU_ASSERT_EQUAL(n, t[i].ok ? t[i].want : 42);
	}
}

static void the_exact_form_is_short_and_read_back(void)
{
	static const struct {
		uint64_t n;
		const char *secs, *size;
	} t[] = {
		{ 0, "0", "0" },
		{ 1, "1s", "1" },
		{ 60, "1m", "60" },
		{ 432000, "5d", "432000" },
		{ 604800, "1w", "604800" },
		{ 1024, "1024s", "1K" },
		{ 52428800, "52428800s", "50M" },
		{ 1536, "1536s", "1536" },
		{ U64_TOP, "18446744073709551615s", "18446744073709551615" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char secs[NUM_TEXT_MAX], size[NUM_TEXT_MAX];
		uint64_t back = 42;
		CU_ASSERT_STRING_EQUAL(num_fmt_secs(t[i].n, secs), t[i].secs);
		CU_ASSERT_STRING_EQUAL(num_fmt_size(t[i].n, size), t[i].size);
		CU_ASSERT_TRUE(num_secs(sv_of(secs), 0, U64_TOP, &back) && back == t[i].n);
		CU_ASSERT_TRUE(num_size(sv_of(size), 0, U64_TOP, &back) && back == t[i].n);
	}
}

static void the_human_form_has_two_units_at_most(void)
{
	static const struct {
		uint64_t n;
		const char *secs, *size;
	} t[] = {
		{ 0, "0s", "0 B" },
		{ 59, "59s", "59 B" },
		{ 61, "1m 1s", "61 B" },
		{ 1023, "17m 3s", "1023 B" },
		{ 3600, "1h", "3.5 KiB" },
		{ 273600, "3d 4h", "267.2 KiB" },
		{ 273659, "3d 4h", "267.2 KiB" },
		{ 13002342, "150d 11h", "12.4 MiB" },
		{ U64_TOP, "213503982334601d 7h", "16777216.0 TiB" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char dst[NUM_TEXT_MAX];
		CU_ASSERT_STRING_EQUAL(num_human_secs(t[i].n, dst), t[i].secs);
		CU_ASSERT_STRING_EQUAL(num_human_size(t[i].n, dst), t[i].size);
	}
}

void suite_num(void)
{
	static const struct unit_case cases[] = {
		UNIT(decimal_numbers_are_digits_within_a_range),
		UNIT(hex_and_signed_numbers_end_at_their_limits),
		UNIT(durations_have_units),
		UNIT(sizes_are_powers_of_1024),
		UNIT(the_exact_form_is_short_and_read_back),
		UNIT(the_human_form_has_two_units_at_most),
		UNIT_END,
	};
	unit_suite("num", cases);
}
