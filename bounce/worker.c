/* A channel of queue-mgr: bounce_req, its recipients, one answer; then the next. */
#include "worker.h"

#include "submit.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>

#define PEER_QUEUE_MGR 1u
#define PHASE_IDLE 1u
#define PHASE_RCPTS 2u
#define CONNECT_WAIT_MS 10000
#define ANSWER_WAIT_MS 10000
#define NEXT_WAIT_MS 60000 /* for the next recipient within a report */

struct channel {
	struct svc_ctx *ctx;
	int fd, file;
	unsigned phase;
	struct report report;
	struct original original;
	struct err wrong; /* kind set: the report cannot be made; told when the last recipient came */
};

static void end_report(struct channel *ch)
{
	if (ch->phase == PHASE_RCPTS)
		report_free(&ch->report);
	fd_close(&ch->file);
	ch->phase = PHASE_IDLE;
}

/* What must be known of the message before its recipients come: in which language its sender is told. */
static bool begin(struct channel *ch, const struct bounce_req *req)
{
	const struct cfg *cfg = svc_cfg(ch->ctx);
	const struct language *language = language_named(cfg->bounce.bounce_language);
	uint64_t max = original_max(req, cfg->bounce.bounce_full_max, cfg->global.message_max_size);
	if (!original_look(req->file, req->offset, req->size, max, &ch->original, &ch->wrong))
		return false;
	return report_init(&ch->report, req, cfg->global.hostname, language ? language : ch->original.language, &ch->wrong);
}

static bool on_req(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	const struct bounce_req *req = msg;
	err_clear(&ch->wrong);
	ch->file = req->file;
	if (req->offset > req->size)
		return err_set(e, ERR_PEER, "bounce_req: the message ends before it begins");
	if (!begin(ch, req))
		ch->report = (struct report){ .req = *req }; /* keeps its place until all recipients came */
	ch->phase = PHASE_RCPTS;
	return true;
}

static void submit(struct channel *ch, struct bounce_res *res)
{
	struct err e = ch->wrong;
	int fd = -1;
	bool ok = e.kind == ERR_NONE && svc_connect(ch->ctx, "smtpd.bounce", CONNECT_WAIT_MS, &fd, &e);
	if (ok)
		submit_report(fd, &ch->report, &ch->original, res);
	else {
		res->refused = e.kind == ERR_PERM || e.kind == ERR_LIMIT;
		snprintf(res->text, sizeof res->text, "%s", e.text);
	}
}

static bool on_rcpt(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	const struct bounce_rcpt *rcpt = msg;
	struct bounce_res res = { .ok = 0 };
	if (ch->wrong.kind == ERR_NONE && !report_add(&ch->report, rcpt, &ch->wrong))
		LOG_WARN("report-too-long", KV_QID(ch->report.req.id), KV_ERR(&ch->wrong));
	if (!rcpt->last)
		return true;
	submit(ch, &res);
	if (!res.ok)
		LOG_WARN("not-submitted", KV_QID(ch->report.req.id), KV_U64("refused", res.refused), KV_STR("reason", res.text));
	end_report(ch);
	return ipc_send(ch->fd, &bounce_res_desc, &res, ANSWER_WAIT_MS, e);
}

static const struct ipc_rule rules[] = {
	{ &bounce_req_desc, PEER_QUEUE_MGR, PHASE_IDLE, 0, on_req },
	{ &bounce_rcpt_desc, PEER_QUEUE_MGR, PHASE_RCPTS, 0, on_rcpt },
	{ NULL },
};

/* False: the service ends, and nothing is in hand. A report that has begun is finished. */
static bool wait_message(const struct channel *ch)
{
	struct pollfd p[2] = { { .fd = ch->fd, .events = POLLIN }, { .fd = svc_wake_fd(ch->ctx), .events = POLLIN } };
	if (ch->phase == PHASE_RCPTS)
		return true;
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return p[1].revents == 0;
}

void bounce_serve(struct svc_ctx *ctx, struct svc_client *client)
{
	struct channel ch = { .ctx = ctx, .fd = client->fd, .file = -1, .phase = PHASE_IDLE };
	struct ipc_packet packet = IPC_PACKET_INIT;
	struct ipc_seen seen = { { 0 } };
	struct err e = { .kind = ERR_NONE };
	while (wait_message(&ch)) {
		bool got = ipc_recv(client->fd, &packet, NEXT_WAIT_MS, &e);
		if (got && ipc_dispatch(rules, &seen, PEER_QUEUE_MGR, ch.phase, &packet, &ch, &e))
			continue;
		if (got || e.kind != ERR_PEER) /* not just the end of the channel */
			LOG_WARN("bad-request", KV_ERR(&e));
		break;
	}
	end_report(&ch);
	ipc_packet_free(&packet);
}
