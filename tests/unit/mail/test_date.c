#include "unit/unit.h"
#include "mail/date.h"

static void in_zone(const char *zone, uint64_t secs, const char *want)
{
	char text[DATE_TEXT_MAX];
	uint64_t back;

	setenv("TZ", zone, 1);
	tzset();
	CU_ASSERT_STRING_EQUAL(date_text(secs, text), want);
	CU_ASSERT_TRUE(date_parse(sv_of(text), &back) && back == secs);
	unsetenv("TZ");
	tzset();
}

static void dates_are_written_in_the_zone_of_the_system(void)
{
	in_zone("UTC0", 1795464636, "Mon, 23 Nov 2026 20:10:36 +0000");
	in_zone("TST-5:30", 1795464636, "Tue, 24 Nov 2026 01:40:36 +0530");
	in_zone("TST3:30", 1795464636, "Mon, 23 Nov 2026 16:40:36 -0330");
	in_zone("UTC0", 0, "Thu, 1 Jan 1970 00:00:00 +0000");
}

static void iso_dates_are_utc_with_milliseconds(void)
{
	char text[DATE_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(date_iso(1795464636123, text), "2026-11-23T20:10:36.123Z");
	CU_ASSERT_STRING_EQUAL(date_iso(7, text), "1970-01-01T00:00:00.007Z");
	CU_ASSERT_EQUAL(strlen(date_iso(UINT64_MAX, text)), 24);
}

static void all_forms_are_parsed(void)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} t[] = {
		{ "Mon, 23 Nov 2026 20:10:36 +0000", 1795464636 },
		{ "Tue, 24 Nov 2026 01:40:36 +0530", 1795464636 },
		{ "23 Nov 2026 20:10:36 -0000", 1795464636 },
		{ "23 nov 26 15:10:36 EST", 1795464636 },
		{ " Mon (day) , 23 Nov\n\t2026 20 : 10 : 36 GMT (x (y))", 1795464636 },
		{ "23 Nov 126 20:10:36 Z", 1795464636 },
		{ "29 Feb 2024 00:00 UT", 1709164800 },
		{ "31 Dec 99 23:59:60 A", 946684800 },
		{ "1 Jan 1970 00:00 +0000", 0 },
		{ "29 Feb 2023 00:00 UT", -1 },
		{ "29 Feb 1900 00:00 UT", -1 },
		{ "1 Jan 1960 00:00 UT", -1 },
		{ "31 Jun 2026 00:00 UT", -1 },
		{ "0 Jan 2026 00:00 UT", -1 },
		{ "1 Jan 2026 24:00 UT", -1 },
		{ "1 Jan 2026 00:60 UT", -1 },
		{ "1 Jan 2026 00:00", -1 },
		{ "1 Jan 2026 00:00 +00", -1 },
		{ "1 Jan 2026 00:00 +0060", -1 },
		{ "1 Jan 2026 00:00 UT x", -1 },
		{ "1 Jan 2026 00:00 UT (", -1 },
		{ "1 Foo 2026 00:00 UT", -1 },
		{ "1 Jan 20266 00:00 UT", -1 },
		{ "Mon 23 Nov 2026 20:10:36 +0000", -1 },
		{ "", -1 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t secs = 42;
		bool ok = date_parse(sv_of(t[i].text), &secs);
		CU_ASSERT_EQUAL(ok, t[i].want >= 0);
		CU_ASSERT_EQUAL(secs, t[i].want >= 0 ? (uint64_t)t[i].want : 42);
	}
}

static void iso_dates_are_parsed_strictly(void)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} t[] = {
		{ "2026-11-23T20:10:36Z", 1795464636 },
		{ "2026-11-23t20:10:36.999z", 1795464636 },
		{ "2026-11-24T01:40:36+05:30", 1795464636 },
		{ "2026-11-23T15:10:36-05:00", 1795464636 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00+00:01", -1 },
		{ "2023-02-29T00:00:00Z", -1 },
		{ "2026-11-23 20:10:36Z", -1 },
		{ "2026-11-23T20:10:36", -1 },
		{ "2026-11-23T20:10Z", -1 },
		{ "2026-11-23T20:10:36.Z", -1 },
		{ "2026-11-23T20:10:36+0100", -1 },
		{ "2026-11-23T20:10:36+24:00", -1 },
		{ "2026-1-23T20:10:36Z", -1 },
		{ "2026-13-23T20:10:36Z", -1 },
		{ "2026-11-23T20:10:36ZZ", -1 },
		{ "", -1 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		uint64_t secs = 42;
		bool ok = date_iso_parse(sv_of(t[i].text), &secs);
		CU_ASSERT_EQUAL(ok, t[i].want >= 0);
		CU_ASSERT_EQUAL(secs, t[i].want >= 0 ? (uint64_t)t[i].want : 42);
	}
}

void suite_date(void)
{
	static const struct unit_case cases[] = {
		UNIT(dates_are_written_in_the_zone_of_the_system),
		UNIT(iso_dates_are_utc_with_milliseconds),
		UNIT(all_forms_are_parsed),
		UNIT(iso_dates_are_parsed_strictly),
		UNIT_END,
	};
	unit_suite("date", cases);
}
