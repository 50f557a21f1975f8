/* Failures are counted where they belong. */
#include "tests/unit/unit.h"

#include "base/sv.h"
#include "budget.h"
#include "throttle.h"

static const struct throttle_limits limits = { .delay_ms = 1000, .failures_max = 3, .lock_ms = 60000 };

static struct throttle_client from(const char *account, const char *ip)
{
	struct throttle_client c = { .account = account };
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(ip), &c.addr));
	return c;
}

static bool locked(struct throttle *t, struct throttle_client c, uint64_t now)
{
	uint64_t left;
	return throttle_locked(t, &c, now, &left);
}

static uint64_t fail(struct throttle *t, struct throttle_client c, const char *password, uint64_t now)
{
	return throttle_failed(t, &c, sv_of(password), now);
}

static void an_account_is_locked_for_strangers_and_not_for_its_owner(void)
{
	struct throttle *t = throttle_new(&limits);
	struct throttle_client owner = from("al", "192.0.2.7"), thief = from("AL", "198.51.100.1");
	throttle_passed(t, &owner, 1);
	CU_ASSERT_EQUAL(fail(t, thief, "a", 1), 1000);
	CU_ASSERT_EQUAL(fail(t, thief, "b", 2), 2000);
	CU_ASSERT_FALSE(locked(t, thief, 3));
	CU_ASSERT_EQUAL(fail(t, thief, "c", 3), 4000);
	CU_ASSERT_TRUE(locked(t, thief, 4));
	CU_ASSERT_TRUE(locked(t, from("al", "203.0.113.1"), 4));
	CU_ASSERT_FALSE(locked(t, from("al", "192.0.2.200"), 4)); /* the same /24 */
	CU_ASSERT_FALSE(locked(t, from("bea", "198.51.100.1"), 4));
	CU_ASSERT_FALSE(locked(t, thief, 70000));
	throttle_free(t);
}

static void the_same_password_again_counts_once(void)
{
	struct throttle *t = throttle_new(&limits);
	for (uint64_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(fail(t, from("al", "192.0.2.7"), "old", i), 1000);
	CU_ASSERT_FALSE(locked(t, from("al", "192.0.2.7"), 30));
	throttle_free(t);
}

static void a_network_that_tries_many_accounts_is_locked(void)
{
	struct throttle *t = throttle_new(&limits);
	char name[20];
	for (unsigned i = 0; i < 15; i++) {
		snprintf(name, sizeof name, "user%u", i);
		CU_ASSERT_FALSE(locked(t, from(name, "2001:db8::1"), i));
		fail(t, from(name, "2001:db8::1"), "x", i);
	}
	CU_ASSERT_TRUE(locked(t, from("another", "2001:db8::ffff:1"), 20)); /* the same /64 */
	CU_ASSERT_FALSE(locked(t, from("another", "2001:db8:0:1::1"), 20));
	throttle_free(t);
}

static void budgets_end_freeze_and_begin_anew(void)
{
	struct cfg_auth cfg = { .account_messages_per_hour = 2, .account_recipients_per_day = 5, .account_freeze_after = 2 };
	struct budgets *b = budgets_new(&cfg);
	char text[200];
	CU_ASSERT_EQUAL(budget_spend(b, "al", 1, 1, 1000, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(b, "al", 1, 1, 1000, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(b, "al", 1, 1, 1001, text), AUTH_LATER);
	CU_ASSERT_EQUAL(budget_spend(b, "bea", 1, 1, 1001, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(b, "al", 1, 3, 1000 + 3600, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(b, "al", 0, 1, 1001 + 3600, text), AUTH_FROZEN); /* the second refusal of the day */
	budget_forget(b, "al");
	CU_ASSERT_EQUAL(budget_spend(b, "al", 1, 1, 1002 + 3600, text), AUTH_GRANTED);
	budgets_free(b);
}

void suite_authd_throttle(void)
{
	static const struct unit_case cases[] = {
		UNIT(an_account_is_locked_for_strangers_and_not_for_its_owner),
		UNIT(the_same_password_again_counts_once),
		UNIT(a_network_that_tries_many_accounts_is_locked),
		UNIT(budgets_end_freeze_and_begin_anew),
		UNIT_END,
	};
	unit_suite("authd_throttle", cases);
}
