/* The worker against a queue-mgr and a resolve played by the test, over real sockets. */
#include "local-delivery/worker.h"
#include "local-delivery/agent.h"
#include "unit/mailbox/place.h"

#include "base/fd.h"
#include "base/log.h"
#include "common/service/own.h"

#include "unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ID "0a1bk3f0000abcde"
#define TEXT "Received: x\n\nhello\n"
#define WAIT_MS 20000

struct scene {
	struct place p;
	struct cfg *cfg;
	struct agent agent;
	struct svc_ctx ctx;
	char queue[150];
	int shard_new;
	int ours, theirs; /* queue-mgr's channel */
	int resolve;
	struct deliver_req req;
};

static bool to_resolve(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	(void)endpoint, (void)wait_ms, (void)e;
	*ret_fd = fcntl(*(int *)arg, F_DUPFD_CLOEXEC, 0);
	return *ret_fd >= 0;
}

/* resolve's answers lie ready. */
static void answers(struct scene *s, int n)
{
	struct resolve_box a = {
		.status = RESOLVE_OK, .kind = BOX_VIRTUAL, .uid = s->p.user.uid, .gid = s->p.user.gid, .maildir = "Maildir"
	};
	struct err e;
	int pair[2];
	snprintf(a.home, sizeof a.home, "%s", s->p.home);
	CU_ASSERT_FATAL(sock_pair(SOCK_SEQPACKET, pair, &e));
	for (int i = 0; i < n; i++)
		CU_ASSERT(ipc_send(pair[0], &resolve_box_desc, &a, WAIT_MS, &e));
	s->resolve = pair[1];
}

static void put_message(struct scene *s)
{
	place_put(s->shard_new, ID, TEXT);
	fd_close(&s->req.file);
	s->req.file = openat(s->shard_new, ID, O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(flock(s->req.file, LOCK_EX | LOCK_NB), 0);
}

static void scene_init(struct scene *s)
{
	struct err e;
	int pair[2], run;
	*s = (struct scene){ .cfg = mem_new(sizeof *s->cfg),
		.req = { .id = ID, .name = ID, .rcpt = "al@c.example", .plain = 1, .file = -1 } };
	place_init(&s->p);
	snprintf(s->queue, sizeof s->queue, "%s/queue", s->p.base);
	s->cfg->global.queue_directory = s->queue;
	s->cfg->global.virtual_base = s->p.home;
	s->cfg->local.local_timeout = 60;
	agent_init(&s->agent, s->cfg);
	s->agent.connect = to_resolve;
	s->agent.arg = &s->resolve;
	struct spool_id id;
	char shard[8];
	CU_ASSERT_FATAL(spool_id_parse(SV(ID), &id));
	snprintf(shard, sizeof shard, "%x", spool_id_shard(&id));
	CU_ASSERT_EQUAL(mkdirat(s->p.queue_fd, shard, 0700), 0);
	snprintf(shard, sizeof shard, "%x/new", spool_id_shard(&id));
	CU_ASSERT_EQUAL(mkdirat(s->p.queue_fd, shard, 0700), 0);
	s->shard_new = openat(s->p.queue_fd, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_EQUAL(mkdirat(s->p.base_fd, "run", 0700), 0);
	run = openat(s->p.base_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->ctx = (struct svc_ctx){
		.cfg = s->cfg, .data = &s->agent, .rundir = run, .wake = -1, .wakes = -1, .turn = -1, .master_fd = -1
	};
	CU_ASSERT_FATAL(sock_pair(SOCK_SEQPACKET, pair, &e));
	s->ours = pair[0];
	s->theirs = pair[1];
	s->req.size = sizeof TEXT - 1;
	answers(s, 3);
	put_message(s);
}

static pid_t start(struct scene *s)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct svc_client client = { .fd = s->theirs };
		signal(SIGIO, SIG_IGN);
		fd_close(&s->ours);
		fd_close(&s->req.file);
		log_open("local-delivery", LOG_LEVEL_ERROR, NULL, NULL);
		worker_serve(&s->ctx, &client);
		_exit(0);
	}
	fd_close(&s->theirs);
	return pid;
}

static void scene_free(struct scene *s, pid_t pid)
{
	int status = -1;
	fd_close(&s->ours);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	fd_close(&s->req.file);
	fd_close(&s->shard_new);
	fd_close(&s->resolve);
	fd_close(&s->ctx.rundir);
	agent_free(&s->agent);
	place_free(&s->p);
	free(s->cfg);
}

static void orders_are_served_one_after_another(void)
{
	struct scene s;
	struct deliver_res res;
	struct err e;
	scene_init(&s);
	pid_t pid = start(&s);
	for (int i = 0; i < 3; i++) {
		if (i > 0)
			put_message(&s);
		place_clear(s.p.home_fd, "Maildir/new/" ID);
		CU_ASSERT(ipc_send(s.ours, &deliver_req_desc, &s.req, WAIT_MS, &e));
		CU_ASSERT_FATAL(ipc_recv_msg(s.ours, &deliver_res_desc, &res, WAIT_MS, &e));
		CU_ASSERT_EQUAL(res.status, DELIVERED);
		CU_ASSERT_EQUAL(res.renamed, 1);
		CU_ASSERT_STRING_EQUAL(place_get(s.p.home_fd, "Maildir/new/" ID), TEXT);
	}
	scene_free(&s, pid);
}

static void a_message_that_is_no_order_ends_the_channel(void)
{
	struct scene s;
	struct deliver_res res = { .id = ID };
	struct err e;
	scene_init(&s);
	pid_t pid = start(&s);
	CU_ASSERT(ipc_send(s.ours, &deliver_res_desc, &res, WAIT_MS, &e));
	CU_ASSERT_FALSE(ipc_recv_msg(s.ours, &deliver_res_desc, &res, WAIT_MS, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	scene_free(&s, pid);
}

/* While no queue-mgr takes the result, the lock must not end: a new one would deliver again. */
static void a_result_waits_for_a_new_queue_mgr_and_keeps_the_lock(void)
{
	struct scene s;
	struct deliver_res res = { .status = DEFERRED };
	struct deliver_ack heard;
	struct err e;
	struct addr peer;
	int listener, fd;
	scene_init(&s);
	CU_ASSERT(ipc_send(s.ours, &deliver_req_desc, &s.req, WAIT_MS, &e)); /* and is killed before the answer */
	int watch = openat(s.shard_new, ID, O_RDONLY | O_CLOEXEC);
	fd_close(&s.req.file);
	fd_close(&s.ours);
	pid_t pid = start(&s);
	for (int i = 0; i < 2000 && place_has(s.shard_new, ID); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	CU_ASSERT_FALSE(place_has(s.shard_new, ID));
	CU_ASSERT_NOT_EQUAL(flock(watch, LOCK_EX | LOCK_NB), 0);
	CU_ASSERT_FATAL(sock_listen_unix(
		s.ctx.rundir, "queue-mgr.local-delivery", SOCK_SEQPACKET, 0600, (uid_t)-1, (gid_t)-1, &listener, &e));
	CU_ASSERT_FATAL(sock_wait(listener, POLLIN, WAIT_MS, &e));
	CU_ASSERT_FATAL(sock_accept(listener, &fd, &peer, &e));
	CU_ASSERT(ipc_recv_msg(fd, &deliver_res_desc, &res, WAIT_MS, &e));
	CU_ASSERT_EQUAL(res.status, DELIVERED);
	CU_ASSERT_EQUAL(res.renamed, 1);
	CU_ASSERT_NOT_EQUAL(flock(watch, LOCK_EX | LOCK_NB), 0); /* told is not heard */
	memcpy(heard.id, res.id, sizeof(heard.id));
	CU_ASSERT(ipc_send(fd, &deliver_ack_desc, &heard, WAIT_MS, &e));
	fd_close(&fd);
	fd_close(&listener);
	scene_free(&s, pid);
	CU_ASSERT_EQUAL(flock(watch, LOCK_EX | LOCK_NB), 0);
	fd_close(&watch);
}

void suite_local_worker(void)
{
	static const struct unit_case cases[] = {
		UNIT(orders_are_served_one_after_another),
		UNIT(a_message_that_is_no_order_ends_the_channel),
		UNIT(a_result_waits_for_a_new_queue_mgr_and_keeps_the_lock),
		UNIT_END,
	};
	unit_suite("local_worker", cases);
}
