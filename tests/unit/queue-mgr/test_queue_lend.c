/* Lending in strict mode: files are made ahead, and lent when their directory was synced. The test is smtpd. */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/lend.h"
#include "base/fd.h"
#include "net/sock.h"
#include "unit/unit.h"

static int borrower(struct bench *b)
{
	int pair[2];
	BUG_IF(!sock_pair(SOCK_SEQPACKET, pair, NULL));
	lend_channel(&b->q, pair[1]);
	return pair[0];
}

static void ask(int fd)
{
	struct queue_lend m = { .reserve = 0 };
	CU_ASSERT_TRUE(ipc_send(fd, &queue_lend_desc, &m, 0, NULL));
}

/* Takes what was answered; how many files it was. */
static unsigned take(int fd)
{
	struct queue_lent m;
	unsigned n = 0;
	for (; ipc_recv_msg(fd, &queue_lent_desc, &m, 0, NULL); n++)
		close(m.file);
	return n;
}

static void turns(struct bench *b)
{
	for (int i = 0; i < 20; i++)
		ev_turn(b->q.loop, 10);
}

static void who_leaves_before_his_file_comes_harms_nobody(void)
{
	struct bench b;
	bench_init(&b);
	b.q.dir.strict = true;
	int first = borrower(&b);
	ask(first); /* makes the stock */
	turns(&b);
	CU_ASSERT_EQUAL(take(first), 1);
	int second = borrower(&b);
	ask(second);
	close(second);
	turns(&b);
	CU_ASSERT_EQUAL(lend_channels(&b.q), 1);
	ask(first);
	turns(&b);
	CU_ASSERT_EQUAL(take(first), 1);
	close(first);
	bench_free(&b);
}

static void more_borrowers_than_one_batch_are_all_served(void)
{
	struct bench b;
	int fds[50];
	unsigned n = 0;
	bench_init(&b);
	b.q.dir.strict = true;
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = borrower(&b);
		ask(fds[i]);
	}
	turns(&b);
	for (size_t i = 0; i < COUNT(fds); i++) {
		n += take(fds[i]);
		close(fds[i]);
	}
	CU_ASSERT_EQUAL(n, COUNT(fds));
	bench_free(&b);
}

void suite_queue_lend(void)
{
	static const struct unit_case cases[] = { UNIT(who_leaves_before_his_file_comes_harms_nobody),
		UNIT(more_borrowers_than_one_batch_are_all_served), UNIT_END };
	unit_suite("queue_lend", cases);
}
