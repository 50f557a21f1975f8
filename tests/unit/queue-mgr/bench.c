#include "unit/queue-mgr/bench.h"

#include "queue-mgr/bouncing.h"
#include "queue-mgr/deliver.h"
#include "queue-mgr/dest.h"
#include "queue-mgr/fresh.h"
#include "queue-mgr/late.h"
#include "queue-mgr/lend.h"
#include "queue-mgr/look.h"
#include "queue-mgr/recover.h"
#include "queue-mgr/space.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#define TURN_MS 5000

static int give_fd(void *arg)
{
	const int *fd = arg;
	return dup(*fd);
}

void bench_listen(struct bench *b)
{
	static int pair[2]; /* the log goes on with it until the next log_open() */
	BUG_IF(!sock_pair(SOCK_SEQPACKET, pair, NULL));
	b->log_fd = pair[0];
	log_open("queue-mgr", LOG_LEVEL_INFO, give_fd, &pair[1]);
	LOG_INFO("listening");
	close(pair[1]);
}

unsigned bench_logged(struct bench *b, const char *text)
{
	static char packet[LOG_PACKET_MAX];
	unsigned times = 0;
	ssize_t n;
	while ((n = recv(b->log_fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		BUG_IF(!log_packet_text((struct sv){ packet, (size_t)n }, &b->log));
	for (const char *at = buf_str(&b->log); (at = strstr(at, text)) != NULL; at++)
		times++;
	return times;
}

/* No slot for any agent: what is opened waits. */
void bench_init(struct bench *b)
{
	struct qmgr *q = &b->q;
	*b = (struct bench){ .log_fd = -1,
		.log = BUF_INIT(1u << 20),
		.cfg = { .queue = { .retry_min = 60, .retry_max = 60, .queue_lifetime = 1u << 30, .queue_active_max = 100 } } };
	log_open("queue-mgr", LOG_LEVEL_ERROR, NULL, NULL);
	temp_dir_make(&b->temp);
	q->loop = ev_new(NULL);
	q->cfg = &b->cfg;
	q->queue = &b->cfg.queue;
	q->io = io_new(q->loop, b->temp.path, 2, NULL);
	BUG_IF(q->io == NULL || !spool_dir_open(b->temp.path, true, &q->dir, NULL) || !spool_dir_lock(&q->dir, false, NULL));
	BUG_IF(!spool_dir_open(b->temp.path, false, &b->dir, NULL));
	q->locked = true;
	q->index = index_new(10000);
	q->sched = sched_new(q->index, (struct window[]){ { 5, 5 }, { 5, 5 } });
	q->reasons = reasons_new(100);
	q->open = (struct vec)VEC_INIT(struct msg *, 10000);
	q->packet = (struct ipc_packet)IPC_PACKET_INIT;
	BUG_IF(!space_init(q, NULL) || !look_init(q, NULL) || !fresh_init(q, NULL) || !deliver_init(q, NULL) ||
		!dests_init(q, NULL) || !bouncing_init(q, NULL) || !late_init(q, NULL) || !lend_init(q, NULL) ||
		!recover_init(q, NULL));
}

void bench_free(struct bench *b)
{
	struct qmgr *q = &b->q;
	q->draining = true;
	recover_free(q);
	late_free(q);
	bouncing_free(q);
	dests_free(q);
	deliver_free_all(q);
	fresh_free(q);
	io_free(q->io);
	look_free(q);
	lend_free(q);
	space_free(q);
	for (size_t i = 0; i < q->open.len; i++)
		msg_free(*VEC_AT(&q->open, struct msg *, i));
	vec_free(&q->open);
	reasons_free(q->reasons);
	sched_free(q->sched);
	index_free(q->index);
	ipc_packet_free(&q->packet);
	spool_dir_close(&q->dir);
	spool_dir_close(&b->dir);
	ev_free(q->loop);
	while (waitpid(-1, NULL, 0) > 0) /* the helpers end with their socket */
		continue;
	temp_dir_remove(&b->temp);
	if (b->log_fd >= 0)
		log_open("queue-mgr", LOG_LEVEL_ERROR, NULL, NULL);
	fd_close(&b->log_fd);
	buf_free(&b->log);
}

void bench_turn(struct bench *b, bool (*until)(struct bench *))
{
	uint64_t end = clock_mono_ms() + TURN_MS;
	while (!until(b) && clock_mono_ms() < end)
		ev_turn(b->q.loop, 50);
}

void holder_start(struct holder *h, int dir, const char *name)
{
	int p[2];
	char ready = 0;
	BUG_IF(pipe2(p, O_CLOEXEC) < 0);
	h->pid = fork();
	if (h->pid == 0) {
		int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		BUG_IF(fd < 0 || flock(fd, LOCK_EX) < 0 || write(p[1], "x", 1) != 1);
		for (;;)
			pause();
	}
	close(p[1]);
	h->pipe = p[0];
	BUG_IF(read(h->pipe, &ready, 1) != 1);
}

void holder_end(struct holder *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	close(h->pipe);
}

int memfd_of(struct sv content)
{
	int fd = fd_memfd("queue file", NULL);
	BUG_IF(fd < 0 || !fd_write_all(fd, content.p, content.n, NULL));
	return fd;
}
