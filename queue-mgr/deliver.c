#include "deliver.h"

#include "dest.h"
#include "late.h"
#include "sender.h"
#include "work.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

#define AHEAD 2               /* deliveries on one channel */
#define GROUP_MAX 50          /* recipients of one delivery (RFC 5321 4.5.3.1.8: at least 100 must be taken) */
#define KNOWN 8               /* mailboxes that an agent of local-delivery keeps a process for (USER_HALVES there) */
#define IDLE_MS 60000         /* an agent that had no work for so long is let go */
#define ANSWER_EXTRA_MS 60000 /* beyond the agent's own timeout */
#define RESERVE_PARTS 8
#define AWAY_MS 500 /* pause after a connect that failed */

struct slot {
	struct qmgr *q;
	unsigned number;
	enum lane lane;
	struct ev_io watch; /* fd -1: not connected */
	struct rcpt *sent[AHEAD * GROUP_MAX];
	unsigned n_sent, n_leads;
	uint32_t dest[KNOWN]; /* of the last deliveries, the latest first */
	uint64_t since_ms;    /* of the oldest request, or of the last answer */
};

struct deliver {
	struct away {
		struct qmgr *q;
		struct ev_timer again;
		bool is;
	} away[LANE_COUNT];
	unsigned n;
	struct slot slot[];
};

static const struct agent {
	const char *name, *endpoint;
} agents[LANE_COUNT] = {
	[LANE_LOCAL] = { "local-delivery", "local-delivery.queue-mgr" },
	[LANE_REMOTE] = { "remote-delivery", "remote-delivery.queue-mgr" },
};

const char *agent_name(enum lane lane) { return agents[lane].name; }

static struct away *away_of(const struct slot *s) { return &s->q->deliver->away[s->lane]; }

static void set_away(struct slot *s)
{
	struct away *a = away_of(s);
	a->is = true;
	ev_timer_set(s->q->loop, &a->again, AWAY_MS);
}

/* --- channels -------------------------------------------------------------------------------------------------------------- */

static void slot_lost(struct slot *s)
{
	ev_del(s->q->loop, &s->watch);
	fd_close(&s->watch.fd);
	unsigned n = s->n_sent;
	s->n_sent = s->n_leads = 0;
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
		s->n_leads -= r->lead;
		s->since_ms = ev_now_ms(q->loop);
		bool told = s->lane == LANE_REMOTE || res.forwarded; /* local-delivery finds its own copies */
		r->owes = told ? (uint16_t)(s->number + 1) : 0;
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
		if (ipc_recv(w->fd, &q->packet, 0, &e) && take_answer(s, &e)) {
			if (s->n_sent == 0)
				break; /* nothing more can be there */
			continue;
		}
		if (e.kind == ERR_TEMP)
			break;
		if (s->n_sent > 0 || e.sys != 0)
			LOG_WARN("agent-lost", KV_STR("agent", agent_name(s->lane)), KV_U64("deliveries", s->n_sent), KV_ERR(&e));
		slot_lost(s);
	}
	work_dispatch(q);
}

static bool slot_connect(struct slot *s)
{
	struct qmgr *q = s->q;
	struct err e;
	int fd;
	if (!svc_connect(q->svc, agents[s->lane].endpoint, 0, &fd, &e)) {
		if (!away_of(s)->is)
			LOG_WARN("agent-away", KV_STR("agent", agent_name(s->lane)), KV_ERR(&e));
		set_away(s);
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
	struct away *a = arg;
	(void)t;
	a->is = false;
	work_dispatch(a->q);
}

bool deliver_init(struct qmgr *q, struct err *e)
{
	/* More channels than agents: the last would wait for ever. */
	unsigned n_local = (unsigned)MIN(q->queue->local_slots, q->cfg->local.local_workers_max);
	unsigned n = n_local + (unsigned)q->cfg->remote.remote_workers_max;
	(void)e;
	q->deliver = mem_new(sizeof(*q->deliver) + n * sizeof(struct slot));
	q->deliver->n = n;
	for (size_t i = 0; i < LANE_COUNT; i++) {
		struct away *a = &q->deliver->away[i];
		*a = (struct away){ .q = q, .again = { .on = on_again, .arg = a } };
	}
	for (unsigned i = 0; i < n; i++)
		q->deliver->slot[i] =
			(struct slot){ .q = q, .number = i, .lane = i < n_local ? LANE_LOCAL : LANE_REMOTE, .watch = { .fd = -1 } };
	return true;
}

void deliver_free_all(struct qmgr *q)
{
	struct deliver *d = q->deliver;
	if (d == NULL)
		return;
	for (size_t i = 0; i < LANE_COUNT; i++)
		ev_timer_clear(q->loop, &d->away[i].again);
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
	const uint64_t own_secs[LANE_COUNT] = { q->cfg->local.local_timeout, q->cfg->remote.remote_timeout };
	for (unsigned i = 0; i < q->deliver->n; i++) {
		struct slot *s = &q->deliver->slot[i];
		if (s->watch.fd < 0)
			continue;
		if (s->n_sent > 0 && now - s->since_ms > own_secs[s->lane] * 1000 + ANSWER_EXTRA_MS) {
			LOG_WARN("agent-lost", KV_STR("agent", agent_name(s->lane)), KV_U64("deliveries", s->n_sent),
				KV_STR("reason", "no answer"));
			slot_lost(s);
		} else if (s->n_sent == 0 && now - s->since_ms > IDLE_MS)
			slot_lost(s);
	}
}

static void ack(struct slot *s, const struct msg *m)
{
	struct deliver_ack a;
	memcpy(a.id, m->id.text, sizeof(m->id.text));
	if (s->watch.fd >= 0)
		(void)!ipc_send(s->watch.fd, &deliver_ack_desc, &a, 0, NULL); /* else it tells our successor what he knows */
}

void deliver_ack(struct qmgr *q, struct msg *m)
{
	unsigned last = 0;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->owes == 0 || r->dirty)
			continue;
		if (r->owes != last && r->owes <= q->deliver->n)
			ack(&q->deliver->slot[r->owes - 1], m);
		last = r->owes;
		r->owes = 0;
	}
	late_ack(q, m);
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

bool deliver_free(struct qmgr *q, enum lane lane, unsigned *ret_slot)
{
	struct deliver *d = q->deliver;
	struct slot *closed = NULL;
	for (unsigned i = 0; i < d->n; i++) {
		struct slot *s = &d->slot[i];
		if (s->lane != lane)
			continue;
		if (s->watch.fd >= 0 && s->n_sent == 0) {
			*ret_slot = i;
			return true;
		}
		if (s->watch.fd < 0 && closed == NULL)
			closed = s;
	}
	if (closed == NULL || d->away[lane].is || !sched_ready(q->sched, lane) || !slot_connect(closed))
		return false;
	*ret_slot = closed->number;
	return true;
}

/* Slots of hosts that hang are held for minutes: one in eight is never a bulk job's for longer than a delivery. The remote slots
 * are the last ones. */
static unsigned reserved(const struct qmgr *q)
{
	unsigned all = (unsigned)q->cfg->remote.remote_workers_max;
	return all > 1 ? MAX(all / RESERVE_PARTS, 1u) : 0;
}

bool deliver_scarce(const struct qmgr *q, enum lane lane)
{
	const struct deliver *d = q->deliver;
	unsigned idle = 0;
	for (unsigned i = 0; i < d->n; i++)
		idle += d->slot[i].lane == lane && d->slot[i].n_sent == 0;
	return lane == LANE_REMOTE && idle <= reserved(q);
}

/* Its agent is still connected there, or has a process of that user. */
static bool knows(const struct slot *s, uint32_t dest)
{
	size_t n = s->lane == LANE_LOCAL ? COUNT(s->dest) : 1;
	for (size_t i = 0; i < n; i++)
		if (s->dest[i] == dest)
			return true;
	return false;
}

static void to_front(struct slot *s, uint32_t dest)
{
	size_t i = 0;
	while (i < COUNT(s->dest) - 1 && s->dest[i] != dest)
		i++;
	memmove(&s->dest[1], &s->dest[0], i * sizeof(s->dest[0]));
	s->dest[0] = dest;
}

unsigned deliver_best(const struct qmgr *q, unsigned slot, uint32_t dest)
{
	const struct deliver *d = q->deliver;
	for (unsigned i = 0; i < d->n; i++)
		if (d->slot[i].watch.fd >= 0 && d->slot[i].n_sent == 0 && knows(&d->slot[i], dest))
			return i;
	return slot;
}

bool deliver_ahead(struct qmgr *q, enum lane lane, unsigned *ret_slot, struct pick *ret)
{
	struct deliver *d = q->deliver;
	for (unsigned i = 0; i < d->n && sched_ready(q->sched, lane); i++) {
		struct slot *s = &d->slot[i];
		if (s->lane != lane || s->watch.fd < 0 || s->n_sent == 0 || s->n_leads == AHEAD ||
			(lane == LANE_REMOTE && i + reserved(q) >= d->n) || s->n_sent > (AHEAD - 1) * GROUP_MAX)
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
	sender_of(q, r, req->sender);
	set_text(req->author, sizeof(req->author), m->sender);
	set_text(req->rcpt, sizeof(req->rcpt), r->addr);
	set_text(req->orig, sizeof(req->orig), r->orig);
	req->offset = m->offset;
	req->size = m->size;
	req->plain = m->plain && may_rename(q) && no_writer_left(m);
	req->in_cur = en->where == IN_CUR;
	index_name(q->index, m->slot, req->name);
	req->notify = r->notify;
	req->stranger = m->trust == SPOOL_STRANGER || m->trust == SPOOL_PASSED;
	set_text(req->orcpt, sizeof(req->orcpt), r->orcpt);
	set_text(req->postern, sizeof(req->postern), m->postern);
	req->tries = MAX(en->tries, (en->flags & ENTRY_LOOK) != 0 ? 1u : 0u);
	req->file = m->fd;
}

/* The lead and what goes with it: those of the same message that wait for the same destination. */
static unsigned gather(struct qmgr *q, struct rcpt *lead, struct rcpt *ret[GROUP_MAX])
{
	struct msg *m = lead->msg;
	unsigned n = 0;
	ret[n++] = lead;
	lead->lead = true;
	for (size_t i = 0; i < m->n_rcpt && n < GROUP_MAX && m->waiting > 0 && lead->cls == CLASS_REMOTE; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->state != RCPT_WAITING || r == lead || r->unit.dest != lead->unit.dest)
			continue;
		sched_withdraw(q->sched, &r->unit);
		m->waiting--;
		r->lead = false;
		ret[n++] = r;
	}
	return n;
}

static bool send_one(struct slot *s, struct rcpt *r, bool more, struct err *e)
{
	struct deliver_req req = { .number = r->number, .more = more };
	make_request(s->q, r, &req);
	if (!ipc_send(s->watch.fd, &deliver_req_desc, &req, 0, e))
		return false;
	r->state = RCPT_SENT;
	r->msg->sent++;
	s->sent[s->n_sent++] = r;
	s->n_leads += r->lead;
	return true;
}

/* They wait again. */
static void take_back(struct qmgr *q, struct rcpt **r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (r[i]->lead)
			sched_done(q->sched, r[i]->unit.dest, SCHED_NEITHER);
		r[i]->state = RCPT_WAITING;
		r[i]->msg->waiting++;
		sched_put(q->sched, &r[i]->unit, work_ring(r[i]->msg, RING_RETRY));
	}
}

void deliver_send(struct qmgr *q, unsigned slot, struct rcpt *lead)
{
	struct slot *s = &q->deliver->slot[slot];
	struct rcpt *group[GROUP_MAX];
	struct err e;
	unsigned n = gather(q, lead, group), done = 0;
	if (s->n_sent == 0)
		s->since_ms = ev_now_ms(q->loop);
	to_front(s, lead->unit.dest);
	dests_sent(q, lead);
	while (done < n && send_one(s, group[done], done + 1 < n, &e))
		done++;
	if (done == n)
		return;
	take_back(q, group + done, n - done);
	if (done > 0 && e.kind == ERR_TEMP) /* the socket is full: the agent waits a second for the next, and goes without */
		return;
	LOG_WARN("agent-lost", KV_STR("agent", agent_name(s->lane)), KV_U64("deliveries", s->n_sent), KV_ERR(&e));
	/* Not again in this turn: the agent may be gone for good. */
	set_away(s);
	slot_lost(s);
}
