#include "queue-mgr/sched.h"

#include "base/clock.h"
#include "unit/unit.h"

#define DEST_A 10
#define DEST_B 12

struct world {
	struct index *ix;
	struct sched *s;
	struct unit unit[400];
	size_t n;
};

static void world_init(struct world *w, unsigned start, unsigned max)
{
	*w = (struct world){ .ix = index_new(1000) };
	w->s = sched_new(w->ix, (struct window[]){ { start, max }, { start, max } });
}

static void world_free(struct world *w)
{
	sched_free(w->s);
	index_free(w->ix);
}

static struct unit *put(struct world *w, uint32_t dest, uint32_t sender, enum ring ring)
{
	struct unit *u = &w->unit[w->n++];
	u->dest = dest;
	u->sender = sender;
	sched_put(w->s, u, ring);
	return u;
}

static uint32_t put_closed(struct world *w, uint32_t dest, uint32_t sender, enum ring ring)
{
	struct spool_id id;
	spool_id_make(1700000000, (uint32_t)w->n++, 0, &id);
	uint32_t slot = index_add(w->ix, &id);
	index_at(w->ix, slot)->dest = dest;
	index_at(w->ix, slot)->sender = sender;
	sched_put_entry(w->s, slot, ring);
	return slot;
}

static void a_single_message_passes_a_bulk_job(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	for (int i = 0; i < 50; i++)
		put(&w, DEST_A, 1, RING_FRESH);
	struct unit *single = put(&w, DEST_A, 2, RING_FRESH);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit != single);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit == single);
	world_free(&w);
}

static void a_sender_is_served_in_order(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	for (int i = 0; i < 10; i++)
		put(&w, DEST_A, 1, RING_FRESH);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit == &w.unit[i]);
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_EQUAL(sched_waiting(w.s), 0);
	world_free(&w);
}

static void destinations_take_turns(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	for (int i = 0; i < 20; i++)
		put(&w, i % 2 == 0 ? DEST_A : DEST_B, 1, RING_FRESH);
	for (int i = 0; i < 20; i++)
		CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.dest == (i % 2 == 0 ? DEST_A : DEST_B));
	world_free(&w);
}

static void fresh_mail_and_retries_both_go_on_four_to_one(void)
{
	struct world w;
	struct pick p;
	int retries = 0;
	world_init(&w, 1000, 1000);
	for (int i = 0; i < 100; i++) {
		put(&w, DEST_A, 1, RING_RETRY);
		put(&w, DEST_A, 1, RING_FRESH);
	}
	for (int i = 0; i < 100; i++)
		retries += sched_next(w.s, LANE_LOCAL, &p) && (p.unit - w.unit) % 2 == 0;
	CU_ASSERT_EQUAL(retries, 20);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	world_free(&w);
}

static void a_window_bounds_one_destination_and_not_the_others(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 2, 10);
	for (int i = 0; i < 6; i++)
		put(&w, DEST_A, 1, RING_FRESH);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p) || sched_next_of(w.s, DEST_A, &p));
	put(&w, DEST_B, 1, RING_FRESH);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.dest == DEST_B);
	sched_done(w.s, DEST_A, SCHED_NEITHER);
	CU_ASSERT_TRUE(sched_next_of(w.s, DEST_A, &p));
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	world_free(&w);
}

static void the_window_grows_with_success_and_shrinks_with_failure(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 2, 8);
	for (int i = 0; i < 300; i++)
		put(&w, DEST_A, 1, RING_FRESH);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
		sched_done(w.s, DEST_A, SCHED_SUCCESS);
	}
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_A), 8);
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_B), 2);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
		sched_done(w.s, DEST_A, SCHED_FAILURE);
	}
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_A), 1); /* never none */
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
	world_free(&w);
}

static void what_is_withdrawn_does_not_come(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	struct unit *a = put(&w, DEST_A, 1, RING_FRESH), *b = put(&w, DEST_A, 1, RING_FRESH), *c = put(&w, DEST_A, 2, RING_RETRY);
	sched_withdraw(w.s, a);
	sched_withdraw(w.s, a); /* harmless */
	sched_withdraw(w.s, c);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit == b);
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_EQUAL(sched_units(w.s), 0);
	world_free(&w);
}

static void closed_files_wait_in_the_flow_of_their_sender(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	uint32_t first = put_closed(&w, DEST_A, 1, RING_FRESH), second = put_closed(&w, DEST_A, 1, RING_FRESH);
	uint32_t other = put_closed(&w, DEST_A, 2, RING_FRESH);
	CU_ASSERT_TRUE(sched_has_closed(w.s, DEST_A, 1, RING_FRESH));
	CU_ASSERT_FALSE(sched_has_closed(w.s, DEST_A, 3, RING_FRESH) || sched_has_closed(w.s, DEST_A, 1, RING_RETRY));
	CU_ASSERT_EQUAL(index_at(w.ix, first)->state, ENTRY_WAITING);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit == NULL && p.slot == first);
	CU_ASSERT_EQUAL(index_at(w.ix, first)->state, ENTRY_IDLE);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.slot == other);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.slot == second);
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	world_free(&w);
}

static void files_with_several_destinations_wait_apart(void)
{
	struct world w;
	struct pick p;
	uint32_t slot;
	world_init(&w, 100, 100);
	uint32_t many = put_closed(&w, 0, 1, RING_RETRY);
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_TRUE(sched_next_many(w.s, &slot) && slot == many);
	CU_ASSERT_FALSE(sched_next_many(w.s, &slot));
	world_free(&w);
}

/* Of 28 turns with work in all rings: 8:4:1:1. */
static void each_priority_gets_its_share_and_none_starves(void)
{
	unsigned got[RING_COUNT] = { 0 };
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	for (int ring = 0; ring < RING_COUNT; ring++)
		for (int i = 0; i < 40; i++)
			put(&w, DEST_A, 1, (enum ring)ring);
	for (int i = 0; i < 28; i++) {
		CU_ASSERT_TRUE_FATAL(sched_next(w.s, LANE_LOCAL, &p));
		got[(p.unit - w.unit) / 40]++;
		if (i == 0)
			CU_ASSERT_EQUAL(got[RING_URGENT], 1);
	}
	CU_ASSERT(got[RING_URGENT] == 16 && got[RING_FRESH] == 8 && got[RING_RETRY] == 2 && got[RING_BULK] == 2);
	world_free(&w);
}

static void urgent_mail_passes_other_destinations_but_not_for_ever(void)
{
	struct world w;
	struct pick p;
	unsigned usual = 0, turns = 0;
	world_init(&w, 100, 100);
	sched_cap(w.s, DEST_B, 0);
	for (uint32_t i = 0; i < SCHED_LIGHT; i++) /* what follows is a bulk job's */
		put(&w, DEST_B, 1, RING_FRESH);
	for (uint32_t i = 0; i < 100; i++)
		put(&w, 100 + i, 1, RING_FRESH);
	struct unit *urgent = put(&w, DEST_A, 2, RING_URGENT);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p) && p.unit == urgent);
	for (uint32_t i = 0; i < 100; i++)
		put(&w, 300 + i, 2, RING_URGENT);
	for (; turns < 45; turns++) {
		CU_ASSERT_TRUE_FATAL(sched_next(w.s, LANE_LOCAL, &p));
		usual += p.unit->sender == 1;
	}
	CU_ASSERT_EQUAL(usual, 5);
	world_free(&w);
}

#define BULK 100000u
static void a_bulk_job_to_many_domains_does_not_delay_a_single_message(void)
{
	struct index *ix = index_new(1000);
	struct sched *s = sched_new(ix, (struct window[]){ { 5, 5 }, { 5, 5 } });
	struct unit *bulk = mem_new(BULK * sizeof(*bulk)), single[2] = { 0 };
	struct pick p;
	unsigned first = 0, second = 0;
	for (uint32_t i = 0; i < BULK; i++) {
		bulk[i] = (struct unit){ .dest = sched_dest(LANE_REMOTE, (i % 10000 + 1) * 2), .sender = 1 };
		sched_put(s, &bulk[i], RING_FRESH);
	}
	single[0] = (struct unit){ .dest = sched_dest(LANE_REMOTE, 900000), .sender = 2 }; /* a domain of its own */
	single[1] = (struct unit){ .dest = sched_dest(LANE_REMOTE, 8), .sender = 3 };      /* one of the bulk job's */
	sched_put(s, &single[0], RING_FRESH);
	sched_put(s, &single[1], RING_FRESH);
	for (unsigned turn = 1; turn <= 1000 && (first == 0 || second == 0) && sched_next(s, LANE_REMOTE, &p); turn++) {
		first = p.unit == &single[0] ? turn : first;
		second = p.unit == &single[1] ? turn : second;
	}
	CU_ASSERT(first > 0 && first <= SCHED_LIGHT + 5);
	CU_ASSERT(second > 0 && second <= 2 * SCHED_LIGHT + 10);
	sched_free(s);
	index_free(ix);
	free(bulk);
}

static void what_is_capped_waits_and_can_be_taken_out(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 5, 5);
	sched_cap(w.s, DEST_A, 0);
	struct unit *a = put(&w, DEST_A, 1, RING_FRESH), *b = put(&w, DEST_B, 1, RING_FRESH);
	CU_ASSERT(sched_next(w.s, LANE_LOCAL, &p) && p.unit == b);
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_FALSE(sched_ready(w.s, LANE_LOCAL));
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_A), 0);
	CU_ASSERT_EQUAL(sched_waiting_for(w.s, DEST_A), 1);
	CU_ASSERT(sched_withdraw_next(w.s, DEST_A, &p) && p.unit == a);
	CU_ASSERT_FALSE(sched_withdraw_next(w.s, DEST_A, &p));
	CU_ASSERT_EQUAL(sched_busy(w.s, DEST_A), 0);
	for (int i = 0; i < 3; i++)
		put(&w, DEST_A, 1, RING_FRESH);
	sched_cap(w.s, DEST_A, 1);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
	CU_ASSERT_FALSE(sched_next(w.s, LANE_LOCAL, &p));
	sched_cap(w.s, DEST_A, SCHED_UNCAPPED);
	CU_ASSERT_TRUE(sched_next(w.s, LANE_LOCAL, &p));
	world_free(&w);
}

static void bulk_jobs_can_be_left_out(void)
{
	struct world w;
	struct pick p;
	world_init(&w, 100, 100);
	sched_cap(w.s, DEST_B, 0);
	for (uint32_t i = 0; i < SCHED_LIGHT; i++)
		put(&w, DEST_B, 1, RING_FRESH);
	put(&w, DEST_A, 1, RING_FRESH);
	CU_ASSERT_FALSE(sched_next_light(w.s, LANE_LOCAL, &p));
	CU_ASSERT_FALSE(sched_ready_light(w.s, LANE_LOCAL));
	CU_ASSERT_TRUE(sched_ready(w.s, LANE_LOCAL));
	struct unit *single = put(&w, 400, 2, RING_FRESH);
	CU_ASSERT(sched_next_light(w.s, LANE_LOCAL, &p) && p.unit == single);
	world_free(&w);
}

/* A smarthost has the mail of all senders: to take out one must not take a walk over all. */
static void of_very_many_senders_any_one_is_taken_out_at_once(void)
{
	enum { SENDERS = 60000 };
	struct world w;
	struct unit *u = mem_new(SENDERS * sizeof(*u));
	world_init(&w, 1, 1);
	for (uint32_t i = 0; i < SENDERS; i++) {
		u[i].dest = DEST_A;
		u[i].sender = i + 1;
		sched_put(w.s, &u[i], RING_FRESH);
	}
	uint64_t begun = clock_mono_ms();
	for (uint32_t i = SENDERS; i-- > 0;)
		sched_withdraw(w.s, &u[i]);
	CU_ASSERT(clock_mono_ms() - begun < 1000);
	CU_ASSERT_EQUAL(sched_waiting(w.s), 0);
	free(u);
	world_free(&w);
}

#define KEPT 20000 /* as in sched.c */

static void deliver_one(struct world *w, uint32_t dest)
{
	struct unit *u = &w->unit[0];
	struct pick p;
	u->dest = dest;
	sched_put(w->s, u, RING_FRESH);
	CU_ASSERT_TRUE_FATAL(sched_next_of(w->s, dest, &p));
	sched_done(w->s, dest, SCHED_SUCCESS);
}

static void what_was_learnt_is_kept_of_the_latest_destinations(void)
{
	struct world w;
	world_init(&w, 4, 100);
	for (int i = 0; i < 8; i++)
		deliver_one(&w, DEST_A);
	unsigned learnt = sched_window(w.s, DEST_A);
	CU_ASSERT(learnt > 4);
	for (uint32_t i = 1; i < KEPT; i++)
		deliver_one(&w, DEST_B + 2 * i);
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_A), learnt);
	deliver_one(&w, DEST_B);
	CU_ASSERT_EQUAL(sched_window(w.s, DEST_A), 4);
	world_free(&w);
}

void suite_queue_sched(void)
{
	static const struct unit_case cases[] = { UNIT(a_single_message_passes_a_bulk_job), UNIT(a_sender_is_served_in_order),
		UNIT(destinations_take_turns), UNIT(fresh_mail_and_retries_both_go_on_four_to_one),
		UNIT(a_window_bounds_one_destination_and_not_the_others),
		UNIT(the_window_grows_with_success_and_shrinks_with_failure), UNIT(what_is_withdrawn_does_not_come),
		UNIT(closed_files_wait_in_the_flow_of_their_sender), UNIT(files_with_several_destinations_wait_apart),
		UNIT(each_priority_gets_its_share_and_none_starves), UNIT(urgent_mail_passes_other_destinations_but_not_for_ever),
		UNIT(a_bulk_job_to_many_domains_does_not_delay_a_single_message), UNIT(what_is_capped_waits_and_can_be_taken_out),
		UNIT(bulk_jobs_can_be_left_out), UNIT(of_very_many_senders_any_one_is_taken_out_at_once),
		UNIT(what_was_learnt_is_kept_of_the_latest_destinations), UNIT_END };
	unit_suite("queue_sched", cases);
}
