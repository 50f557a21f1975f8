#include "remote-delivery/hosts.h"

#include "unit/unit.h"

#define RECORDS 30

static struct dns_answer answer_of(struct dns_record *rec, size_t n)
{
	return (struct dns_answer){ .status = DNS_OK, .rec = rec, .n = n };
}

static void hosts_are_tried_by_preference(void)
{
	struct dns_record rec[] = { { 20, SV("c.example") }, { 5, SV("a.example") }, { 10, SV("b.example") },
		{ 10, SV("no host") } };
	struct dns_answer mx = answer_of(rec, COUNT(rec));
	struct hosts h;
	struct err e;
	CU_ASSERT_TRUE(hosts_of_mx(&mx, "x.example", &h, &e));
	CU_ASSERT_EQUAL_FATAL(h.n, 3);
	CU_ASSERT_STRING_EQUAL(h.host[0].name, "a.example");
	CU_ASSERT_STRING_EQUAL(h.host[1].name, "b.example");
	CU_ASSERT_STRING_EQUAL(h.host[2].name, "c.example");
}

static void equals_are_tried_in_random_order(void)
{
	struct dns_record rec[] = { { 10, SV("a.example") }, { 10, SV("b.example") } };
	struct dns_answer mx = answer_of(rec, COUNT(rec));
	struct hosts h;
	struct err e;
	unsigned first = 0;
	for (int i = 0; i < 200; i++) {
		CU_ASSERT_TRUE(hosts_of_mx(&mx, "x.example", &h, &e));
		first += h.host[0].name[0] == 'a';
	}
	CU_ASSERT(first > 50 && first < 150); /* 1 of 10^12 runs fails */
}

static void a_long_list_is_cut_at_its_worst_end(void)
{
	struct dns_record rec[RECORDS];
	char name[RECORDS][20];
	struct hosts h;
	struct err e;
	for (size_t i = 0; i < RECORDS; i++) {
		snprintf(name[i], sizeof name[i], "h%zu.example", i);
		rec[i] = (struct dns_record){ (uint16_t)(100 - i), sv_of(name[i]) };
	}
	struct dns_answer mx = answer_of(rec, RECORDS);
	CU_ASSERT_TRUE(hosts_of_mx(&mx, "x.example", &h, &e));
	CU_ASSERT_EQUAL_FATAL(h.n, HOSTS_MAX);
	CU_ASSERT_STRING_EQUAL(h.host[0].name, "h29.example");
}

static void null_mx_and_a_list_without_hosts_are_for_good(void)
{
	struct dns_record null_mx[] = { { 0, SV("") } }, junk[] = { { 0, SV("") }, { 1, SV("-") } };
	static const char *const want[] = { "5.1.10", "5.4.4" };
	struct dns_answer a[] = { answer_of(null_mx, 1), answer_of(junk, 2) };
	for (size_t i = 0; i < COUNT(a); i++) {
		struct hosts h;
		struct err e = { .text = "" };
		CU_ASSERT_FALSE(hosts_of_mx(&a[i], "x.example", &h, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_STRING_EQUAL(e.dsn, want[i]);
	}
}

/* RFC 5321 5.1 */
static void ourselves_and_all_that_are_no_better_are_left_out(void)
{
	static const struct {
		const char *self;
		size_t left;
	} t[] = { { "none.example", 3 }, { "c.example", 2 }, { "B.example", 1 }, { "a.example", 0 } };
	struct dns_record rec[] = { { 10, SV("a.example") }, { 20, SV("b.example") }, { 30, SV("c.example") } };
	struct dns_answer mx = answer_of(rec, COUNT(rec));
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cfg c = { .global.hostname = t[i].self };
		struct self self = { .cfg = &c };
		struct hosts h;
		struct err e = { .text = "" };
		CU_ASSERT_TRUE(hosts_of_mx(&mx, "x.example", &h, &e));
		CU_ASSERT_EQUAL(hosts_drop_self(&h, &self, "x.example", &e), t[i].left > 0);
		CU_ASSERT_EQUAL(h.n, t[i].left);
		CU_ASSERT(t[i].left > 0 || (e.kind == ERR_PERM && strcmp(e.dsn, "5.4.6") == 0));
	}
}

void suite_remote_hosts(void)
{
	static const struct unit_case cases[] = { UNIT(hosts_are_tried_by_preference), UNIT(equals_are_tried_in_random_order),
		UNIT(a_long_list_is_cut_at_its_worst_end), UNIT(null_mx_and_a_list_without_hosts_are_for_good),
		UNIT(ourselves_and_all_that_are_no_better_are_left_out), UNIT_END };
	unit_suite("remote_hosts", cases);
}
