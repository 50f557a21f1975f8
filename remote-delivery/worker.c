/* A channel of queue-mgr: requests come in, those that go together become one order, a result goes out for each. */
#include "worker.h"

#include "agent.h"

#include "base/fd.h"
#include "base/log.h"
#include "mail/relay.h"
#include "service/late.h"

#include <errno.h>
#include <poll.h>

#define MORE_WAIT_MS 1000 /* for a recipient that was announced: queue-mgr's socket may have been full */

struct channel {
	struct svc_ctx *ctx;
	struct agent *agent;
	struct order order;
	int fd;
	bool lost, gone; /* queue-mgr went away: an answer could not be sent; the channel is at its end */
	struct late_unheard unheard;
};

static const char late_endpoint[] = "queue-mgr.remote-delivery";

/* --- set-up --- */
static bool start_resolver(struct agent *a, struct err *e)
{
	const struct cfg_remote *r = &a->cfg->remote;
	const struct dns_options o = {
		.servers = r->dns_servers.item, .n_servers = r->dns_servers.n, .anchor_file = r->dns_trust_anchor_file
	};
	a->loop = ev_new(e);
	a->dns = a->loop ? dns_new(&o, a->loop, e) : NULL;
	return a->dns != NULL;
}

bool worker_open(struct svc_ctx *ctx, struct err *e)
{
	struct agent *a = mem_new(sizeof *a);
	a->cfg = svc_cfg(ctx);
	a->wake = -1;
	a->peer.c.fd = -1;
	self_init(&a->self, a->cfg);
	a->tls = tls_client_new(a->cfg->tls.tls_ca_file, TLS_INTERMEDIATE, e);
	a->passwords = a->tls ? passwords_load(a->cfg, e) : NULL;
	svc_set_data(ctx, a);
	return a->passwords != NULL;
}

/* libunbound's sockets are a worker's own. It reads its files here, while they can be read. */
bool worker_init(struct svc_ctx *ctx, struct err *e)
{
	struct agent *a = svc_data(ctx);
	a->wake = svc_wake_fd(ctx);
	a->policies = policy_open(ctx);
	return start_resolver(a, e);
}

/* --- orders --- */
static void answer(struct channel *ch)
{
	struct order *o = &ch->order;
	struct err e = { .kind = ERR_NONE };
	for (size_t i = 0; i < o->n; i++) {
		BUG_IF(!o->item[i].settled);
		if (!ch->lost && !ipc_send(ch->fd, &deliver_res_desc, &o->item[i].res, LATE_ANSWER_MS, &e))
			ch->lost = true;
		if (ch->lost)
			late_report(ch->ctx, late_endpoint, &o->item[i].res, &e);
	}
}

static bool on_ack(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	(void)e;
	late_unheard_ack(&ch->unheard, msg);
	return true;
}

/* The descriptors are queue-mgr's lock: kept until it has heard the results. */
static bool carry_out(struct channel *ch)
{
	struct order *o = &ch->order;
	if (o->n == 0)
		return true;
	if (order_open(o))
		deliver(ch->agent, o);
	if (!ch->agent->aborted)
		answer(ch);
	for (size_t i = 0; i < o->n; i++) {
		if (!ch->lost && !ch->agent->aborted)
			late_unheard_add(&ch->unheard, &o->item[i].res, &o->item[i].req.file);
		fd_close(&o->item[i].req.file);
	}
	o->n = 0;
	return !ch->lost && !ch->agent->aborted;
}

/* The [relay] section that names its next hop; NULL: none does. */
static const struct cfg_relay *relay_of(const struct cfg *cfg, const struct item *it)
{
	struct maddr author;
	bool known = !it->req.stranger && maddr_parse(sv_of(it->req.author), MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &author, NULL);
	const struct cfg_relay *relay = relay_find(cfg, known ? &author : NULL, it->addr.domain);
	return relay && relay->host[0] != '\0' ? relay : NULL;
}

static bool same_hop(const struct cfg *cfg, const struct item *a, const struct item *b)
{
	const struct cfg_relay *relay = relay_of(cfg, a);
	return strcmp(a->addr.domain, b->addr.domain) == 0 || (relay && relay == relay_of(cfg, b));
}

static bool goes_with(const struct cfg *cfg, const struct order *o, const struct item *it)
{
	const struct item *first = &o->item[0];
	return strcmp(first->req.id, it->req.id) == 0 && strcmp(first->req.sender, it->req.sender) == 0 && same_hop(cfg, first, it);
}

static bool on_deliver(void *arg, void *msg, struct err *e)
{
	struct channel *ch = arg;
	struct order *o = &ch->order;
	struct item *it = &o->item[o->n];
	(void)e;
	it->req = *(struct deliver_req *)msg;
	bool good = item_check(it);
	if (o->n > 0 && (!good || !goes_with(ch->agent->cfg, o, it))) { /* two destinations with one hash, or a sender of its own */
		struct item alone = *it;
		if (!carry_out(ch)) {
			fd_close(&alone.req.file);
			return false;
		}
		o->item[0] = alone;
		it = &o->item[0];
	}
	o->n++;
	return (it->req.more && o->n < ITEMS_MAX && good) || carry_out(ch);
}

static const struct ipc_rule rules[] = {
	{ &deliver_req_desc, 1, 1, 0, on_deliver },
	{ &deliver_ack_desc, 1, 1, 0, on_ack },
	{ NULL },
};

/* --- waiting --- */
enum next { NEXT_REQUEST, NEXT_END, NEXT_IDLE };

/* The connection that is kept is watched too: one that the host closes is closed here at once. */
static enum next wait_request(struct channel *ch)
{
	struct agent *a = ch->agent;
	struct pollfd p[3] = { { .fd = ch->fd, .events = POLLIN }, { .fd = a->wake, .events = POLLIN },
		{ .fd = a->peer.open ? a->peer.c.fd : -1, .events = POLLIN } };
	uint64_t now = clock_mono_ms(), end = agent_idle_end(a);
	int wait = end > now ? (int)(end - now) : end > 0 ? 0 : -1;
	if (ch->order.n > 0)
		wait = MORE_WAIT_MS;
	int n = poll(p, 3, wait);
	if (n < 0)
		return errno == EINTR ? NEXT_IDLE : NEXT_END;
	if (p[1].revents)
		return NEXT_END;
	if (p[0].revents)
		return NEXT_REQUEST;
	if (ch->order.n == 0)
		peer_close(&a->peer);
	return NEXT_IDLE;
}

static void serve(struct channel *ch)
{
	struct ipc_packet packet = IPC_PACKET_INIT;
	struct ipc_seen seen = { { 0 } };
	struct err e = { .kind = ERR_NONE };
	for (;;) {
		enum next next = wait_request(ch);
		if (next == NEXT_END)
			break;
		if (next == NEXT_IDLE) {
			if (!carry_out(ch))
				break;
			continue;
		}
		bool got = ipc_recv(ch->fd, &packet, LATE_ANSWER_MS, &e);
		if (got && ipc_dispatch(rules, &seen, 1, 1, &packet, ch, &e))
			continue;
		ch->gone = true;
		if (!ch->lost && !ch->agent->aborted && (got || e.kind != ERR_PEER)) /* not just the end of the channel */
			LOG_WARN("bad-request", KV_ERR(&e));
		break;
	}
	ipc_packet_free(&packet);
}

void worker_serve(struct svc_ctx *ctx, struct svc_client *client)
{
	struct channel ch = { .ctx = ctx, .agent = svc_data(ctx), .fd = client->fd };
	ch.order.item = mem_new(ITEMS_MAX * sizeof *ch.order.item);
	late_unheard_init(&ch.unheard);
	serve(&ch);
	late_unheard_end(&ch.unheard, ctx, late_endpoint, ch.gone || ch.lost);
	for (size_t i = 0; i < ch.order.n; i++)
		fd_close(&ch.order.item[i].req.file);
	free(ch.order.item);
	peer_close(&ch.agent->peer);
}
