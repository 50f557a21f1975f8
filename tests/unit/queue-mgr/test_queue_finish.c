/* What becomes of a message after its agents have answered. The test is the agent. */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/act.h"
#include "queue-mgr/bouncing.h"
#include "queue-mgr/finish.h"
#include "queue-mgr/look.h"
#include "queue-mgr/work.h"
#include "unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define ID "0123456000g00001"

static const struct spool_sample one = { .id = ID, .sender = "al@x.example", .rcpts = { "b@y.example" } };
static const struct spool_sample two = { .id = ID, .sender = "al@x.example", .rcpts = { "b@y.example", "c@y.example" } };
static const struct spool_sample null_sender = { .id = ID, .sender = "", .rcpts = { "b@y.example" } };

static bool idle(struct bench *b) { return io_busy(b->q.io) == 0; }

/* As after smtpd's note: open, its recipients wait. */
static struct msg *arrive(struct bench *b, const struct spool_sample *s)
{
	struct buf f = BUF_INIT(0);
	struct spool_id id = sample_id(s->id);
	spool_sample_make(s, &f, NULL);
	put_file(b->dir.new_fd[0], s->id, buf_sv(&f));
	buf_free(&f);
	look_note(&b->q, &id, false);
	uint32_t slot = index_find(b->q.index, &id);
	BUG_IF(slot == INDEX_NONE);
	return index_at(b->q.index, slot)->state == ENTRY_OPEN ? work_open_msg(&b->q, slot) : NULL;
}

static struct rcpt *send_next(struct bench *b)
{
	struct pick p;
	BUG_IF(!sched_next(b->q.sched, LANE_LOCAL, &p) || p.unit == NULL);
	struct rcpt *r = CONTAINER(p.unit, struct rcpt, unit);
	r->state = RCPT_SENT;
	r->msg->waiting--;
	r->msg->sent++;
	return r;
}

static void answer(struct bench *b, struct rcpt *r, enum deliver_status status, bool renamed)
{
	struct deliver_res res = { .number = r->number, .status = status, .renamed = renamed };
	memcpy(res.id, r->msg->id.text, sizeof(r->msg->id.text));
	snprintf(res.dsn, sizeof(res.dsn), "%s", status == DELIVERED ? "2.0.0" : status == DEFERRED ? "4.2.1" : "5.1.1");
	snprintf(res.text, sizeof(res.text), "the agent's reason");
	work_result(&b->q, r, &res);
	bench_turn(b, idle);
}

/* The bounce service's answer; the test is that service, so the request that waits for it is forgotten. */
static void take_report(struct bench *b, struct msg *m, enum reported how)
{
	bouncing_free(&b->q);
	BUG_IF(!m->asked || !bouncing_init(&b->q, NULL));
	m->asked = false;
	finish_reported(&b->q, m, how, "the report's fate");
	bench_turn(b, idle);
}

static const struct entry *entry(struct bench *b)
{
	struct spool_id id = sample_id(ID);
	uint32_t slot = index_find(b->q.index, &id);
	return slot == INDEX_NONE ? NULL : index_at(b->q.index, slot);
}

/* The one name in a directory, "" for none. */
static const char *only_name(int dir)
{
	static char name[SPOOL_NAME_MAX];
	const struct dirent *e;
	name[0] = '\0';
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	BUG_IF(d == NULL);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			snprintf(name, sizeof(name), "%.100s", e->d_name);
	closedir(d);
	return name;
}

static bool nothing_left(struct bench *b)
{
	return entry(b) == NULL && only_name(b->dir.new_fd[0])[0] == '\0' && only_name(b->dir.cur_fd[0])[0] == '\0' &&
	       only_name(b->dir.hold_fd)[0] == '\0' && b->q.open.len == 0;
}

static void a_copy_is_followed_by_unlink_and_a_rename_by_nothing(void)
{
	for (int renamed = 0; renamed < 2; renamed++) {
		struct bench b;
		bench_init(&b);
		arrive(&b, &one);
		struct rcpt *r = send_next(&b);
		if (renamed)
			CU_ASSERT_EQUAL(unlinkat(b.dir.new_fd[0], ID, 0), 0); /* it is a Maildir's */
		answer(&b, r, DELIVERED, renamed);
		CU_ASSERT_TRUE(nothing_left(&b));
		CU_ASSERT_EQUAL(b.q.delivered, 1);
		bench_free(&b);
	}
}

/* The disk says no to unlink: here because a directory stands in the file's place. */
static void what_cannot_be_unlinked_is_not_delivered_again(void)
{
	struct bench b;
	struct spool_id id = sample_id(ID);
	struct buf f = BUF_INIT(0);
	struct msg *m;
	bench_init(&b);
	arrive(&b, &one);
	struct rcpt *r = send_next(&b);
	CU_ASSERT(unlinkat(b.dir.new_fd[0], ID, 0) == 0 && mkdirat(b.dir.new_fd[0], ID, 0700) == 0);
	answer(&b, r, DELIVERED, false);
	CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE && b.q.open.len == 0);
	CU_ASSERT_EQUAL(unlinkat(b.dir.new_fd[0], ID, AT_REMOVEDIR), 0);
	spool_sample_make(&one, &f, NULL);
	put_file(b.dir.new_fd[0], ID, buf_sv(&f));
	uint32_t slot = index_find(b.q.index, &id);
	if (slot != INDEX_NONE) {
		index_due_clear(b.q.index, slot);
		CU_ASSERT_EQUAL(work_open(&b.q, slot, &m), MSG_LOST);
	}
	CU_ASSERT_TRUE(nothing_left(&b));
	buf_free(&f);
	bench_free(&b);
}

static void what_is_postponed_is_named_by_its_next_attempt(void)
{
	struct bench b;
	struct spool_name n;
	struct spool_id id = sample_id(ID);
	bench_init(&b);
	arrive(&b, &one);
	answer(&b, send_next(&b), DEFERRED, false);
	CU_ASSERT_TRUE(spool_name_parse(sv_of(only_name(b.dir.cur_fd[0])), &n));
	CU_ASSERT_EQUAL(n.tries, 1);
	CU_ASSERT(n.due >= q_now() + 50 && n.due <= q_now() + 70);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
	CU_ASSERT(entry(&b)->state == ENTRY_DUE && entry(&b)->where == IN_CUR);
	CU_ASSERT_STRING_EQUAL(reasons_get(b.q.reasons, &id), "the agent's reason");
	bench_free(&b);
}

static void the_status_of_each_recipient_is_on_disk_before_the_message_waits(void)
{
	struct bench b;
	struct spool_envelope env;
	bench_init(&b);
	arrive(&b, &two);
	struct rcpt *first = send_next(&b), *second = send_next(&b);
	answer(&b, first, DELIVERED, false);
	answer(&b, second, DEFERRED, false);
	int fd = openat(b.dir.cur_fd[0], only_name(b.dir.cur_fd[0]), O_RDONLY | O_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(spool_envelope_read(fd, &env, NULL));
	CU_ASSERT(env.rcpt[0].status == SPOOL_DONE && env.rcpt[1].status == SPOOL_TODO);
	CU_ASSERT_TRUE(spool_verify(fd, &env, NULL));
	CU_ASSERT_NOT_EQUAL(entry(&b)->dest, 0); /* one is left, so one destination */
	spool_envelope_free(&env);
	close(fd);
	bench_free(&b);
}

static void the_last_recipient_ends_the_message(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &two);
	struct rcpt *first = send_next(&b), *second = send_next(&b);
	answer(&b, second, DELIVERED, false);
	CU_ASSERT_FALSE(nothing_left(&b));
	answer(&b, first, DELIVERED, false);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void an_agent_that_dies_means_soon_again_and_look_first(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &one);
	work_result(&b.q, send_next(&b), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
	CU_ASSERT(entry(&b)->tries == 1 && entry(&b)->due <= q_now() + 2);
	bench_free(&b);
}

static void a_name_gone_under_a_lost_agent_is_delivered(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &one);
	struct rcpt *r = send_next(&b);
	CU_ASSERT_EQUAL(unlinkat(b.dir.new_fd[0], ID, 0), 0);
	work_result(&b.q, r, NULL);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void a_failure_is_reported_and_ends_after_the_250_of_the_report(void)
{
	struct bench b;
	bench_init(&b);
	struct msg *m = arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_FAILED);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void whom_one_report_did_not_name_another_does(void)
{
	struct bench b;
	bench_init(&b);
	bench_listen(&b);
	struct msg *m = arrive(&b, &two);
	for (int i = 0; i < 2; i++)
		answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT(m->asked && m->report_end == 2);
	m->report_end = 1; /* as if there were no room for more */
	take_report(&b, m, REPORTED);
	CU_ASSERT(m->rcpt[0].status == SPOOL_FAILED && m->rcpt[1].status == SPOOL_TODO);
	CU_ASSERT(m->asked && m->report == BOUNCE_FAILED && m->report_end == 2);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	CU_ASSERT_EQUAL(bench_logged(&b, " failed "), 2); /* each once */
	bench_free(&b);
}

static void a_report_that_cannot_go_out_keeps_the_message(void)
{
	struct bench b;
	bench_init(&b);
	struct msg *m = arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	take_report(&b, m, REPORT_LATER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
	CU_ASSERT(entry(&b)->state == ENTRY_DUE && only_name(b.dir.cur_fd[0])[0] != '\0');
	bench_free(&b);
}

static void a_report_that_is_refused_holds_the_message(void)
{
	struct spool_sample s = one;
	struct bench b;
	s.trust = SPOOL_AUTHENTICATED;
	bench_init(&b);
	struct msg *m = arrive(&b, &s);
	answer(&b, send_next(&b), FAILED, false);
	take_report(&b, m, REPORT_REFUSED);
	CU_ASSERT(only_name(b.dir.hold_fd)[0] != '\0' && entry(&b)->where == IN_HOLD);
	bench_free(&b);
}

static void a_null_sender_is_told_nothing(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &null_sender);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void the_postmaster_is_told_of_double_bounces_but_not_of_his_own(void)
{
	struct spool_sample his = null_sender;
	struct bench b;
	bench_init(&b);
	b.cfg.queue.double_bounce_postmaster = true;
	struct msg *m = arrive(&b, &null_sender);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_DOUBLE);
	bench_free(&b);
	his.rcpts[0] = "Postmaster@y.example";
	bench_init(&b);
	b.cfg.queue.double_bounce_postmaster = true;
	arrive(&b, &his);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void a_strangers_message_may_be_held_instead(void)
{
	struct bench b;
	bench_init(&b);
	b.cfg.queue.bounce_strangers = CFG_BOUNCE_HOLD;
	struct msg *m = arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_HELD); /* to the postmaster */
	take_report(&b, m, REPORTED);
	CU_ASSERT_NOT_EQUAL(only_name(b.dir.hold_fd)[0], '\0');
	bench_free(&b);
}

/* The first beyond the limit is the postmaster's, the second is held without a word; a sender who is known is no stranger. */
static void strangers_get_so_many_reports_in_an_hour(void)
{
	static const struct {
		char trust;
		bool asked;
		enum bounce_kind kind;
	} t[] = {
		{ SPOOL_STRANGER, true, BOUNCE_FAILED },
		{ SPOOL_STRANGER, true, BOUNCE_FAILED },
		{ SPOOL_STRANGER, true, BOUNCE_HELD },
		{ SPOOL_STRANGER, false, BOUNCE_FAILED },
		{ SPOOL_LOCAL, true, BOUNCE_FAILED },
	};
	struct bench b;
	bench_init(&b);
	bench_listen(&b);
	b.cfg.queue.bounce_strangers_rate = 2;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = one;
		struct spool_id id;
		spool_id_make(1700000000, 16 * (uint32_t)i, 1, &id);
		s.id = id.text;
		s.trust = t[i].trust;
		struct msg *m = arrive(&b, &s);
		answer(&b, send_next(&b), FAILED, false);
		uint32_t slot = index_find(b.q.index, &id);
		CU_ASSERT_NOT_EQUAL_FATAL(slot, INDEX_NONE);
		CU_ASSERT_EQUAL(index_at(b.q.index, slot)->state == ENTRY_OPEN, t[i].asked);
		CU_ASSERT_EQUAL(index_at(b.q.index, slot)->where == IN_HOLD, !t[i].asked);
		if (!t[i].asked)
			continue;
		CU_ASSERT(m->asked && m->report == t[i].kind);
		take_report(&b, m, REPORTED);
		slot = index_find(b.q.index, &id);
		CU_ASSERT_EQUAL(slot != INDEX_NONE && index_at(b.q.index, slot)->where == IN_HOLD, t[i].kind == BOUNCE_HELD);
	}
	CU_ASSERT_EQUAL(bench_logged(&b, " bounce-limit "), 1);
	bench_free(&b);
}

static struct msg *fail_next(struct bench *b, const struct spool_sample *of, uint32_t n, uint8_t notify, enum deliver_status status)
{
	struct spool_sample s = *of;
	struct spool_id id;
	spool_id_make(1700000000, 16 * n, 1, &id);
	s.id = id.text;
	s.notify[0] = s.notify[1] = notify;
	struct msg *m = arrive(b, &s);
	answer(b, send_next(b), status, false);
	return m;
}

static void reports_of_success_do_not_use_up_those_of_failures(void)
{
	struct bench b;
	bench_init(&b);
	b.cfg.queue.bounce_strangers_rate = 1;
	for (uint32_t i = 0; i < 3; i++) {
		struct msg *m = fail_next(&b, &one, i, SPOOL_NOTIFY_SUCCESS, DELIVERED);
		bench_turn(&b, idle);
		if (i == 0)
			take_report(&b, m, REPORTED);
	}
	struct msg *m = fail_next(&b, &one, 9, 0, FAILED);
	CU_ASSERT(m->asked && m->report == BOUNCE_FAILED);
	bench_free(&b);
}

static void a_stranger_with_a_sender_that_does_not_exist_fills_no_disk(void)
{
	struct bench b;
	bench_init(&b);
	struct msg *m = arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	take_report(&b, m, REPORT_REFUSED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
	bench_init(&b);
	b.cfg.queue.double_bounce_postmaster = true;
	m = arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	take_report(&b, m, REPORT_REFUSED);
	CU_ASSERT(m->asked && m->report == BOUNCE_DOUBLE);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void soft_bounce_postpones_what_failed(void)
{
	struct bench b;
	bench_init(&b);
	b.cfg.global.soft_bounce = true;
	arrive(&b, &one);
	answer(&b, send_next(&b), FAILED, false);
	CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE);
	bench_free(&b);
}

/* The sample is of 2023. */
static void a_message_expires_after_a_failed_attempt_and_not_before(void)
{
	struct bench b;
	bench_init(&b);
	b.cfg.queue.queue_lifetime = 86400;
	struct msg *m = arrive(&b, &one);
	CU_ASSERT_EQUAL(m->waiting, 1);
	answer(&b, send_next(&b), DEFERRED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_FAILED);
	bench_free(&b);
}

static void the_delay_is_told_once(void)
{
	struct bench b;
	struct spool_name n;
	bench_init(&b);
	b.cfg.queue.delay_warning = 3600;
	struct msg *m = arrive(&b, &one);
	answer(&b, send_next(&b), DEFERRED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_DELAYED);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(spool_name_parse(sv_of(only_name(b.dir.cur_fd[0])), &n) && n.warned);
	bench_free(&b);
}

/* --- RFC 3461 -------------------------------------------------------------------------------------------------------------- */

static struct spool_sample asking(unsigned notify)
{
	struct spool_sample s = one;
	s.notify[0] = (uint8_t)notify;
	return s;
}

static void only_wanted_failures_are_reported(void)
{
	static const struct {
		unsigned notify;
		bool told;
	} t[] = {
		{ 0, true },
		{ SPOOL_NOTIFY_FAILURE, true },
		{ SPOOL_NOTIFY_FAILURE | SPOOL_NOTIFY_SUCCESS, true },
		{ SPOOL_NOTIFY_NEVER, false },
		{ SPOOL_NOTIFY_SUCCESS, false },
		{ SPOOL_NOTIFY_DELAY, false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = asking(t[i].notify);
		struct bench b;
		bench_init(&b);
		struct msg *m = arrive(&b, &s);
		answer(&b, send_next(&b), FAILED, false);
		CU_ASSERT_EQUAL(nothing_left(&b), !t[i].told);
		if (t[i].told)
			CU_ASSERT(m->asked && m->report == BOUNCE_FAILED);
		bench_free(&b);
	}
}

static void only_wanted_delays_are_told(void)
{
	static const struct {
		unsigned notify;
		bool told;
	} t[] = {
		{ 0, true },
		{ SPOOL_NOTIFY_DELAY, true },
		{ SPOOL_NOTIFY_FAILURE, false },
		{ SPOOL_NOTIFY_NEVER, false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = asking(t[i].notify);
		struct bench b;
		bench_init(&b);
		b.cfg.queue.delay_warning = 3600;
		struct msg *m = arrive(&b, &s);
		answer(&b, send_next(&b), DEFERRED, false);
		if (t[i].told)
			CU_ASSERT(m->asked && m->report == BOUNCE_DELAYED)
		else
			CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE);
		bench_free(&b);
	}
}

static void success_is_reported_to_who_asked_for_it(void)
{
	static const struct {
		const char *sender;
		unsigned notify;
		uint8_t cls;
		bool passed;
		const char *postern;
		int owed; /* status while the report is made; 0: none is */
	} t[] = {
		{ "al@x.example", 0, CLASS_LOCAL, false, "ret=HDRS", 0 },
		{ "al@x.example", SPOOL_NOTIFY_FAILURE, CLASS_LOCAL, false, "", 0 },
		{ "al@x.example", SPOOL_NOTIFY_NEVER, CLASS_LOCAL, false, "", 0 },
		{ "al@x.example", SPOOL_NOTIFY_SUCCESS, CLASS_LOCAL, false, "", SPOOL_OWED_DELIVERED },
		{ "al@x.example", SPOOL_NOTIFY_SUCCESS, CLASS_REMOTE, false, "", SPOOL_OWED_RELAYED },
		{ "al@x.example", SPOOL_NOTIFY_SUCCESS, CLASS_REMOTE, true, "", 0 },
		{ "al@x.example", 0, CLASS_REMOTE, true, "by=1795464636 bymode=N byt=yes", SPOOL_OWED_RELAYED },
		{ "al@x.example", SPOOL_NOTIFY_NEVER, CLASS_REMOTE, true, "by=1795464636 bymode=N byt=yes", 0 },
		{ "", SPOOL_NOTIFY_SUCCESS, CLASS_LOCAL, false, "", 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = asking(t[i].notify);
		struct bench b;
		struct spool_envelope env;
		s.sender = t[i].sender;
		s.postern = t[i].postern;
		bench_init(&b);
		struct msg *m = arrive(&b, &s);
		struct rcpt *r = send_next(&b);
		struct deliver_res res = {
			.status = DELIVERED, .dsn_passed = t[i].passed, .dsn = "2.0.0", .where = "mx.y.example"
		};
		r->cls = t[i].cls;
		work_result(&b.q, r, &res);
		bench_turn(&b, idle);
		CU_ASSERT_EQUAL(nothing_left(&b), t[i].owed == 0);
		if (t[i].owed != 0) {
			CU_ASSERT(m->asked && m->report == BOUNCE_SUCCESS && r->status == t[i].owed);
			CU_ASSERT_TRUE_FATAL(spool_envelope_read(m->fd, &env, NULL)); /* on disk before anything is told */
			CU_ASSERT_EQUAL(env.rcpt[0].status, t[i].owed);
			spool_envelope_free(&env);
			take_report(&b, m, REPORTED);
			CU_ASSERT_TRUE(nothing_left(&b));
		}
		bench_free(&b);
	}
}

static void one_report_tells_of_all_that_were_delivered(void)
{
	struct spool_sample s = two;
	struct bench b;
	s.notify[0] = s.notify[1] = SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_FAILURE;
	bench_init(&b);
	struct msg *m = arrive(&b, &s);
	struct rcpt *first = send_next(&b), *second = send_next(&b);
	answer(&b, first, DELIVERED, false);
	CU_ASSERT_FALSE(m->asked);
	answer(&b, second, DELIVERED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_SUCCESS && m->report_end == 2);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void a_report_of_success_that_cannot_go_out_is_owed_and_the_delivery_is_not_repeated(void)
{
	struct spool_sample s = asking(SPOOL_NOTIFY_SUCCESS);
	struct spool_id id = sample_id(ID);
	struct bench b;
	bench_init(&b);
	b.cfg.queue.queue_lifetime = UINT32_MAX;
	struct msg *m = arrive(&b, &s);
	answer(&b, send_next(&b), DELIVERED, false);
	take_report(&b, m, REPORT_LATER);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
	CU_ASSERT(entry(&b)->state == ENTRY_DUE && entry(&b)->where == IN_CUR);
	index_due_clear(b.q.index, index_find(b.q.index, &id));
	CU_ASSERT_EQUAL(work_open(&b.q, index_find(b.q.index, &id), &m), MSG_OPEN);
	CU_ASSERT_EQUAL(m->rcpt[0].status, SPOOL_OWED_DELIVERED);
	finish_msg(&b.q, m); /* as when nobody of it waits for an agent */
	CU_ASSERT(m->asked && m->report == BOUNCE_SUCCESS);
	take_report(&b, m, REPORTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void a_report_of_success_that_is_refused_is_dropped(void)
{
	struct spool_sample s = asking(SPOOL_NOTIFY_SUCCESS);
	struct bench b;
	bench_init(&b);
	struct msg *m = arrive(&b, &s);
	answer(&b, send_next(&b), DELIVERED, false);
	take_report(&b, m, REPORT_REFUSED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void an_expanded_address_is_told_of_once_and_never_delivered_to(void)
{
	struct spool_sample s = two;
	struct bench b;
	s.notify[0] = SPOOL_NOTIFY_SUCCESS;
	s.notify[1] = SPOOL_NOTIFY_NEVER;
	s.status[0] = SPOOL_OWED_EXPANDED;
	bench_init(&b);
	struct msg *m = arrive(&b, &s);
	CU_ASSERT_EQUAL_FATAL(m->waiting, 1);
	answer(&b, send_next(&b), DEFERRED, false);
	CU_ASSERT(m->asked && m->report == BOUNCE_SUCCESS && m->rcpt[1].state == RCPT_DEFERRED);
	take_report(&b, m, REPORTED);
	CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE);
	bench_free(&b);
}

static void strangers_who_are_told_nothing_are_not_told_of_success(void)
{
	struct spool_sample s = two;
	struct bench b;
	s.notify[0] = s.notify[1] = SPOOL_NOTIFY_SUCCESS;
	s.status[0] = SPOOL_OWED_EXPANDED;
	bench_init(&b);
	b.cfg.queue.bounce_strangers = CFG_BOUNCE_HOLD;
	arrive(&b, &s);
	answer(&b, send_next(&b), DELIVERED, false);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static const char *postern_of(char dst[100], const char *form, uint32_t when)
{
	snprintf(dst, 100, form, (unsigned)when);
	return dst;
}

/* RFC 4865 */
static void a_message_is_not_tried_before_its_release(void)
{
	struct spool_sample s = one;
	struct spool_name n;
	struct bench b;
	char text[100];
	uint32_t when = q_now() + 3600;
	s.postern = postern_of(text, "hold=%u", when);
	bench_init(&b);
	b.cfg.queue.queue_lifetime = 60; /* long over, but counted from the release */
	CU_ASSERT_PTR_NULL(arrive(&b, &s));
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
	CU_ASSERT(entry(&b)->state == ENTRY_DUE && sched_waiting(b.q.sched) == 0);
	CU_ASSERT_TRUE(spool_name_parse(sv_of(only_name(b.dir.cur_fd[0])), &n));
	CU_ASSERT(n.due == when && n.tries == 0);
	bench_free(&b);
}

static void a_released_message_is_tried_and_its_lifetime_begins(void)
{
	struct spool_sample s = one;
	struct bench b;
	char text[100];
	s.postern = postern_of(text, "hold=%u", q_now());
	bench_init(&b);
	b.cfg.queue.queue_lifetime = 3600;
	struct msg *m = arrive(&b, &s);
	CU_ASSERT_EQUAL_FATAL(m->waiting, 1);
	answer(&b, send_next(&b), DEFERRED, false);
	CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE && entry(&b)->tries == 1);
	bench_free(&b);
}

/* RFC 2852 */
static void what_was_to_be_there_by_now_is_returned_untried(void)
{
	struct spool_sample s = one;
	struct bench b;
	char text[100];
	s.postern = postern_of(text, "by=%u bymode=R", q_now() - 1);
	bench_init(&b);
	struct msg *m = arrive(&b, &s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(m->asked && m->report == BOUNCE_FAILED && strcmp(m->rcpt[0].dsn, "5.4.7") == 0);
	bench_free(&b);
}

static void the_last_attempt_is_in_time_for_what_is_to_be_there_by_then(void)
{
	static const char *const modes[] = { "by=%u bymode=R", "by=%u bymode=N" };
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct spool_sample s = one;
		struct bench b;
		char text[100];
		uint32_t by = q_now() + 20;
		s.postern = postern_of(text, modes[i], by);
		bench_init(&b);
		arrive(&b, &s);
		answer(&b, send_next(&b), DEFERRED, false); /* the pause would be 60 s */
		CU_ASSERT(entry(&b) != NULL && entry(&b)->due == by);
		bench_free(&b);
	}
}

static void mode_n_tells_of_the_delay_when_the_time_is_over(void)
{
	static const struct {
		unsigned notify;
		bool told;
	} t[] = { { 0, true }, { SPOOL_NOTIFY_FAILURE, true }, { SPOOL_NOTIFY_NEVER, false } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = asking(t[i].notify);
		struct bench b;
		char text[100];
		s.postern = postern_of(text, "by=%u bymode=N", q_now() - 1);
		bench_init(&b);
		struct msg *m = arrive(&b, &s);
		answer(&b, send_next(&b), DEFERRED, false);
		if (t[i].told)
			CU_ASSERT(m->asked && m->report == BOUNCE_DELAYED)
		else
			CU_ASSERT(entry(&b) != NULL && entry(&b)->state == ENTRY_DUE);
		bench_free(&b);
	}
}

static void a_priority_chooses_the_ring_also_of_a_later_attempt(void)
{
	static const struct {
		const char *postern;
		enum entry_urgency want;
	} t[] = { { "prio=4", ENTRY_URGENT }, { "prio=-1", ENTRY_BULK }, { "", ENTRY_USUAL } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_sample s = one;
		struct bench b;
		s.postern = t[i].postern;
		bench_init(&b);
		arrive(&b, &s);
		answer(&b, send_next(&b), DEFERRED, false);
		CU_ASSERT_PTR_NOT_NULL_FATAL(entry(&b));
		CU_ASSERT_EQUAL(entry(&b)->urgency, t[i].want);
		bench_free(&b);
	}
}

static void remote_recipients_wait_in_a_lane_of_their_own(void)
{
	struct spool_sample s = one;
	struct bench b;
	bench_init(&b);
	s.cls = CLASS_REMOTE;
	struct msg *m = arrive(&b, &s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(!sched_ready(b.q.sched, LANE_LOCAL) && sched_ready(b.q.sched, LANE_REMOTE));
	work_withdraw(&b.q, m);
	bench_free(&b);
}

static enum acted act(struct bench *b, enum queue_op op)
{
	struct spool_id id = sample_id(ID);
	uint64_t dirs = 0;
	struct err e;
	enum acted a = act_on(&b->q, index_find(b->q.index, &id), op, true, &dirs, &e);
	CU_ASSERT_EQUAL(dirs != 0, op == QOP_HOLD || op == QOP_DELETE || op == QOP_REQUEUE);
	return a;
}

static void an_act_waits_for_the_agents_answer(void)
{
	static const struct {
		enum queue_op op;
		enum deliver_status answer;
		bool held, gone;
		const char *pending;
	} t[] = {
		{ QOP_HOLD, DEFERRED, true, false, "hold" },
		{ QOP_HOLD, DELIVERED, false, true, "hold" },
		{ QOP_DELETE, DEFERRED, false, true, "delete" },
		{ QOP_REQUEUE, DEFERRED, false, false, "requeue" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bench b;
		struct spool_id id = sample_id(ID);
		bench_init(&b);
		arrive(&b, &one);
		struct rcpt *r = send_next(&b);
		CU_ASSERT_EQUAL(act(&b, t[i].op), ACTED_LATER);
		CU_ASSERT_STRING_EQUAL(act_pending(&b.q, index_find(b.q.index, &id)), t[i].pending);
		answer(&b, r, t[i].answer, false);
		CU_ASSERT_EQUAL(only_name(b.dir.hold_fd)[0] != '\0', t[i].held);
		CU_ASSERT_EQUAL(nothing_left(&b), t[i].gone);
		if (t[i].op == QOP_REQUEUE)
			CU_ASSERT(entry(&b)->tries == 0 && entry(&b)->due <= q_now() && (entry(&b)->flags & ENTRY_LOOK) != 0);
		bench_free(&b);
	}
}

static void a_hold_that_waits_is_still_that_of_who_asked_for_it(void)
{
	for (int admin = 0; admin < 2; admin++) {
		struct bench b;
		struct spool_id id = sample_id(ID);
		uint64_t dirs = 0;
		struct err e;
		bench_init(&b);
		arrive(&b, &one);
		struct rcpt *r = send_next(&b);
		uint32_t slot = index_find(b.q.index, &id);
		CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_HOLD, admin == 1, &dirs, &e), ACTED_LATER);
		if (admin)
			CU_ASSERT_EQUAL(act_on(&b.q, slot, QOP_REQUEUE, false, &dirs, &e), ACTED_FAILED);
		answer(&b, r, DEFERRED, false);
		CU_ASSERT_STRING_EQUAL(strrchr(only_name(b.dir.hold_fd), ',') + 1, admin ? "-" : "o");
		bench_free(&b);
	}
}

static void an_act_on_a_message_that_only_waits_is_done_at_once(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &two);
	CU_ASSERT_EQUAL(act(&b, QOP_HOLD), ACTED);
	CU_ASSERT_NOT_EQUAL(only_name(b.dir.hold_fd)[0], '\0');
	CU_ASSERT_EQUAL(sched_waiting(b.q.sched), 0);
	CU_ASSERT_EQUAL(act(&b, QOP_DELETE), ACTED);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void a_late_result_keeps_a_recipient_from_a_second_copy(void)
{
	struct bench b;
	struct deliver_res res = { .id = ID, .number = 1, .status = DELIVERED };
	bench_init(&b);
	struct msg *m = arrive(&b, &two);
	struct rcpt *first = send_next(&b);
	CU_ASSERT_FALSE(work_late(&b.q, first, &res)); /* an agent has it */
	CU_ASSERT_TRUE(work_late(&b.q, &m->rcpt[1], &res));
	CU_ASSERT(m->waiting == 0 && sched_waiting(b.q.sched) == 0);
	answer(&b, first, DELIVERED, false);
	CU_ASSERT_TRUE(nothing_left(&b));
	bench_free(&b);
}

static void while_draining_nothing_counts_as_an_attempt(void)
{
	struct bench b;
	bench_init(&b);
	arrive(&b, &two);
	struct rcpt *first = send_next(&b);
	b.q.draining = true;
	answer(&b, first, DELIVERED, false);
	bench_turn(&b, idle);
	CU_ASSERT(entry(&b) != NULL && entry(&b)->tries == 0 && entry(&b)->where == IN_CUR);
	CU_ASSERT_EQUAL(b.q.open.len, 0);
	bench_free(&b);
}

void suite_queue_finish(void)
{
	static const struct unit_case cases[] = { UNIT(a_copy_is_followed_by_unlink_and_a_rename_by_nothing),
		UNIT(what_cannot_be_unlinked_is_not_delivered_again), UNIT(what_is_postponed_is_named_by_its_next_attempt),
		UNIT(the_status_of_each_recipient_is_on_disk_before_the_message_waits), UNIT(the_last_recipient_ends_the_message),
		UNIT(an_agent_that_dies_means_soon_again_and_look_first), UNIT(a_name_gone_under_a_lost_agent_is_delivered),
		UNIT(a_failure_is_reported_and_ends_after_the_250_of_the_report), UNIT(whom_one_report_did_not_name_another_does),
		UNIT(a_report_that_cannot_go_out_keeps_the_message), UNIT(a_report_that_is_refused_holds_the_message),
		UNIT(a_null_sender_is_told_nothing), UNIT(the_postmaster_is_told_of_double_bounces_but_not_of_his_own),
		UNIT(a_strangers_message_may_be_held_instead), UNIT(strangers_get_so_many_reports_in_an_hour),
		UNIT(reports_of_success_do_not_use_up_those_of_failures),
		UNIT(a_stranger_with_a_sender_that_does_not_exist_fills_no_disk), UNIT(soft_bounce_postpones_what_failed),
		UNIT(a_message_expires_after_a_failed_attempt_and_not_before), UNIT(the_delay_is_told_once),
		UNIT(only_wanted_failures_are_reported), UNIT(only_wanted_delays_are_told),
		UNIT(success_is_reported_to_who_asked_for_it), UNIT(one_report_tells_of_all_that_were_delivered),
		UNIT(a_report_of_success_that_cannot_go_out_is_owed_and_the_delivery_is_not_repeated),
		UNIT(a_report_of_success_that_is_refused_is_dropped),
		UNIT(an_expanded_address_is_told_of_once_and_never_delivered_to),
		UNIT(strangers_who_are_told_nothing_are_not_told_of_success), UNIT(a_message_is_not_tried_before_its_release),
		UNIT(a_released_message_is_tried_and_its_lifetime_begins), UNIT(what_was_to_be_there_by_now_is_returned_untried),
		UNIT(the_last_attempt_is_in_time_for_what_is_to_be_there_by_then),
		UNIT(mode_n_tells_of_the_delay_when_the_time_is_over), UNIT(a_priority_chooses_the_ring_also_of_a_later_attempt),
		UNIT(remote_recipients_wait_in_a_lane_of_their_own), UNIT(an_act_waits_for_the_agents_answer),
		UNIT(a_hold_that_waits_is_still_that_of_who_asked_for_it),
		UNIT(an_act_on_a_message_that_only_waits_is_done_at_once), UNIT(a_late_result_keeps_a_recipient_from_a_second_copy),
		UNIT(while_draining_nothing_counts_as_an_attempt), UNIT_END };
	unit_suite("queue_finish", cases);
}
