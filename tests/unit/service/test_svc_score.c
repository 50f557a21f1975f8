#include "service/score.h"
#include "tests/unit/unit.h"

static struct addr ip(const char *text)
{
	struct addr a = { 0 };
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(text), &a));
	return a;
}

static void slots_are_taken_until_none_is_left(void)
{
	struct score *s = score_new(3, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(score_take(s), i);
	CU_ASSERT_EQUAL(score_take(s), -1);
	score_clear(s, 1);
	CU_ASSERT_EQUAL(score_take(s), 1);
	score_free(s);
}

static void each_state_counts_as_what_it_is(void)
{
	static const enum score_state states[] = { SCORE_STARTING, SCORE_IDLE, SCORE_BUSY, SCORE_BUSY, SCORE_LEAVING };
	struct score *s = score_new(10, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	for (size_t i = 0; i < COUNT(states); i++)
		score_set(s, (unsigned)score_take(s), states[i]);
	struct score_counts n = score_count(s);
	CU_ASSERT_EQUAL(n.workers, 5);
	CU_ASSERT_EQUAL(n.idle, 2);
	CU_ASSERT_EQUAL(n.busy, 2);
	score_free(s);
}

static void clients_are_counted_by_address_or_ipv6_network(void)
{
	static const struct {
		const char *marked, *asked;
		unsigned want;
	} t[] = {
		{ "192.0.2.1", "192.0.2.1", 1 },
		{ "192.0.2.1", "192.0.2.2", 0 },
		{ "2001:db8::1", "2001:db8::2:3", 1 },
		{ "2001:db8::1", "2001:db8:0:1::1", 0 },
		{ "::1", "::1", 1 },
		{ "0.0.0.1", "::1", 0 },
		{ "192.0.2.1", "::c000:201", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct score *s = score_new(2, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		struct addr marked = ip(t[i].marked), asked = ip(t[i].asked);
		score_mark(s, 0, &marked);
		CU_ASSERT_EQUAL(score_marked(s, &asked), t[i].want);
		score_free(s);
	}
}

static void local_clients_are_counted_by_uid(void)
{
	struct score *s = score_new(2, NULL);
	struct addr root = { .family = AF_UNIX }, user = { .family = AF_UNIX, .ip = { 0, 0, 3, 232 } },
		    same_bytes = ip("0.0.3.232");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	score_mark(s, 0, &user);
	score_mark(s, 1, &root);
	CU_ASSERT_EQUAL(score_marked(s, &user), 1);
	CU_ASSERT_EQUAL(score_marked(s, &same_bytes), 0);
	CU_ASSERT_EQUAL(score_marked(s, &root), 0);
	score_free(s);
}

static void a_cleared_slot_has_no_mark(void)
{
	struct score *s = score_new(2, NULL);
	struct addr a = ip("192.0.2.1"), local = { .family = AF_UNIX };
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	score_mark(s, 0, &a);
	score_mark(s, 1, &a);
	CU_ASSERT_EQUAL(score_marked(s, &a), 2);
	score_mark(s, 1, NULL);
	CU_ASSERT_EQUAL(score_marked(s, &a), 1);
	score_clear(s, 0);
	CU_ASSERT_EQUAL(score_marked(s, &a), 0);
	score_mark(s, 0, &local);
	CU_ASSERT_EQUAL(score_marked(s, &local), 0);
	score_free(s);
}

static void networks_and_tags_are_counted_too(void)
{
	struct score *s = score_new(4, NULL);
	static const char *const clients[] = { "192.0.2.1", "192.0.2.200", "192.0.3.1", "2001:db8:1:2::1" };
	struct addr a;
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT(addr_parse_ip(sv_of(clients[i]), &a));
		CU_ASSERT_EQUAL(score_take(s), (int)i);
		score_mark(s, i, &a);
		s->tag[i] = i < 3 ? 7 : 8;
	}
	CU_ASSERT(addr_parse_ip(SV("192.0.2.9"), &a));
	CU_ASSERT_EQUAL(score_marked_net(s, &a), 2);
	CU_ASSERT(addr_parse_ip(SV("2001:db8:1:ffff::9"), &a));
	CU_ASSERT_EQUAL(score_marked_net(s, &a), 1);
	CU_ASSERT_EQUAL(score_tagged(s, 7), 3);
	CU_ASSERT_EQUAL(score_tagged(s, 0), 0);
	score_free(s);
}

static void who_is_still_for_longest_is_found(void)
{
	struct score *s = score_new(3, NULL);
	static const uint64_t since[] = { 500, 300, 0 };
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(score_take(s), (int)i);
		score_set(s, i, SCORE_BUSY);
		s->still_ms[i] = since[i];
	}
	CU_ASSERT_EQUAL(score_stillest(s, 1000), 1);
	CU_ASSERT_EQUAL(score_stillest(s, 300), -1);
	score_set(s, 1, SCORE_IDLE);
	CU_ASSERT_EQUAL(score_stillest(s, 1000), 0);
	score_clear(s, 0);
	CU_ASSERT_EQUAL(score_stillest(s, 1000), -1);
	score_free(s);
}

void suite_svc_score(void)
{
	static const struct unit_case cases[] = {
		UNIT(slots_are_taken_until_none_is_left),
		UNIT(each_state_counts_as_what_it_is),
		UNIT(clients_are_counted_by_address_or_ipv6_network),
		UNIT(local_clients_are_counted_by_uid),
		UNIT(a_cleared_slot_has_no_mark),
		UNIT(networks_and_tags_are_counted_too),
		UNIT(who_is_still_for_longest_is_found),
		UNIT_END,
	};
	unit_suite("svc_score", cases);
}
