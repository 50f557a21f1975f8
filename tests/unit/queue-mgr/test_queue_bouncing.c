/* How a request for a report goes out. The test is the bounce service. */
#include "unit/queue-mgr/bench.h"

#include "queue-mgr/bouncing.h"
#include "queue-mgr/look.h"
#include "queue-mgr/work.h"
#include "net/sock.h"
#include "service/own.h"
#include "unit/unit.h"

#include <fcntl.h>

#define ID "0123456000g00001"
#define RCPTS 900

struct service {
	struct svc_ctx ctx;
	int listener, fd;
};

static void service_start(struct bench *b, struct service *s)
{
	*s = (struct service){ .ctx = { .rundir = open(b->temp.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) } };
	BUG_IF(s->ctx.rundir < 0 || !sock_listen_unix(s->ctx.rundir, "bounce.queue-mgr", SOCK_SEQPACKET, 0600, (uid_t)-1, (gid_t)-1,
					    &s->listener, NULL));
	bouncing_free(&b->q);
	b->cfg.bounce.bounce_workers_max = 1;
	b->q.svc = &s->ctx;
	BUG_IF(!bouncing_init(&b->q, NULL));
}

static void service_accept(struct service *s)
{
	struct addr peer;
	BUG_IF(!sock_accept(s->listener, &s->fd, &peer, NULL));
}

static void service_end(struct service *s)
{
	close(s->fd);
	close(s->listener);
	close(s->ctx.rundir);
}

/* All its recipients have failed. */
static struct msg *failed_msg(struct bench *b)
{
	struct spool_rcpt rcpt[RCPTS];
	struct maddr sender;
	struct spool_marks marks;
	struct spool_id id = sample_id(ID);
	struct buf f = BUF_INIT(SPOOL_HEADER_MAX);
	char text[100];
	memset(rcpt, 0, sizeof(rcpt));
	BUG_IF(!maddr_parse(SV("al@x.example"), 0, &sender, NULL));
	for (size_t i = 0; i < RCPTS; i++) {
		snprintf(text, sizeof(text), "%060zu@y.example", i);
		BUG_IF(!maddr_parse(sv_of(text), 0, &rcpt[i].addr, NULL));
		rcpt[i].cls = CLASS_LOCAL;
		rcpt[i].orig.null = true;
	}
	struct spool_compose c = { .sender = &sender,
		.rcpt = rcpt,
		.n_rcpt = RCPTS,
		.received = SV("by x.example with LOCAL"),
		.id = id,
		.trust = SPOOL_LOCAL };
	BUG_IF(!spool_compose(&c, SV(""), false, &f, &marks, NULL));
	spool_seal(&f, &marks, 0, 0);
	put_file(b->dir.new_fd[0], ID, buf_sv(&f));
	buf_free(&f);
	look_note(&b->q, &id, true);
	uint32_t slot = index_find(b->q.index, &id);
	BUG_IF(slot == INDEX_NONE || index_at(b->q.index, slot)->where != IN_HOLD);
	char name[SPOOL_NAME_MAX];
	index_name(b->q.index, slot, name);
	struct msg *m = msg_read(openat(b->dir.hold_fd, name, O_RDONLY | O_CLOEXEC), &id, UINT32_MAX, NULL);
	BUG_IF(m == NULL || m->n_rcpt != RCPTS);
	for (size_t i = 0; i < RCPTS; i++)
		rcpt_result(&m->rcpt[i], RCPT_FAILED, "5.1.1", "a reason that takes some room in the packet, as reasons do", "");
	return m;
}

static void a_worker_that_reads_slowly_does_not_stop_the_loop(void)
{
	struct bench b;
	struct service s;
	struct ipc_packet p = IPC_PACKET_INIT;
	struct bounce_rcpt r = { .last = 0 };
	struct err e = { .kind = ERR_NONE };
	size_t n = 0;
	bool whole = true;
	bench_init(&b);
	service_start(&b, &s);
	struct msg *m = failed_msg(&b);
	bouncing_ask(&b.q, m, BOUNCE_FAILED); /* returns, though nobody reads */
	CU_ASSERT_TRUE(m->asked);
	service_accept(&s);
	CU_ASSERT_TRUE_FATAL(ipc_recv(s.fd, &p, 1000, &e));
	while (n < RCPTS && ipc_recv_msg(s.fd, &bounce_rcpt_desc, &r, 0, &e)) /* what had room */
		whole = whole && strtoul(r.rcpt, NULL, 10) == n++;
	CU_ASSERT(n > 0 && n < RCPTS && e.kind == ERR_TEMP);
	for (int idle = 0; n < RCPTS && !r.last && idle < 100;)
		if (ipc_recv_msg(s.fd, &bounce_rcpt_desc, &r, 0, &e))
			whole = whole && strtoul(r.rcpt, NULL, 10) == n++;
		else {
			ev_turn(b.q.loop, 100);
			idle++;
		}
	CU_ASSERT(whole && n == RCPTS && r.last);
	ipc_packet_free(&p);
	bench_free(&b);
	service_end(&s);
	msg_free(m);
}

void suite_queue_bouncing(void)
{
	static const struct unit_case cases[] = { UNIT(a_worker_that_reads_slowly_does_not_stop_the_loop), UNIT_END };
	unit_suite("queue_bouncing", cases);
}
