/* What lies in a queue at a start (docs/QUEUE.md). */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/act.h"
#include "queue-mgr/look.h"
#include "queue-mgr/recover.h"
#include "queue-mgr/work.h"
#include "base/clock.h"
#include "unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ID_A "0123456000g00001"
#define ID_B "0123456000g00002"
#define ID_C "0123456000g00003"

/* Shards follow from the ids: the 11th character is `g`, 16, hence shard 0. */
static void put_sample(struct bench *b, int dir, const char *id, const char *name, size_t cut)
{
	struct spool_sample s = { .id = id, .sender = "al@x.example", .rcpts = { "b@y.example" } };
	struct buf f = BUF_INIT(0);
	(void)b;
	spool_sample_make(&s, &f, NULL);
	put_file(dir, name, (struct sv){ f.data, f.len - cut });
	buf_free(&f);
}

/* As a write that was cut off after the first `n` bytes leaves it. */
static void put_torn(struct bench *b, int dir, const char *id, size_t n)
{
	static char text[2000];
	struct spool_sample s = { .id = id, .sender = "al@x.example", .rcpts = { "b@y.example" }, .body = text };
	struct buf f = BUF_INIT(0);
	(void)b;
	memset(text, 'x', sizeof(text) - 1);
	spool_sample_make(&s, &f, NULL);
	put_file(dir, id, (struct sv){ f.data, n });
	buf_free(&f);
}

static bool settled(struct bench *b) { return !recover_busy(&b->q) && look_len(&b->q) == 0 && b->q.checking == 0; }

static bool scanned(struct bench *b) { return !recover_busy(&b->q) && io_busy(b->q.io) == 0; }

static void recover(struct bench *b, bool (*until)(struct bench *))
{
	recover_start(&b->q);
	bench_turn(b, until);
}

static unsigned count(int dir)
{
	unsigned n = 0;
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	BUG_IF(d == NULL);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static const struct entry *entry_of(struct bench *b, const char *id)
{
	struct spool_id x = sample_id(id);
	uint32_t slot = index_find(b->q.index, &x);
	return slot == INDEX_NONE ? NULL : index_at(b->q.index, slot);
}

static void a_complete_file_without_its_note_is_adopted(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 0);
	recover(&b, settled);
	const struct entry *en = entry_of(&b, ID_A);
	CU_ASSERT_PTR_NOT_NULL_FATAL(en);
	CU_ASSERT_EQUAL(en->where, IN_NEW);
	CU_ASSERT_EQUAL(en->state, ENTRY_OPEN);
	CU_ASSERT(en->flags & ENTRY_LOOK); /* its delivery may have begun: the agent looks first */
	bench_free(&b);
}

static void torn_and_empty_files_are_removed(void)
{
	struct bench b;
	bench_init(&b);
	static const char zeros[8000];
	put_torn(&b, b.dir.new_fd[0], ID_A, 512);
	put_file(b.dir.new_fd[0], ID_B, (struct sv){ zeros, sizeof(zeros) });
	put_file(b.dir.new_fd[0], ID_C, SV(""));
	recover(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.new_fd[0]), 0);
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 0);
	CU_ASSERT_EQUAL(index_len(b.q.index), 0);
	bench_free(&b);
}

static void a_file_that_may_have_been_whole_is_kept_in_corrupt(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 1);
	put_sample(&b, b.dir.new_fd[0], ID_B, ID_B, 100);
	recover(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.new_fd[0]), 0);
	CU_ASSERT(has_file(b.dir.corrupt_fd, ID_A) && has_file(b.dir.corrupt_fd, ID_B));
	bench_free(&b);
}

static void a_file_that_is_still_being_written_is_left_alone(void)
{
	struct bench b;
	struct holder h;
	bench_init(&b);
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 50); /* torn as yet */
	holder_start(&h, b.dir.new_fd[0], ID_A);
	recover(&b, scanned);
	for (int i = 0; i < 5; i++)
		ev_turn(b.q.loop, 30);
	CU_ASSERT_TRUE(has_file(b.dir.new_fd[0], ID_A));
	CU_ASSERT_EQUAL(look_len(&b.q), 1);
	CU_ASSERT_EQUAL(unlinkat(b.dir.new_fd[0], ID_A, 0), 0);
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 0); /* finished, in effect */
	holder_end(&h);
	bench_turn(&b, settled);
	CU_ASSERT_PTR_NOT_NULL(entry_of(&b, ID_A));
	bench_free(&b);
}

/* The helpers find no queue: to them every file of it is one that the disk does not give. */
static void what_the_disk_does_not_give_stays_is_said_once_and_tried_less_and_less(void)
{
	struct bench b;
	char away[sizeof(b.temp.path) + 5];
	bench_init(&b);
	bench_listen(&b);
	snprintf(away, sizeof(away), "%s.away", b.temp.path);
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 0);
	CU_ASSERT_EQUAL_FATAL(rename(b.temp.path, away), 0);
	recover(&b, scanned);
	uint64_t start = clock_mono_ms();
	unsigned tries = 1; /* that of the scan */
	while (clock_mono_ms() < start + 1500) {
		bool before = io_busy(b.q.io) > 0;
		ev_turn(b.q.loop, 20);
		tries += !before && io_busy(b.q.io) > 0;
	}
	CU_ASSERT_EQUAL(rename(away, b.temp.path), 0);
	CU_ASSERT(tries <= 2); /* at 0 and 1 seconds; the next at 3 */
	CU_ASSERT_EQUAL(bench_logged(&b, " open-failed "), 1);
	CU_ASSERT_EQUAL(look_len(&b.q), 1);
	CU_ASSERT_TRUE(has_file(b.dir.new_fd[0], ID_A));
	bench_turn(&b, settled);
	CU_ASSERT_PTR_NOT_NULL(entry_of(&b, ID_A));
	bench_free(&b);
}

static void names_in_cur_and_hold_are_the_index(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,3,0000abcd,12345678,w", 0);
	put_sample(&b, b.dir.hold_fd, ID_B, ID_B ":5,0,*,12345678,-", 0);
	recover(&b, settled);
	const struct entry *a = entry_of(&b, ID_A), *h = entry_of(&b, ID_B);
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT(a->where == IN_CUR && a->state == ENTRY_DUE && a->due == 4000000000 && a->tries == 3 && a->dest == 0xabcd);
	CU_ASSERT(a->flags == (ENTRY_WARNED | ENTRY_LOOK | ENTRY_CHECK));
	CU_ASSERT(h->where == IN_HOLD && h->state == ENTRY_IDLE && h->dest == 0);
	bench_free(&b);
}

static void foreign_things_go_to_corrupt_and_block_nothing(void)
{
	struct bench b;
	struct spool_id other;
	bench_init(&b);
	int dirs[] = { b.dir.new_fd[0], b.dir.cur_fd[0] };
	for (size_t i = 0; i < COUNT(dirs); i++) {
		put_file(dirs[i], "hello", SV("x"));
		put_file(dirs[i], ".hidden", SV(""));
		put_file(dirs[i], "a b\nc", SV("y"));
		CU_ASSERT(mkfifoat(dirs[i], "fifo", 0600) == 0 && mkdirat(dirs[i], "dir", 0700) == 0 &&
			  symlinkat("/etc/passwd", dirs[i], "link") == 0);
	}
	CU_ASSERT_EQUAL(mkfifoat(b.dir.new_fd[0], ID_A, 0600), 0);
	CU_ASSERT_EQUAL(symlinkat("hello", b.dir.new_fd[0], ID_B), 0);
	put_file(b.dir.new_fd[0], ID_C, SV("From: me\n\nnot ours\n"));
	spool_id_make(1700000000, 1, 1, &other); /* of shard 1 */
	put_file(b.dir.new_fd[0], other.text, SV("x"));
	put_sample(&b, b.dir.new_fd[1], ID_A, "also foreign", 0);
	recover(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.new_fd[0]) + count(b.dir.new_fd[1]) + count(b.dir.cur_fd[0]), 0);
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 2 * 6 + 5);
	CU_ASSERT_EQUAL(index_len(b.q.index), 0);
	bench_free(&b);
}

static void parts_in_tmp_are_removed_and_foreign_files_kept(void)
{
	struct bench b;
	bench_init(&b);
	put_file(b.dir.tmp_fd[0], ID_A ".1", SV("x"));
	put_file(b.dir.tmp_fd[0], ID_A, SV("x"));
	put_file(b.dir.tmp_fd[0], "core", SV("x"));
	recover(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.tmp_fd[0]), 0);
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 2);
	bench_free(&b);
}

static void a_damaged_file_in_cur_is_found_when_it_is_due(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,1,0000abcd,12345678,-", 30);
	put_sample(&b, b.dir.cur_fd[0], ID_B, ID_B ":4000000000,1,*,12345678,-", 0);
	put_file(b.dir.cur_fd[0], ID_C ":4000000000,1,*,12345678,-", SV("junk"));
	recover(&b, settled);
	struct msg *m;
	struct spool_id id[3] = { sample_id(ID_A), sample_id(ID_B), sample_id(ID_C) };
	for (size_t i = 0; i < COUNT(id); i++) {
		uint32_t slot = index_find(b.q.index, &id[i]);
		CU_ASSERT_NOT_EQUAL_FATAL(slot, INDEX_NONE);
		index_due_clear(b.q.index, slot);
		CU_ASSERT_EQUAL(work_open(&b.q, slot, &m), MSG_LATER); /* to a helper first */
	}
	bench_turn(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 2);
	CU_ASSERT(entry_of(&b, ID_A) == NULL && entry_of(&b, ID_C) == NULL);
	CU_ASSERT(entry_of(&b, ID_B) != NULL && entry_of(&b, ID_B)->state == ENTRY_OPEN);
	bench_free(&b);
}

static void what_is_due_at_a_start_waits_for_no_tick(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":5,1,0000abcd,12345678,-", 30);
	put_sample(&b, b.dir.cur_fd[0], ID_B, ID_B ":4000000000,1,0000abcd,12345678,-", 30);
	recover(&b, settled);
	CU_ASSERT_EQUAL(sched_waiting(b.q.sched), 1);
	CU_ASSERT_EQUAL(entry_of(&b, ID_A)->state, ENTRY_WAITING);
	CU_ASSERT_EQUAL(entry_of(&b, ID_B)->state, ENTRY_DUE);
	bench_free(&b);
}

static void an_id_in_two_places_is_one_message(void)
{
	struct bench b;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,1,*,12345678,-", 0);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000001,2,*,12345678,-", 0);
	recover(&b, settled);
	CU_ASSERT_EQUAL(index_len(b.q.index), 1);
	bench_free(&b);
}

static void a_note_for_what_the_scan_has_adopted_changes_nothing(void)
{
	struct bench b;
	struct spool_id id = sample_id(ID_A);
	bench_init(&b);
	b.cfg.queue.queue_active_max = 0; /* it waits closed, hence unlocked */
	put_sample(&b, b.dir.new_fd[0], ID_A, ID_A, 0);
	recover(&b, settled);
	look_note(&b.q, &id, false);
	CU_ASSERT_TRUE(has_file(b.dir.new_fd[0], ID_A));
	CU_ASSERT_PTR_NOT_NULL(entry_of(&b, ID_A));
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 0);
	bench_free(&b);
}

static void many_files_that_others_write_do_not_stop_the_scan(void)
{
	struct bench b;
	bench_init(&b);
	int fds[300];
	for (uint32_t i = 0; i < COUNT(fds); i++) {
		struct spool_id id;
		spool_id_make(1700000000, i * SPOOL_SHARDS, i, &id);
		fds[i] = openat(b.dir.new_fd[0], id.text, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
		BUG_IF(fds[i] < 0 || flock(fds[i], LOCK_EX) < 0);
	}
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":5,1,*,12345678,-", 0);
	recover(&b, scanned);
	CU_ASSERT_PTR_NOT_NULL(entry_of(&b, ID_A));
	CU_ASSERT_EQUAL(look_len(&b.q), COUNT(fds));
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	bench_free(&b);
}

static void a_time_far_in_the_future_does_not_keep_a_message(void)
{
	struct bench b;
	uint32_t due, slot;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,3,0000abcd,12345678,-", 0);
	recover(&b, settled);
	CU_ASSERT_TRUE_FATAL(index_due_first(b.q.index, &due, &slot));
	CU_ASSERT(due <= q_now() + 70);
	CU_ASSERT_EQUAL(index_at(b.q.index, slot)->due, 4000000000); /* the name is as it was */
	bench_free(&b);
}

static void acts_move_the_file_with_the_entry(void)
{
	struct bench b;
	uint64_t dirs = 0;
	struct err e;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,4,*,12345678,-", 0);
	recover(&b, settled);
	struct spool_id id = sample_id(ID_A);
	uint32_t slot = index_find(b.q.index, &id);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_RELEASE, true, &dirs, &e), ACTED_NOT);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_HOLD, true, &dirs, &e), ACTED);
	CU_ASSERT(count(b.dir.hold_fd) == 1 && strcmp(act_status(&b.q, slot), "hold") == 0);
	CU_ASSERT_EQUAL(dirs, io_dir_bit(IN_HOLD, &id) | io_dir_bit(IN_CUR, &id));
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_HOLD, true, &dirs, &e), ACTED_NOT);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_FLUSH, true, &dirs, &e), ACTED_NOT);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_RELEASE, true, &dirs, &e), ACTED);
	CU_ASSERT(count(b.dir.cur_fd[0]) == 1 && index_at(b.q.index, slot)->state == ENTRY_WAITING);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_REQUEUE, true, &dirs, &e), ACTED);
	CU_ASSERT_EQUAL(index_at(b.q.index, slot)->tries, 0);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_HOLD, true, &dirs, &e), ACTED); /* while it waits for its turn */
	work_dispatch(&b.q);
	CU_ASSERT_EQUAL(count(b.dir.hold_fd), 1);
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_DELETE, true, &dirs, &e), ACTED);
	CU_ASSERT(count(b.dir.hold_fd) == 0 && count(b.dir.cur_fd[0]) == 0);
	bench_free(&b);
}

static void what_the_admin_holds_its_sender_does_not_release(void)
{
	static const struct {
		enum queue_op op;
		bool admin;
		enum acted want;
		const char *flags; /* in the name, while held */
	} t[] = {
		{ QOP_HOLD, false, ACTED, "o" },
		{ QOP_HOLD, false, ACTED_NOT, "o" },
		{ QOP_REQUEUE, false, ACTED, NULL },
		{ QOP_HOLD, false, ACTED, "o" },
		{ QOP_RELEASE, false, ACTED, NULL },
		{ QOP_HOLD, false, ACTED, "o" },
		{ QOP_HOLD, true, ACTED, "-" },
		{ QOP_HOLD, false, ACTED_NOT, "-" },
		{ QOP_RELEASE, false, ACTED_FAILED, "-" },
		{ QOP_REQUEUE, false, ACTED_FAILED, "-" },
		{ QOP_RELEASE, true, ACTED, NULL },
		{ QOP_HOLD, true, ACTED, "-" },
		{ QOP_DELETE, false, ACTED, NULL },
	};
	struct bench b;
	uint64_t dirs = 0;
	struct err e;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,0,*,12345678,-", 0);
	recover(&b, settled);
	struct spool_id id = sample_id(ID_A);
	uint32_t slot = index_find(b.q.index, &id);
	index_at(b.q.index, slot)->flags = 0;
	for (size_t i = 0; i < COUNT(t); i++) {
		char name[SPOOL_NAME_MAX] = ",";
		CU_ASSERT_EQUAL(act_on(&b.q, slot, t[i].op, t[i].admin, &dirs, &e), t[i].want);
		CU_ASSERT_EQUAL(count(b.dir.hold_fd), t[i].flags != NULL);
		if (t[i].flags == NULL)
			continue;
		index_name(b.q.index, slot, name);
		CU_ASSERT_TRUE(has_file(b.dir.hold_fd, name));
		CU_ASSERT_STRING_EQUAL(strrchr(name, ',') + 1, t[i].flags);
	}
	bench_free(&b);
}

static void who_holds_is_known_after_a_restart(void)
{
	struct bench b;
	uint64_t dirs = 0;
	struct err e;
	bench_init(&b);
	put_sample(&b, b.dir.hold_fd, ID_A, ID_A ":5,0,*,12345678,wo", 0);
	put_sample(&b, b.dir.hold_fd, ID_B, ID_B ":5,0,*,12345678,w", 0);
	put_sample(&b, b.dir.cur_fd[0], ID_C, ID_C ":5,0,*,12345678,o", 0); /* nobody holds it: no such name there */
	recover(&b, settled);
	struct spool_id a = sample_id(ID_A), h = sample_id(ID_B);
	CU_ASSERT_EQUAL(act_on(&b.q, index_find(b.q.index, &a), QOP_RELEASE, false, &dirs, &e), ACTED);
	CU_ASSERT_EQUAL(act_on(&b.q, index_find(b.q.index, &h), QOP_RELEASE, false, &dirs, &e), ACTED_FAILED);
	CU_ASSERT_PTR_NULL(entry_of(&b, ID_C));
	CU_ASSERT_EQUAL(count(b.dir.corrupt_fd), 1);
	bench_free(&b);
}

static void an_act_on_a_locked_file_waits_for_the_lock(void)
{
	struct bench b;
	struct holder h;
	uint64_t dirs = 0;
	struct err e;
	bench_init(&b);
	put_sample(&b, b.dir.cur_fd[0], ID_A, ID_A ":4000000000,4,*,12345678,-", 0);
	recover(&b, settled);
	struct spool_id id = sample_id(ID_A);
	uint32_t slot = index_find(b.q.index, &id);
	holder_start(&h, b.dir.cur_fd[0], ID_A ":4000000000,4,*,12345678,-");
	CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_DELETE, true, &dirs, &e), ACTED_LATER);
	CU_ASSERT_STRING_EQUAL(act_pending(&b.q, slot), "delete");
	CU_ASSERT_EQUAL(count(b.dir.cur_fd[0]), 1);
	work_ready(&b.q, slot, RING_RETRY);
	work_dispatch(&b.q);
	CU_ASSERT_EQUAL(index_at(b.q.index, slot)->state, ENTRY_BUSY);
	holder_end(&h);
	bench_turn(&b, settled);
	CU_ASSERT_EQUAL(count(b.dir.cur_fd[0]), 0);
	CU_ASSERT_EQUAL(index_len(b.q.index), 0);
	bench_free(&b);
}

void suite_queue_recover(void)
{
	static const struct unit_case cases[] = { UNIT(a_complete_file_without_its_note_is_adopted),
		UNIT(torn_and_empty_files_are_removed), UNIT(a_file_that_may_have_been_whole_is_kept_in_corrupt),
		UNIT(a_file_that_is_still_being_written_is_left_alone),
		UNIT(what_the_disk_does_not_give_stays_is_said_once_and_tried_less_and_less),
		UNIT(names_in_cur_and_hold_are_the_index), UNIT(foreign_things_go_to_corrupt_and_block_nothing),
		UNIT(parts_in_tmp_are_removed_and_foreign_files_kept), UNIT(a_damaged_file_in_cur_is_found_when_it_is_due),
		UNIT(what_is_due_at_a_start_waits_for_no_tick), UNIT(an_id_in_two_places_is_one_message),
		UNIT(a_note_for_what_the_scan_has_adopted_changes_nothing), UNIT(many_files_that_others_write_do_not_stop_the_scan),
		UNIT(a_time_far_in_the_future_does_not_keep_a_message), UNIT(acts_move_the_file_with_the_entry),
		UNIT(what_the_admin_holds_its_sender_does_not_release), UNIT(who_holds_is_known_after_a_restart),
		UNIT(an_act_on_a_locked_file_waits_for_the_lock), UNIT_END };
	unit_suite("queue_recover", cases);
}
