/* A channel of queue-mgr: orders come in, one result goes out for each. */
#include "worker.h"

#include "agent.h"

#include "base/fd.h"
#include "base/log.h"
#include "service/late.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#define PEER_QUEUE_MGR 1u
#define PHASE_ANY 1u
#define HALF_KEPT_MS 200                /* the user half waits so long for another message */
#define FILE_SIZE_MAX ((rlim_t)5 << 30) /* the largest message (ipc/msg_queue.h) and our head */

struct channel {
	struct svc_ctx *ctx;
	struct agent *agent;
	int fd;
	bool lost;                   /* queue-mgr went away during a delivery */
	struct late_unheard unheard; /* what was forwarded: nobody can look for it */
};

/* --- set-up --- */
static bool connect_service(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	return svc_connect(arg, endpoint, wait_ms, ret_fd, e);
}

/* Homes are anywhere, and one Landlock rule on / is what keeps renames from the queue into them possible (DESIGN D6). */
bool worker_open(struct svc_ctx *ctx, struct err *e)
{
	struct agent *agent = mem_new(sizeof *agent);
	struct err not_yet;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	agent_init(agent, svc_cfg(ctx));
	agent->connect = connect_service;
	agent->arg = ctx;
	svc_set_data(ctx, agent);
	if (root < 0)
		return err_sys(e, ERR_PERM, "open /");
	svc_allow_dir(ctx, root, SB_DIR_READ | SB_DIR_WRITE);
	if (!queue_dirs_open(&agent->queue, &not_yet)) /* queue-mgr makes them at its first start; a delivery opens them then */
		LOG_DEBUG("queue-dir", KV_ERR(&not_yet));
	return true;
}

static bool limit(__rlimit_resource_t what, rlim_t value, struct err *e)
{
	struct rlimit r = { value, value };
	return setrlimit(what, &r) == 0 || err_sys(e, ERR_PERM, "set a resource limit");
}

/* The limits are meant for the user halves, which inherit them: root may fork whatever RLIMIT_NPROC says, the user then not. */
bool worker_init(struct svc_ctx *ctx, struct err *e)
{
	signal(SIGIO, SIG_IGN); /* mailbox/mbx.h: a lease broken */
	return limit(RLIMIT_FSIZE, FILE_SIZE_MAX, e) && (svc_unprivileged(ctx) || limit(RLIMIT_NPROC, 0, e));
}

/* --- the channel --- */
static const char late_endpoint[] = "queue-mgr.local-delivery";

static bool on_deliver(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	struct deliver_req *req = msg;
	struct deliver_res res;
	agent_deliver(ch->agent, req, &res);
	ch->lost = !ipc_send(ch->fd, &deliver_res_desc, &res, LATE_ANSWER_MS, e);
	if (ch->lost)
		late_report(ch->ctx, late_endpoint, &res, e);
	else if (res.forwarded)
		late_unheard_add(&ch->unheard, &res, &req->file);
	fd_close(&req->file);
	return !ch->lost;
}

static bool on_ack(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	(void)e;
	late_unheard_ack(&ch->unheard, msg);
	return true;
}

static const struct ipc_rule rules[] = {
	{ &deliver_req_desc, PEER_QUEUE_MGR, PHASE_ANY, 0, on_deliver },
	{ &deliver_ack_desc, PEER_QUEUE_MGR, PHASE_ANY, 0, on_ack },
	{ NULL },
};

/* False: the service ends. Between two orders nothing is lost. */
static bool wait_order(struct agent *agent, int fd, int wake_fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };
	for (int n; (n = poll(p, 2, user_halves_end(&agent->halves, HALF_KEPT_MS) > 0 ? HALF_KEPT_MS : -1)) <= 0;)
		if (n < 0 && errno != EINTR)
			return false;
	return p[1].revents == 0;
}

void worker_serve(struct svc_ctx *ctx, struct svc_client *client)
{
	struct channel ch = { .ctx = ctx, .agent = svc_data(ctx), .fd = client->fd };
	struct ipc_packet packet = IPC_PACKET_INIT;
	struct ipc_seen seen = { { 0 } };
	struct err e = { .kind = ERR_NONE };
	bool gone = false;
	late_unheard_init(&ch.unheard);
	while (wait_order(ch.agent, client->fd, svc_wake_fd(ctx))) {
		bool got = ipc_recv(client->fd, &packet, LATE_ANSWER_MS, &e);
		if (got && ipc_dispatch(rules, &seen, PEER_QUEUE_MGR, PHASE_ANY, &packet, &ch, &e))
			continue;
		gone = true;
		if (!ch.lost && (got || e.kind != ERR_PEER)) /* not just the end of the channel */
			LOG_WARN("bad-request", KV_ERR(&e));
		break;
	}
	late_unheard_end(&ch.unheard, ctx, late_endpoint, gone);
	user_halves_end(&ch.agent->halves, 0);
	ipc_packet_free(&packet);
}
