#include "tests/unit/unit.h"

#include "smtpd/limit.h"

/* The tables live as long as the process, as in smtpd. */
static struct addr ip(const char *text)
{
	struct addr a;
	BUG_IF(!addr_parse_ip(sv_of(text), &a));
	return a;
}

static void a_rate_is_used_up_and_comes_back(void)
{
	struct limits *l = limits_new(NULL);
	struct addr a = ip("192.0.2.1");
	uint64_t who = limits_client(l, &a), now = 1000000;
	for (int i = 0; i < 6; i++)
		CU_ASSERT(limits_take(l, who, LIMIT_MESSAGES, 6, 1, now));
	CU_ASSERT(!limits_take(l, who, LIMIT_MESSAGES, 6, 1, now));
	CU_ASSERT(limits_take(l, who, LIMIT_RECIPIENTS, 6, 1, now));
	CU_ASSERT(!limits_take(l, who, LIMIT_MESSAGES, 6, 1, now + 9000));
	CU_ASSERT(limits_take(l, who, LIMIT_MESSAGES, 6, 1, now + 10000));
	CU_ASSERT(!limits_take(l, who, LIMIT_MESSAGES, 6, 1, now + 10000));
	CU_ASSERT(limits_take(l, who, LIMIT_MESSAGES, 6, 6, now + 200000));
}

static void more_than_the_rate_at_once_is_never_taken(void)
{
	struct limits *l = limits_new(NULL);
	CU_ASSERT(!limits_take(l, 77, LIMIT_RECIPIENTS, 10, 11, 5000));
	CU_ASSERT(!limits_take(l, 77, LIMIT_RECIPIENTS, 10, UINT64_MAX, 5000));
	CU_ASSERT(limits_take(l, 77, LIMIT_RECIPIENTS, 10, 10, 5000));
	CU_ASSERT(limits_take(l, 77, LIMIT_RECIPIENTS, 0, 1000, 5000));
	CU_ASSERT(limits_take(l, 0, LIMIT_RECIPIENTS, 1, 1000, 5000));
}

static void clients_and_networks_are_what_one_customer_has(void)
{
	static const struct {
		const char *a, *b;
		bool same_client, same_network;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true, true },
		{ "192.0.2.1", "192.0.2.2", false, true },
		{ "192.0.2.1", "192.0.3.1", false, false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true, true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false, true },
		{ "2001:db8:1:2::1", "2001:db8:2:2::1", false, false },
	};
	struct limits *l = limits_new(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = ip(cases[i].a), b = ip(cases[i].b);
		CU_ASSERT((limits_client(l, &a) == limits_client(l, &b)) == cases[i].same_client);
		CU_ASSERT((limits_network(l, &a) == limits_network(l, &b)) == cases[i].same_network);
		CU_ASSERT(limits_client(l, &a) != limits_network(l, &a));
	}
	CU_ASSERT(limits_account(l, "") == 0);
	CU_ASSERT(limits_account(l, "alice") != limits_account(l, "bob"));
}

/* A flood of others may make us forget somebody who is quiet, never one who is at his limit now. */
static void who_was_quiet_longest_is_forgotten_first(void)
{
	struct limits *l = limits_new(NULL);
	uint64_t now = 1000000;
	for (int i = 0; i < 5; i++)
		CU_ASSERT(limits_take(l, 8, LIMIT_MESSAGES, 5, 1, now));
	for (uint64_t k = 1; k <= 100; k++) /* of the same set */
		CU_ASSERT(limits_take(l, 8 + k * 8192, LIMIT_MESSAGES, 1000, 1, now));
	CU_ASSERT(!limits_take(l, 8, LIMIT_MESSAGES, 5, 1, now));
}

static void what_is_remembered_ends(void)
{
	struct limits *l = limits_new(NULL);
	CU_ASSERT(!limits_remembered(l, 5, 1000));
	limits_remember(l, 5, 9000, 1000);
	CU_ASSERT(limits_remembered(l, 5, 8999));
	CU_ASSERT(!limits_remembered(l, 5, 9000));
	CU_ASSERT(!limits_remembered(l, 0, 1000));
}

void suite_smtpd_limit(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_rate_is_used_up_and_comes_back),
		UNIT(more_than_the_rate_at_once_is_never_taken),
		UNIT(clients_and_networks_are_what_one_customer_has),
		UNIT(who_was_quiet_longest_is_forgotten_first),
		UNIT(what_is_remembered_ends),
		UNIT_END,
	};
	unit_suite("smtpd_limit", cases);
}
