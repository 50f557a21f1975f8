#include "bouncing.h"

#include "finish.h"
#include "retry.h"
#include "sender.h"
#include "work.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>

#define SLOTS_MAX 4
#define ANSWER_MS 300000 /* writing and submitting one report */
#define IDLE_MS 30000
#define AWAY_MS 1000
#define QUEUE_MAX 500     /* messages that wait open for their report; the others are tried again later */
#define REPORT_RCPTS 1000 /* named in one report; of the others the next one tells */

struct slot {
	struct qmgr *q;
	struct ev_io watch;
	struct msg *m;
	bool sending; /* its request, whose packets go as fast as the worker reads them */
	bool begun;   /* its first packet went */
	size_t next;  /* recipient to be sent */
	uint64_t since_ms;
};

struct bouncing {
	struct slot slot[SLOTS_MAX];
	unsigned n;
	struct msg *first, *last;
	size_t waiting;
	bool away;
	struct ev_timer again;
};

static void send_waiting(struct qmgr *q);
static void send_more(struct slot *s);

static void done(struct slot *s, enum reported how, const char *text)
{
	struct msg *m = s->m;
	s->m = NULL;
	s->since_ms = ev_now_ms(s->q->loop);
	m->asked = false;
	finish_reported(s->q, m, how, text);
}

static void slot_close(struct slot *s, const char *text)
{
	ev_del(s->q->loop, &s->watch);
	fd_close(&s->watch.fd);
	if (s->m != NULL)
		done(s, REPORT_LATER, text);
}

static void take_answer(struct slot *s)
{
	struct bounce_res res;
	struct err e;
	if (!ipc_recv_msg(s->watch.fd, &bounce_res_desc, &res, 0, &e)) {
		if (e.kind != ERR_TEMP)
			slot_close(s, e.text);
	} else if (s->m == NULL || s->sending)
		slot_close(s, s->m == NULL ? "an answer to nothing" : "an answer before the request was whole");
	else
		done(s, res.ok ? REPORTED : res.refused ? REPORT_REFUSED : REPORT_LATER, res.text);
}

static void on_bounce(struct ev_io *w, unsigned events, void *arg)
{
	struct slot *s = arg;
	struct qmgr *q = s->q;
	if (s->m != NULL && s->sending && (events & EV_WRITE) != 0)
		send_more(s);
	if (w->fd >= 0)
		take_answer(s);
	send_waiting(q);
	work_dispatch(q);
}

/* --- requests -------------------------------------------------------------------------------------------------------------- */

static bool concerns(const struct msg *m, const struct rcpt *r)
{
	switch ((enum bounce_kind)m->report) {
	case BOUNCE_FAILED:
	case BOUNCE_DOUBLE:
	case BOUNCE_HELD:
		return r->state == RCPT_FAILED;
	case BOUNCE_DELAYED:
		return r->state == RCPT_DEFERRED && rcpt_wants_delay(r);
	case BOUNCE_SUCCESS:
		break;
	}
	return r->named; /* one delivered since then is told of by the next */
}

static enum bounce_action action_of(const struct rcpt *r)
{
	switch (r->status) {
	case SPOOL_OWED_DELIVERED:
		return BOUNCE_ACTION_DELIVERED;
	case SPOOL_OWED_RELAYED:
		return BOUNCE_ACTION_RELAYED;
	case SPOOL_OWED_EXPANDED:
		return BOUNCE_ACTION_EXPANDED;
	}
	return r->state == RCPT_DEFERRED ? BOUNCE_ACTION_DELAYED : BOUNCE_ACTION_FAILED;
}

static void set_text(char *dst, size_t size, const char *text)
{
	if (text != NULL)
		snprintf(dst, size, "%s", text);
}

/* With XVERP the address that gets the report says whom it is about. A warning changes nothing: one is enough for all. */
static bool is_for_one(const struct msg *m)
{
	return m->asks.verp[0] != '\0' && (m->report == BOUNCE_FAILED || m->report == BOUNCE_SUCCESS);
}

/* The recipients that one report names are the first ones: those before *ret_end. */
static size_t choose_rcpts(const struct msg *m, size_t end, size_t *ret_end)
{
	size_t n = 0, i = 0, max = is_for_one(m) ? 1 : REPORT_RCPTS;
	for (; i < end && n < max; i++)
		n += concerns(m, &m->rcpt[i]);
	*ret_end = i;
	return n;
}

/* From `i` on; the end of what the report names: none. */
static size_t next_rcpt(const struct msg *m, size_t i)
{
	while (i < m->report_end && !concerns(m, &m->rcpt[i]))
		i++;
	return i;
}

static bool send_rcpt(int fd, const struct rcpt *r, bool last, struct err *e)
{
	struct bounce_rcpt b = { .last = last };
	set_text(b.rcpt, sizeof(b.rcpt), r->addr);
	set_text(b.orig, sizeof(b.orig), r->orig);
	set_text(b.orcpt, sizeof(b.orcpt), r->orcpt);
	b.action = action_of(r);
	b.tried = r->tried;
	set_text(b.dsn, sizeof(b.dsn), r->dsn);
	set_text(b.text, sizeof(b.text), r->text);
	set_text(b.where, sizeof(b.where), r->where);
	return ipc_send(fd, &bounce_rcpt_desc, &b, 0, e);
}

static bool send_head(struct qmgr *q, int fd, const struct msg *m, struct err *e)
{
	struct bounce_req req = { .kind = m->report, .offset = m->offset, .size = m->size, .arrived = m->arrived, .file = m->fd };
	memcpy(req.id, m->id.text, sizeof(m->id.text));
	if (m->report == BOUNCE_DOUBLE || m->report == BOUNCE_HELD)
		snprintf(req.sender, sizeof(req.sender), "postmaster@%s", q->cfg->global.origin);
	else if (is_for_one(m) && next_rcpt(m, 0) < m->report_end)
		sender_of_report(&m->rcpt[next_rcpt(m, 0)], req.sender);
	else
		set_text(req.sender, sizeof(req.sender), m->sender);
	set_text(req.envid, sizeof(req.envid), m->asks.envid);
	req.ret = m->asks.ret;
	req.smtputf8 = m->asks.smtputf8;
	req.requiretls = m->asks.requiretls;
	req.expires = finish_expires(q, m);
	return ipc_send(fd, &bounce_req_desc, &req, 0, e);
}

/* All that is left of the request, or ERR_TEMP with EAGAIN: as much as the worker has room for. */
static bool send_some(struct slot *s, struct err *e)
{
	const struct msg *m = s->m;
	if (!s->begun && !send_head(s->q, s->watch.fd, m, e))
		return false;
	s->begun = true;
	for (size_t i = next_rcpt(m, s->next); i < m->report_end; i = s->next) {
		size_t after = next_rcpt(m, i + 1);
		if (!send_rcpt(s->watch.fd, &m->rcpt[i], after == m->report_end, e))
			return false;
		s->next = after;
		s->sending = after < m->report_end;
	}
	/* An agent that was given up has delivered the last ones meanwhile (late.c): the worker waits for them in vain. */
	return !s->sending || err_set(e, ERR_LIMIT, "the recipients of the report have changed");
}

static void send_more(struct slot *s)
{
	struct err e;
	if (send_some(s, &e))
		ev_want(s->q->loop, &s->watch, EV_READ);
	else if (e.kind == ERR_TEMP && e.sys == EAGAIN)
		ev_want(s->q->loop, &s->watch, EV_READ | EV_WRITE);
	else
		slot_close(s, e.text);
}

static struct slot *free_slot(struct qmgr *q)
{
	struct bouncing *b = q->bouncing;
	struct slot *closed = NULL;
	struct err e;
	int fd;
	for (unsigned i = 0; i < b->n; i++) {
		if (b->slot[i].watch.fd >= 0 && b->slot[i].m == NULL)
			return &b->slot[i];
		if (b->slot[i].watch.fd < 0)
			closed = &b->slot[i];
	}
	if (closed == NULL || b->away)
		return NULL;
	if (svc_connect(q->svc, "bounce.queue-mgr", 0, &fd, &e)) {
		closed->watch = (struct ev_io){ .fd = fd, .on = on_bounce, .arg = closed };
		if (ev_add(q->loop, &closed->watch, EV_READ, &e))
			return closed;
		fd_close(&closed->watch.fd);
	}
	LOG_WARN("agent-away", KV_STR("agent", "bounce"), KV_ERR(&e));
	b->away = true;
	ev_timer_set(q->loop, &b->again, AWAY_MS);
	return NULL;
}

static void send_waiting(struct qmgr *q)
{
	struct bouncing *b = q->bouncing;
	struct slot *s;
	while (b->first != NULL && !q->draining && (s = free_slot(q)) != NULL) {
		struct msg *m = b->first;
		b->first = m->next;
		if (b->first == NULL)
			b->last = NULL;
		b->waiting--;
		s->m = m;
		s->sending = true;
		s->begun = false;
		s->next = 0;
		s->since_ms = ev_now_ms(q->loop);
		send_more(s);
	}
}

void bouncing_ask(struct qmgr *q, struct msg *m, enum bounce_kind kind)
{
	struct bouncing *b = q->bouncing;
	m->report = (uint8_t)kind;
	for (size_t i = 0; i < m->n_rcpt; i++)
		m->rcpt[i].named = kind == BOUNCE_SUCCESS && rcpt_owed(&m->rcpt[i]);
	(void)choose_rcpts(m, m->n_rcpt, &m->report_end);
	if (b->waiting >= QUEUE_MAX) {
		finish_reported(q, m, REPORT_LATER, "too many reports are waiting");
		return;
	}
	m->asked = true;
	m->next = NULL;
	if (b->last != NULL)
		b->last->next = m;
	else
		b->first = m;
	b->last = m;
	b->waiting++;
	send_waiting(q);
}

static void on_again(struct ev_timer *t, void *arg)
{
	struct qmgr *q = arg;
	(void)t;
	q->bouncing->away = false;
	send_waiting(q);
}

bool bouncing_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->bouncing = mem_new(sizeof(*q->bouncing));
	q->bouncing->n = (unsigned)MIN(q->cfg->bounce.bounce_workers_max, (uint64_t)SLOTS_MAX);
	q->bouncing->again = (struct ev_timer){ .on = on_again, .arg = q };
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		q->bouncing->slot[i] = (struct slot){ .q = q, .watch = { .fd = -1 } };
	return true;
}

void bouncing_free(struct qmgr *q)
{
	struct bouncing *b = q->bouncing;
	if (b == NULL)
		return;
	ev_timer_clear(q->loop, &b->again);
	for (unsigned i = 0; i < b->n; i++) {
		ev_del(q->loop, &b->slot[i].watch);
		fd_close(&b->slot[i].watch.fd);
	}
	free(b);
	q->bouncing = NULL;
}

void bouncing_tick(struct qmgr *q)
{
	uint64_t now = ev_now_ms(q->loop);
	for (unsigned i = 0; i < q->bouncing->n; i++) {
		struct slot *s = &q->bouncing->slot[i];
		if (s->watch.fd >= 0 && now - s->since_ms > (s->m != NULL ? ANSWER_MS : IDLE_MS))
			slot_close(s, "no answer");
	}
}

unsigned bouncing_busy(const struct qmgr *q)
{
	unsigned n = 0;
	for (unsigned i = 0; i < q->bouncing->n; i++)
		n += q->bouncing->slot[i].m != NULL;
	return n;
}
