/* Failures and budgets outlive the process. */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "counters.h"

#include <fcntl.h>
#include <unistd.h>

#define LOCK_MS 60000

static const struct throttle_limits limits = { .delay_ms = 1000, .failures_max = 3, .lock_ms = LOCK_MS };
static const struct cfg_auth cfg = { .account_messages_per_hour = 2, .account_recipients_per_day = 9, .account_freeze_after = 3 };

struct place {
	char path[40];
	int fd;
};

static struct place make_place(void)
{
	struct place p = { .path = "/tmp/postern-counters-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p.path));
	p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p;
}

static void remove_place(struct place *p)
{
	unlinkat(p->fd, "counters", 0);
	fd_close(&p->fd);
	CU_ASSERT_EQUAL(rmdir(p->path), 0);
}

struct state {
	struct throttle *t;
	struct budgets *b;
};

static struct state begin(void) { return (struct state){ throttle_new(&limits), budgets_new(&cfg) }; }

static void end(struct state *s)
{
	throttle_free(s->t);
	budgets_free(s->b);
}

static struct throttle_client from(const char *account, const char *ip)
{
	struct throttle_client c = { .account = account };
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(ip), &c.addr));
	return c;
}

static bool locked(const struct state *s, const char *account, const char *ip, uint64_t now_ms)
{
	const struct throttle_client c = from(account, ip);
	uint64_t left;
	return throttle_locked(s->t, &c, now_ms, &left);
}

static uint64_t fail(const struct state *s, const char *account, const char *ip, const char *password, uint64_t now_ms)
{
	const struct throttle_client c = from(account, ip);
	return throttle_failed(s->t, &c, sv_of(password), now_ms);
}

/* Ends one process and begins the next, whose monotonic clock may be another's. */
static void restart(struct state *s, const struct place *p, struct throttle_now then, struct throttle_now now)
{
	uint64_t damaged = 99;
	CU_ASSERT_TRUE(counters_save(p->fd, s->t, s->b, then, NULL));
	end(s);
	*s = begin();
	CU_ASSERT_TRUE(counters_load(p->fd, s->t, s->b, now, &damaged, NULL));
	CU_ASSERT_EQUAL(damaged, 0);
}

static void locks_and_known_networks_survive_and_end_in_time(void)
{
	struct place p = make_place();
	struct state s = begin();
	const struct throttle_client owner = from("al", "192.0.2.7");
	throttle_passed(s.t, &owner, 100000);
	for (unsigned i = 0; i < 3; i++)
		fail(&s, "al", "198.51.100.1", "abc" + i, 100000);
	fail(&s, "two words", "198.51.100.1", "x", 100000);
	restart(&s, &p, (struct throttle_now){ 110000, 1700000000 }, (struct throttle_now){ 5000000, 1700000005 });
	CU_ASSERT_TRUE(locked(&s, "al", "198.51.100.1", 5000000));
	CU_ASSERT_FALSE(locked(&s, "al", "192.0.2.7", 5000000)); /* the owner's network is known still */
	CU_ASSERT_TRUE(locked(&s, "al", "203.0.113.1", 5000000 + LOCK_MS - 16000));
	CU_ASSERT_FALSE(locked(&s, "al", "203.0.113.1", 5000000 + LOCK_MS - 14000));
	CU_ASSERT_EQUAL(fail(&s, "two words", "203.0.113.9", "y", 5000000), 2000); /* the second */
	end(&s);
	remove_place(&p);
}

static void what_is_old_is_not_kept(void)
{
	struct place p = make_place();
	struct state s = begin();
	struct buf file = BUF_INIT(1000);
	fail(&s, "al", "198.51.100.1", "x", 100000);
	CU_ASSERT_TRUE(counters_save(p.fd, s.t, s.b, (struct throttle_now){ 100000 + LOCK_MS, 1700000000 }, NULL));
	CU_ASSERT_TRUE(fd_read_path(p.fd, "counters", &file, NULL));
	CU_ASSERT_EQUAL(file.len, 0);
	buf_free(&file);
	fail(&s, "al", "198.51.100.1", "x", 100000);
	restart(&s, &p, (struct throttle_now){ 100000, 1700000000 }, (struct throttle_now){ 100000, 1700000100 });
	CU_ASSERT_EQUAL(fail(&s, "al", "203.0.113.1", "y", 100000), 1000);
	end(&s);
	remove_place(&p);
}

static void a_clock_that_was_set_back_locks_nobody_for_long(void)
{
	struct place p = make_place();
	struct state s = begin();
	for (unsigned i = 0; i < 3; i++)
		fail(&s, "al", "198.51.100.1", "abc" + i, 100000);
	restart(&s, &p, (struct throttle_now){ 100000, 1700000000 }, (struct throttle_now){ 100000, 1600000000 });
	CU_ASSERT_TRUE(locked(&s, "al", "198.51.100.1", 100000));
	CU_ASSERT_FALSE(locked(&s, "al", "198.51.100.1", 100000 + LOCK_MS));
	end(&s);
	remove_place(&p);
}

static void budgets_go_on(void)
{
	struct place p = make_place();
	struct state s = begin();
	const struct throttle_now now = { 1, 1700000010 };
	char text[200];
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000000, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000000, text), AUTH_GRANTED);
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000000, text), AUTH_LATER);
	restart(&s, &p, now, now);
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000010, text), AUTH_LATER);
	CU_ASSERT_EQUAL(budget_spend(s.b, "bea", 1, 1, 1700000010, text), AUTH_GRANTED);
	restart(&s, &p, now, now);
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000010, text), AUTH_FROZEN);  /* the third refusal of the day */
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 7, 1700003600, text), AUTH_GRANTED); /* a new hour of the same day */
	restart(&s, &p, now, (struct throttle_now){ 1, 1700086400 });
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 9, 1700086400, text), AUTH_GRANTED); /* a new day */
	end(&s);
	remove_place(&p);
}

static void what_was_counted_before_the_file_was_read_counts_too(void)
{
	struct place p = make_place();
	struct state s = begin(), next = begin();
	const struct throttle_now now = { 1, 1700000000 };
	uint64_t damaged;
	char text[200];
	CU_ASSERT_EQUAL(budget_spend(s.b, "al", 1, 1, 1700000000, text), AUTH_GRANTED);
	CU_ASSERT_TRUE(counters_save(p.fd, s.t, s.b, now, NULL));
	CU_ASSERT_EQUAL(budget_spend(next.b, "al", 1, 1, 1700000001, text), AUTH_GRANTED);
	CU_ASSERT_TRUE(counters_load(p.fd, next.t, next.b, now, &damaged, NULL));
	CU_ASSERT_EQUAL(budget_spend(next.b, "al", 1, 1, 1700000002, text), AUTH_LATER);
	end(&s);
	end(&next);
	remove_place(&p);
}

static void damaged_lines_are_left_out(void)
{
	static const char text[] = "failures 3 1700000000 1700000060 0 aal \n" /* whole */
				   "failures 3 1700000000 1700000060 0 \n"
				   "failures 3 1700000000 x 0 abea \n"
				   "failures 3 1700000000 1700000060 0 zbea \n"
				   "failures 3 1700000000\n"
				   "budget 1 1 1\n"
				   "budget 1700000000 1 1 1700000000 1 1 0 \n"
				   "budget 1700000000 -1 1 1700000000 1 1 0 al\n"
				   "budget 1700000000 99999999999999999999 1 1700000000 1 1 0 al\n"
				   "\n"
				   "nonsense";
	struct place p = make_place();
	struct state s = begin();
	uint64_t damaged = 0;
	int fd = openat(p.fd, "counters", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE(fd_write_all(fd, text, sizeof text - 1, NULL));
	fd_close(&fd);
	CU_ASSERT_TRUE(counters_load(p.fd, s.t, s.b, (struct throttle_now){ 1000, 1700000000 }, &damaged, NULL));
	CU_ASSERT_EQUAL(damaged, 10);
	CU_ASSERT_TRUE(locked(&s, "al", "192.0.2.1", 1000));
	CU_ASSERT_FALSE(locked(&s, "bea", "192.0.2.1", 1000));
	end(&s);
	remove_place(&p);
}

static void no_file_is_no_trouble(void)
{
	struct place p = make_place();
	struct state s = begin();
	uint64_t damaged = 1;
	CU_ASSERT_TRUE(counters_load(p.fd, s.t, s.b, (struct throttle_now){ 1, 1 }, &damaged, NULL));
	CU_ASSERT_EQUAL(damaged, 0);
	end(&s);
	remove_place(&p);
}

void suite_authd_counters(void)
{
	static const struct unit_case cases[] = {
		UNIT(locks_and_known_networks_survive_and_end_in_time),
		UNIT(what_is_old_is_not_kept),
		UNIT(a_clock_that_was_set_back_locks_nobody_for_long),
		UNIT(budgets_go_on),
		UNIT(what_was_counted_before_the_file_was_read_counts_too),
		UNIT(damaged_lines_are_left_out),
		UNIT(no_file_is_no_trouble),
		UNIT_END,
	};
	unit_suite("authd_counters", cases);
}
