/* Answers of agents whose queue-mgr is gone. The test is the agent; it holds the file's lock until it is answered. */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/late.h"
#include "queue-mgr/look.h"
#include "queue-mgr/recover.h"
#include "queue-mgr/work.h"
#include "base/fd.h"
#include "net/sock.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#define ID "0123456000g00001" /* shard 0 */

static const struct spool_sample two = {
	.id = ID, .sender = "al@x.example", .rcpts = { "b@y.example", "c@z.example" }, .cls = CLASS_REMOTE
};
static const struct spool_sample one = { .id = ID, .sender = "al@x.example", .rcpts = { "b@y.example" }, .cls = CLASS_REMOTE };

struct agent {
	struct bench b;
	struct holder lock;
	struct spool_marks marks;
	int fd;
};

static void start(struct agent *a, const struct spool_sample *s)
{
	struct buf f = BUF_INIT(0);
	int pair[2];
	bench_init(&a->b);
	spool_sample_make(s, &f, &a->marks);
	put_file(a->b.dir.new_fd[0], ID, buf_sv(&f));
	buf_free(&f);
	holder_start(&a->lock, a->b.dir.new_fd[0], ID);
	BUG_IF(!sock_pair(SOCK_SEQPACKET, pair, NULL));
	a->fd = pair[0];
	late_take(&a->b.q, pair[1]);
}

static void end(struct agent *a)
{
	fd_close(&a->fd);
	holder_end(&a->lock);
	bench_free(&a->b);
}

static void tell(struct agent *a, uint64_t number)
{
	struct deliver_res res = { .id = ID, .number = number, .status = DELIVERED, .dsn = "2.0.0", .text = "250 ok" };
	CU_ASSERT_TRUE_FATAL(ipc_send(a->fd, &deliver_res_desc, &res, 1000, NULL));
}

static bool is_heard(struct agent *a)
{
	struct deliver_ack heard;
	for (int i = 0; i < 100; i++) {
		if (ipc_recv_msg(a->fd, &deliver_ack_desc, &heard, 0, NULL))
			return true;
		ev_turn(a->b.q.loop, 20);
	}
	return false;
}

/* What the next queue-mgr would read. */
static char on_disk(const struct agent *a, size_t number)
{
	struct spool_envelope env;
	char status = '?';
	int fd = openat(a->b.dir.new_fd[0], ID, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && spool_envelope_read(fd, &env, NULL)) {
		status = env.rcpt[number].status;
		spool_envelope_free(&env);
	}
	fd_close(&fd);
	return status;
}

static void an_agent_hears_only_what_is_on_disk(void)
{
	struct agent a;
	start(&a, &two);
	tell(&a, 1);
	CU_ASSERT_TRUE(is_heard(&a)); /* and the lock is still the agent's: nobody delivered it meanwhile */
	CU_ASSERT_EQUAL(on_disk(&a, 0), SPOOL_TODO);
	CU_ASSERT_EQUAL(on_disk(&a, 1), SPOOL_DONE);
	end(&a);
}

static void the_last_recipient_takes_the_file_along(void)
{
	struct agent a;
	start(&a, &one);
	tell(&a, 0);
	CU_ASSERT_TRUE(is_heard(&a));
	CU_ASSERT_FALSE(has_file(a.b.dir.new_fd[0], ID));
	end(&a);
}

static bool is_known(struct bench *b) { return !recover_busy(&b->q); }

static bool nothing_is_known(struct bench *b) { return look_len(&b->q) == 0 && index_len(b->q.index) == 0; }

static void one_that_waits_for_its_lock_is_forgotten(void)
{
	struct agent a;
	start(&a, &one);
	recover_start(&a.b.q);
	bench_turn(&a.b, is_known);
	CU_ASSERT_EQUAL(look_len(&a.b.q), 1);
	tell(&a, 0);
	CU_ASSERT_TRUE(is_heard(&a));
	bench_turn(&a.b, nothing_is_known);
	CU_ASSERT_TRUE(nothing_is_known(&a.b));
	end(&a);
}

static void before_the_scan_an_unknown_file_is_asked_for_again(void)
{
	struct agent a;
	start(&a, &one);
	CU_ASSERT_EQUAL(unlinkat(a.b.dir.new_fd[0], ID, 0), 0); /* it may be in cur/, under a name not read yet */
	tell(&a, 0);
	CU_ASSERT_FALSE(is_heard(&a));
	end(&a);
}

static void of_a_message_that_is_gone_nothing_is_kept(void)
{
	struct agent a;
	start(&a, &one);
	CU_ASSERT_EQUAL(unlinkat(a.b.dir.new_fd[0], ID, 0), 0);
	recover_start(&a.b.q);
	bench_turn(&a.b, is_known);
	tell(&a, 0);
	CU_ASSERT_TRUE(is_heard(&a));
	CU_ASSERT_EQUAL(index_len(a.b.q.index), 0);
	end(&a);
}

void suite_queue_late(void)
{
	static const struct unit_case cases[] = { UNIT(an_agent_hears_only_what_is_on_disk),
		UNIT(the_last_recipient_takes_the_file_along), UNIT(one_that_waits_for_its_lock_is_forgotten),
		UNIT(before_the_scan_an_unknown_file_is_asked_for_again), UNIT(of_a_message_that_is_gone_nothing_is_kept),
		UNIT_END };
	unit_suite("queue_late", cases);
}
