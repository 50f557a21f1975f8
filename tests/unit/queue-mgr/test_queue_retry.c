#include "queue-mgr/reason.h"
#include "queue-mgr/retry.h"

#include "unit/unit.h"

static const struct cfg_queue cfg = {
	.retry_min = 300, .retry_max = 3600, .queue_lifetime = 432000, .bounce_lifetime = 172800, .delay_warning = 14400
};

static void pauses_double_up_to_the_longest(void)
{
	static const struct {
		uint32_t n, want;
	} t[] = { { 1, 300 }, { 2, 600 }, { 3, 1200 }, { 4, 2400 }, { 5, 3600 }, { 6, 3600 }, { 1000000, 3600 } };
	for (size_t i = 0; i < COUNT(t); i++) {
		uint32_t spread = t[i].want / 8;
		CU_ASSERT_EQUAL(retry_pause(&cfg, t[i].n, spread), t[i].want); /* the middle of the jitter */
		CU_ASSERT_EQUAL(retry_pause(&cfg, t[i].n, 0), t[i].want - spread);
		CU_ASSERT_EQUAL(retry_pause(&cfg, t[i].n, 2 * spread), t[i].want + spread);
		for (uint64_t r = 1; r < UINT64_MAX / 3; r *= 3) {
			uint32_t p = retry_pause(&cfg, t[i].n, r);
			CU_ASSERT(p >= t[i].want - spread && p <= t[i].want + spread);
		}
	}
}

static void a_pause_is_at_least_a_second(void)
{
	struct cfg_queue one = { .retry_min = 1, .retry_max = 1 };
	for (uint64_t r = 0; r < 10; r++)
		CU_ASSERT_EQUAL(retry_pause(&one, 1, r), 1);
	one.retry_max = 0;
	CU_ASSERT_EQUAL(retry_pause(&one, 9, 7), 1);
}

static void a_time_far_off_is_a_clock_that_was_wrong(void)
{
	CU_ASSERT_EQUAL(retry_due(&cfg, 5000, 10000), 5000);
	CU_ASSERT_EQUAL(retry_due(&cfg, 14050, 10000), 14050);
	CU_ASSERT_EQUAL(retry_due(&cfg, 14051, 10000), 14050);
	CU_ASSERT_EQUAL(retry_due(&cfg, UINT32_MAX, 10000), 14050);
	CU_ASSERT_EQUAL(retry_due(&cfg, UINT32_MAX, UINT32_MAX - 1), UINT32_MAX);
}

static void bounces_have_a_lifetime_of_their_own(void)
{
	CU_ASSERT_EQUAL(retry_expires(&cfg, 1000, false), 433000);
	CU_ASSERT_EQUAL(retry_expires(&cfg, 1000, true), 173800);
}

static void the_warning_comes_when_it_is_time_or_never(void)
{
	struct cfg_queue never = cfg;
	never.delay_warning = 0;
	CU_ASSERT_FALSE(retry_warn(&cfg, 1000, 15399));
	CU_ASSERT_TRUE(retry_warn(&cfg, 1000, 15400));
	CU_ASSERT_FALSE(retry_warn(&never, 1000, 1u << 30));
}

static void the_latest_reasons_are_kept(void)
{
	struct reasons *r = reasons_new(3);
	struct spool_id id[5];
	for (uint32_t i = 0; i < 5; i++) {
		char text[20];
		spool_id_make(1700000000, i, 0, &id[i]);
		snprintf(text, sizeof(text), "reason %u", (unsigned)i);
		reasons_set(r, &id[i], text);
	}
	CU_ASSERT_STRING_EQUAL(reasons_get(r, &id[1]), "");
	CU_ASSERT_STRING_EQUAL(reasons_get(r, &id[2]), "reason 2");
	reasons_set(r, &id[2], "newer");
	reasons_set(r, &id[0], "again");
	CU_ASSERT_STRING_EQUAL(reasons_get(r, &id[2]), "newer");
	CU_ASSERT_STRING_EQUAL(reasons_get(r, &id[3]), "");
	reasons_drop(r, &id[2]);
	CU_ASSERT_STRING_EQUAL(reasons_get(r, &id[2]), "");
	reasons_free(r);
}

void suite_queue_retry(void)
{
	static const struct unit_case cases[] = { UNIT(pauses_double_up_to_the_longest), UNIT(a_pause_is_at_least_a_second),
		UNIT(a_time_far_off_is_a_clock_that_was_wrong), UNIT(bounces_have_a_lifetime_of_their_own),
		UNIT(the_warning_comes_when_it_is_time_or_never), UNIT(the_latest_reasons_are_kept), UNIT_END };
	unit_suite("queue_retry", cases);
}
