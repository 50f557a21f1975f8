#include "deliver.h"

#include "work.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

#define AHEAD 2               /* requests on one channel */
#define IDLE_MS 60000         /* an agent that had no work for so long is let go */
#define ANSWER_EXTRA_MS 60000 /* beyond local_timeout, which is the agent's own */
#define AWAY_MS 500           /* pause after a connect that failed */

struct slot {
	struct qmgr *q;
	unsigned number;
	struct ev_io watch; /* fd -1: not connected */
	struct rcpt *sent[AHEAD];
	unsigned n_sent;
	uint64_t since_ms; /* of the oldest request, or of the last answer */
};

struct deliver {
	struct ev_timer again; /* the agent was away */
	bool away;
	unsigned n;
	struct slot slot[];
};

static const struct agent agents[] = {
	{ CLASS_LOCAL, "local-delivery.queue-mgr", "", "" },
	{ CLASS_REMOTE, NULL, "4.3.5", "relaying to other hosts is not available in this version" },
};

const struct agent *agent_of(uint8_t cls)
{
	for (size_t i = 0; i < COUNT(agents); i++)
		if (agents[i].cls == cls)
			return &agents[i];
	BUG_IF(true);
}

/* --- channels -------------------------------------------------------------------------------------------------------------- */

static void slot_lost(struct slot *s)
{
	ev_del(s->q->loop, &s->watch);
	fd_close(&s->watch.fd);
	unsigned n = s->n_sent;
	s->n_sent = 0;
	for (unsigned i = 0; i < n; i++)
		work_result(s->q, s->sent[i], NULL);
}

static bool take_answer(struct slot *s, struct err *e)
{
	struct qmgr *q = s->q;
	struct deliver_res res;
	bool ok = ipc_decode(&deliver_res_desc, buf_sv(&q->packet.bytes), q->packet.fds, q->packet.n_fds, &res, e);
	q->packet.n_fds = 0;
	if (!ok)
		return false;
	for (unsigned i = 0; i < s->n_sent; i++) {
		struct rcpt *r = s->sent[i];
		if (r->number != res.number || strcmp(r->msg->id.text, res.id) != 0)
			continue;
		memmove(&s->sent[i], &s->sent[i + 1], (s->n_sent - i - 1) * sizeof(s->sent[0]));
		s->n_sent--;
		s->since_ms = ev_now_ms(q->loop);
		work_result(q, r, &res);
		return true;
	}
	return err_set(e, ERR_PEER, "a result for a delivery that it was not given");
}

static void on_agent(struct ev_io *w, unsigned events, void *arg)
{
	struct slot *s = arg;
	struct qmgr *q = s->q;
	struct err e;
	(void)events;
	while (w->fd >= 0) {
		if (ipc_recv(w->fd, &q->packet, 0, &e) && take_answer(s, &e))
			continue;
		if (e.kind == ERR_TEMP)
			break;
		if (s->n_sent > 0 || e.sys != 0)
			LOG_WARN("agent-lost", KV_STR("agent", "local-delivery"), KV_U64("deliveries", s->n_sent), KV_ERR(&e));
		slot_lost(s);
	}
	work_dispatch(q);
}

static bool slot_connect(struct slot *s)
{
	struct qmgr *q = s->q;
	struct err e;
	int fd;
	if (!svc_connect(q->svc, agent_of(CLASS_LOCAL)->endpoint, 0, &fd, &e)) {
		if (!q->deliver->away)
			LOG_WARN("agent-away", KV_STR("agent", "local-delivery"), KV_ERR(&e));
		q->deliver->away = true;
		ev_timer_set(q->loop, &q->deliver->again, AWAY_MS);
		return false;
	}
	s->watch = (struct ev_io){ .fd = fd, .on = on_agent, .arg = s };
	if (!ev_add(q->loop, &s->watch, EV_READ, &e)) {
		LOG_ERROR("agent-failed", KV_ERR(&e));
		fd_close(&s->watch.fd);
		return false;
	}
	s->since_ms = ev_now_ms(q->loop);
	return true;
}

static void on_again(struct ev_timer *t, void *arg)
{
	struct qmgr *q = arg;
	(void)t;
	q->deliver->away = false;
	work_dispatch(q);
}

bool deliver_init(struct qmgr *q, struct err *e)
{
	/* More channels than agents: the last would wait for ever. */
	unsigned n = (unsigned)MIN(q->queue->local_slots, q->cfg->local.local_workers_max);
	(void)e;
	q->deliver = mem_new(sizeof(*q->deliver) + n * sizeof(struct slot));
	q->deliver->n = n;
	q->deliver->again = (struct ev_timer){ .on = on_again, .arg = q };
	for (unsigned i = 0; i < n; i++)
		q->deliver->slot[i] = (struct slot){ .q = q, .number = i, .watch = { .fd = -1 } };
	return true;
}

void deliver_free_all(struct qmgr *q)
{
	struct deliver *d = q->deliver;
	if (d == NULL)
		return;
	ev_timer_clear(q->loop, &d->again);
	for (unsigned i = 0; i < d->n; i++) {
		ev_del(q->loop, &d->slot[i].watch);
		fd_close(&d->slot[i].watch.fd);
	}
	free(d);
	q->deliver = NULL;
}

unsigned deliver_busy(const struct qmgr *q)
{
	unsigned n = 0;
	for (unsigned i = 0; i < q->deliver->n; i++)
		n += q->deliver->slot[i].n_sent > 0;
	return n;
}

void deliver_tick(struct qmgr *q)
{
	uint64_t now = ev_now_ms(q->loop);
	uint64_t answer_ms = q->cfg->local.local_timeout * 1000 + ANSWER_EXTRA_MS;
	for (unsigned i = 0; i < q->deliver->n; i++) {
		struct slot *s = &q->deliver->slot[i];
		if (s->watch.fd < 0)
			continue;
		if (s->n_sent > 0 && now - s->since_ms > answer_ms) {
			LOG_WARN("agent-lost", KV_STR("agent", "local-delivery"), KV_U64("deliveries", s->n_sent),
				KV_STR("reason", "no answer"));
			slot_lost(s);
		} else if (s->n_sent == 0 && now - s->since_ms > IDLE_MS)
			slot_lost(s);
	}
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

bool deliver_free(struct qmgr *q, unsigned *ret_slot)
{
	struct deliver *d = q->deliver;
	struct slot *closed = NULL;
	for (unsigned i = 0; i < d->n; i++) {
		struct slot *s = &d->slot[i];
		if (s->watch.fd >= 0 && s->n_sent == 0) {
			*ret_slot = i;
			return true;
		}
		if (s->watch.fd < 0 && closed == NULL)
			closed = s;
	}
	if (closed == NULL || d->away || sched_waiting(q->sched) == 0 || !slot_connect(closed))
		return false;
	*ret_slot = closed->number;
	return true;
}

bool deliver_ahead(struct qmgr *q, unsigned *ret_slot, struct pick *ret)
{
	struct deliver *d = q->deliver;
	for (unsigned i = 0; i < d->n && sched_waiting(q->sched) > 0; i++) {
		struct slot *s = &d->slot[i];
		if (s->watch.fd < 0 || s->n_sent == 0 || s->n_sent == AHEAD)
			continue;
		if (sched_next_of(q->sched, s->sent[0]->unit.dest, ret)) {
			*ret_slot = i;
			return true;
		}
	}
	return false;
}

/* A taken-over smtpd may have kept its descriptor: then the file could still change, and is copied, not moved (DESIGN D4, Locks). A
 * read lease is refused while a writer exists. EACCES: the file is its reader's by now, from an earlier try, which had asked. */
static bool no_writer_left(struct msg *m)
{
	if (m->lease_ok)
		return true;
	if (fcntl(m->fd, F_SETLEASE, F_RDLCK) == 0) {
		fcntl(m->fd, F_SETLEASE, F_UNLCK);
		m->lease_ok = true;
		return true;
	}
	return errno == EACCES;
}

/* Without a journal a power failure could take both names of a file that is being renamed. Who asks for `rename` gets it. */
static bool may_rename(const struct qmgr *q) { return !q->dir.no_journal || q->cfg->local.delivery == CFG_DELIVERY_RENAME; }

static void set_text(char *dst, size_t size, const char *text)
{
	size_t n = strlen(text);
	BUG_IF(n >= size);
	memcpy(dst, text, n + 1);
}

static void make_request(const struct qmgr *q, struct rcpt *r, struct deliver_req *req)
{
	struct msg *m = r->msg;
	const struct entry *en = index_at(q->index, m->slot);
	memcpy(req->id, m->id.text, sizeof(m->id.text));
	set_text(req->sender, sizeof(req->sender), m->sender);
	set_text(req->rcpt, sizeof(req->rcpt), r->addr);
	set_text(req->orig, sizeof(req->orig), r->orig);
	req->offset = m->offset;
	req->size = m->size;
	req->plain = m->plain && may_rename(q) && no_writer_left(m);
	req->in_cur = en->where == IN_CUR;
	index_name(q->index, m->slot, req->name);
	req->notify = r->notify;
	set_text(req->orcpt, sizeof(req->orcpt), r->orcpt);
	set_text(req->postern, sizeof(req->postern), m->postern);
	req->tries = MAX(en->tries, (en->flags & ENTRY_LOOK) != 0 ? 1u : 0u);
	req->file = m->fd;
}

void deliver_send(struct qmgr *q, unsigned slot, struct rcpt *r)
{
	struct slot *s = &q->deliver->slot[slot];
	struct deliver_req req = { .number = r->number };
	struct err e;
	make_request(q, r, &req);
	if (s->n_sent == 0)
		s->since_ms = ev_now_ms(q->loop);
	if (ipc_send(s->watch.fd, &deliver_req_desc, &req, 0, &e)) {
		r->state = RCPT_SENT;
		r->msg->sent++;
		s->sent[s->n_sent++] = r;
		return;
	}
	LOG_WARN("agent-lost", KV_STR("agent", "local-delivery"), KV_U64("deliveries", s->n_sent), KV_ERR(&e));
	sched_done(q->sched, r->unit.dest, SCHED_NEITHER);
	r->state = RCPT_WAITING;
	r->msg->waiting++;
	sched_put(q->sched, &r->unit, work_ring(r->msg, RING_RETRY));
	/* Not again in this turn: the agent may be gone for good. */
	q->deliver->away = true;
	ev_timer_set(q->loop, &q->deliver->again, AWAY_MS);
	slot_lost(s);
}
