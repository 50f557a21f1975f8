/* What is learnt of destinations. The test is the agent, and the clock is the system's. */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/dest.h"
#include "base/clock.h"
#include "unit/unit.h"

static const struct deliver_res well = { .status = DELIVERED, .dsn = "2.0.0", .text = "250 ok" };
static const struct deliver_res away = {
	.status = DEFERRED, .host = 1, .dsn = "4.4.1", .where = "mx.x.example", .text = "connection refused"
};
static const struct deliver_res slow = { .status = DEFERRED, .dsn = "4.7.0", .text = "421 4.7.0 slow down" };

static struct rcpt rcpt_to(const char *addr, uint32_t key)
{
	return (struct rcpt){ .unit = { .dest = sched_dest(LANE_REMOTE, key) }, .addr = addr, .cls = CLASS_REMOTE };
}

static void deliver(struct bench *b, const struct rcpt *r, const struct deliver_res *res)
{
	dests_sent(&b->q, r);
	dests_result(&b->q, r, res);
}

static struct queue_dest shown(struct bench *b, const char *name)
{
	struct queue_dest d;
	size_t cursor = 0;
	while (dests_next(&b->q, &cursor, &d))
		if (strcmp(d.name, name) == 0)
			return d;
	memset(&d, 0, sizeof(d));
	return d;
}

static void an_answer_says_how_the_destination_is(void)
{
	static const struct {
		enum deliver_status status;
		const char *dsn, *text;
		uint64_t host;
		enum dest_verdict verdict;
	} t[] = {
		{ DELIVERED, "2.0.0", "250 ok", 0, DEST_WELL },
		{ FAILED, "5.1.1", "550 no such user", 0, DEST_WELL },
		{ FAILED, "5.4.4", "no host", 0, DEST_WELL },
		{ DEFERRED, "4.2.2", "452 mailbox full", 0, DEST_WELL },
		{ DEFERRED, "4.7.1", "451 greylisted", 0, DEST_WELL },
		{ DEFERRED, "4.4.1", "connection refused", 1, DEST_AWAY },
		{ DEFERRED, "4.4.3", "the servers give no answer", 1, DEST_AWAY },
		{ DEFERRED, "4.4.2", "no greeting in time", 1, DEST_AWAY },
		{ DEFERRED, "4.7.5", "its certificate is not valid", 1, DEST_AWAY },
		{ DEFERRED, "4.4.2", "lost in mid-message", 0, DEST_LOST },
		{ DEFERRED, "4.7.0", "451 4.7.0 slow down", 0, DEST_TOO_FAST },
		{ DEFERRED, "4.3.2", "421 4.3.2 too many connections", 0, DEST_TOO_FAST },
		{ DEFERRED, "4.7.28", "421-4.7.28 unusual rate", 0, DEST_TOO_FAST },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct deliver_res res = { .status = t[i].status, .host = t[i].host };
		snprintf(res.dsn, sizeof(res.dsn), "%s", t[i].dsn);
		snprintf(res.text, sizeof(res.text), "%s", t[i].text);
		CU_ASSERT_EQUAL(dest_verdict(&res), t[i].verdict);
	}
}

static void a_message_that_breaks_connections_takes_nothing_down(void)
{
	static const struct deliver_res lost = { .status = DEFERRED, .dsn = "4.4.2", .text = "lost in mid-message" };
	struct bench b;
	bench_init(&b);
	struct rcpt r = rcpt_to("a@x.example", 10);
	for (int i = 0; i < 10; i++)
		deliver(&b, &r, &lost);
	CU_ASSERT_STRING_EQUAL(shown(&b, "x.example").state, "up");
	for (int i = 1; i < DEST_FAILURES; i++)
		deliver(&b, &r, &away);
	deliver(&b, &r, &lost); /* nor does it prove that it is well */
	deliver(&b, &r, &away);
	CU_ASSERT_STRING_EQUAL(shown(&b, "x.example").state, "down");
	bench_free(&b);
}

static void what_cannot_be_reached_is_down_after_a_few_failures_in_a_row(void)
{
	struct bench b;
	bench_init(&b);
	struct rcpt r = rcpt_to("a@x.example", 10), other = rcpt_to("a@y.example", 20);
	for (int i = 1; i < DEST_FAILURES; i++)
		deliver(&b, &r, &away);
	deliver(&b, &r, &well); /* not in a row */
	for (int i = 1; i < DEST_FAILURES; i++)
		deliver(&b, &r, &away);
	deliver(&b, &other, &well);
	CU_ASSERT_STRING_EQUAL(shown(&b, "x.example").state, "up");
	deliver(&b, &r, &away);
	struct queue_dest d = shown(&b, "x.example");
	CU_ASSERT_STRING_EQUAL(d.state, "down");
	CU_ASSERT_EQUAL(d.connections, 0);
	CU_ASSERT(d.next >= q_now() + 59 && d.next <= q_now() + DEST_PAUSE_MIN + DEST_PAUSE_MIN / 8 + 1);
	CU_ASSERT_STRING_EQUAL(d.reply, "mx.x.example: connection refused");
	CU_ASSERT_EQUAL(d.delivered, 1);
	CU_ASSERT_EQUAL(d.deferred, 2 * DEST_FAILURES - 1);
	CU_ASSERT_STRING_EQUAL(shown(&b, "y.example").state, "up");
	deliver(&b, &r, &well); /* one that was on its way comes back well */
	CU_ASSERT_STRING_EQUAL(shown(&b, "x.example").state, "up");
	bench_free(&b);
}

static void one_that_is_too_fast_for_it_learns(void)
{
	struct bench b;
	bench_init(&b);
	struct rcpt r = rcpt_to("a@x.example", 10);
	for (int i = 0; i < 9; i++)
		dests_sent(&b.q, &r);
	deliver(&b, &r, &slow);
	dests_result(&b.q, &r, &slow); /* another connection of the same crowd: one lesson */
	struct queue_dest d = shown(&b, "x.example");
	CU_ASSERT_STRING_EQUAL(d.state, "resting");
	CU_ASSERT_EQUAL(d.connections, 0);
	CU_ASSERT_EQUAL(d.per_minute, 5);
	CU_ASSERT(d.next > q_now());
	CU_ASSERT_STRING_EQUAL(d.reply, "421 4.7.0 slow down");
	bench_free(&b);
}

static void what_is_learnt_of_one_message_does_not_stop_the_mail(void)
{
	struct bench b;
	bench_init(&b);
	struct rcpt r = rcpt_to("a@x.example", 10);
	deliver(&b, &r, &slow);
	CU_ASSERT_EQUAL(shown(&b, "x.example").per_minute, 5);
	bench_free(&b);
}

static bool may_begin(struct bench *b) { return shown(b, "x.example").connections > 0; }

static void the_admins_rate_is_kept_evenly(void)
{
	struct bench b;
	bench_init(&b);
	b.cfg.queue.destination_rate = 120;
	struct rcpt r = rcpt_to("a@x.example", 10);
	uint64_t begun = clock_mono_ms();
	for (int i = 0; i < 3; i++) {
		deliver(&b, &r, &well);
		CU_ASSERT_FALSE(may_begin(&b));
		bench_turn(&b, may_begin);
		CU_ASSERT_TRUE(may_begin(&b));
	}
	uint64_t took = clock_mono_ms() - begun;
	CU_ASSERT(took >= 1400 && took < 5000);
	bench_free(&b);
}

static void dead_domains_keep_no_limits_out(void)
{
	struct bench b;
	bench_init(&b);
	for (uint32_t i = 0; i < DESTS_MAX; i++) {
		struct rcpt dead = rcpt_to("a@dead.example", 100 + 2 * i);
		for (int n = 0; n < DEST_FAILURES; n++)
			deliver(&b, &dead, &away);
	}
	for (uint32_t i = 0; i < 2 * DESTS_MAX / 100; i++)
		dests_put_off(&b.q);
	struct rcpt r = rcpt_to("a@x.example", 10);
	deliver(&b, &r, &slow);
	CU_ASSERT_STRING_EQUAL(shown(&b, "x.example").state, "resting");
	bench_free(&b);
}

/* Who finds a domain with the key of another must not take that down. */
static void two_domains_with_one_key_are_two_destinations(void)
{
	struct bench b;
	bench_init(&b);
	struct rcpt dead = rcpt_to("a@dead.example", 10);
	for (int n = 0; n < DEST_FAILURES; n++)
		deliver(&b, &dead, &away);
	struct msg *m = mem_new(sizeof(*m) + 2 * sizeof(struct rcpt));
	m->sender = "";
	m->n_rcpt = 2;
	m->rcpt[0] = rcpt_to("b@well.example", 10);
	m->rcpt[1] = rcpt_to("c@DEAD.example", 10);
	dests_route(&b.q, m);
	CU_ASSERT_NOT_EQUAL(m->rcpt[0].unit.dest, dead.unit.dest);
	CU_ASSERT_EQUAL(m->rcpt[1].unit.dest, dead.unit.dest);
	deliver(&b, &m->rcpt[0], &well);
	CU_ASSERT_STRING_EQUAL(shown(&b, "well.example").state, "up");
	CU_ASSERT_STRING_EQUAL(shown(&b, "dead.example").state, "down");
	free(m);
	bench_free(&b);
}

static void no_more_are_remembered_than_there_is_room_for(void)
{
	struct bench b;
	size_t n = 0, cursor = 0;
	struct queue_dest d;
	bench_init(&b);
	struct rcpt down = rcpt_to("a@down.example", 2);
	for (int i = 0; i < DEST_FAILURES; i++)
		deliver(&b, &down, &away);
	for (uint32_t i = 0; i < DESTS_MAX + 1000; i++) {
		struct rcpt r = rcpt_to("a@x.example", 100 + 2 * i);
		deliver(&b, &r, &well);
	}
	while (dests_next(&b.q, &cursor, &d))
		n++;
	CU_ASSERT(n > DESTS_MAX / 2 && n <= DESTS_MAX);
	CU_ASSERT_STRING_EQUAL(shown(&b, "down.example").state, "down"); /* what is to be known is not forgotten */
	bench_free(&b);
}

/* What key a recipient gets; the keys of the same number in `place` must be one. */
static void a_destination_is_a_route_and_its_host_or_a_domain(void)
{
	static const struct {
		const char *sender;
		char trust;
		const char *addr;
		int place;
	} t[] = {
		{ "al@h.example", SPOOL_AUTHENTICATED, "a@one.example", 1 },
		{ "al@h.example", SPOOL_AUTHENTICATED, "b@TWO.example", 1 }, /* the same host */
		{ "al@h.example", SPOOL_AUTHENTICATED, "a@three.example", 2 },
		{ "al@h.example", SPOOL_AUTHENTICATED, "a@four.example", 3 },  /* a route by MX: each domain */
		{ "bo@his.example", SPOOL_AUTHENTICATED, "a@one.example", 4 }, /* by sender */
		{ "bo@his.example", SPOOL_STRANGER, "a@one.example", 1 },      /* who may lie */
		{ "al@h.example", SPOOL_AUTHENTICATED, "a@none.example", 5 },
	};
	const char *hub[] = { "one.example", "two.example" }, *mx[] = { "three.example", "four.example" },
		   *his[] = { "his.example" };
	struct cfg_relay relays[] = { { .name = "hub", .domains = { hub, 2 }, .host = "[192.0.2.1]" },
		{ .name = "mx", .domains = { mx, 2 }, .host = "" },
		{ .name = "his", .domains = { hub, 2 }, .senders = { his, 1 }, .host = "[192.0.2.1]" } };
	uint32_t key[COUNT(t)];
	struct bench b;
	bench_init(&b);
	b.cfg.relays = (struct vec)VEC_INIT(struct cfg_relay, COUNT(relays));
	for (size_t i = 0; i < COUNT(relays); i++)
		*(struct cfg_relay *)vec_push(&b.cfg.relays) = relays[i];
	for (size_t i = 0; i < COUNT(t); i++) {
		struct msg *m = mem_new(sizeof(*m) + sizeof(struct rcpt));
		m->sender = t[i].sender;
		m->trust = t[i].trust;
		m->n_rcpt = 1;
		m->rcpt[0] = rcpt_to(t[i].addr, hash_key(sv_of(t[i].addr)));
		m->rcpt[0].msg = m;
		m->rcpt[0].orig = m->rcpt[0].orcpt = "";
		dests_route(&b.q, m);
		key[i] = m->rcpt[0].unit.dest;
		CU_ASSERT_EQUAL(sched_lane(key[i]), LANE_REMOTE);
		free(m);
	}
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t k = 0; k < i; k++)
			CU_ASSERT_EQUAL(key[i] == key[k], t[i].place == t[k].place);
	vec_free(&b.cfg.relays);
	bench_free(&b);
}

void suite_queue_dest(void)
{
	static const struct unit_case cases[] = { UNIT(an_answer_says_how_the_destination_is),
		UNIT(a_message_that_breaks_connections_takes_nothing_down),
		UNIT(what_cannot_be_reached_is_down_after_a_few_failures_in_a_row), UNIT(one_that_is_too_fast_for_it_learns),
		UNIT(what_is_learnt_of_one_message_does_not_stop_the_mail), UNIT(the_admins_rate_is_kept_evenly),
		UNIT(dead_domains_keep_no_limits_out), UNIT(two_domains_with_one_key_are_two_destinations),
		UNIT(no_more_are_remembered_than_there_is_room_for), UNIT(a_destination_is_a_route_and_its_host_or_a_domain),
		UNIT_END };
	unit_suite("queue_dest", cases);
}
