#include "late.h"

#include "finish.h"
#include "io.h"
#include "look.h"
#include "qfile.h"
#include "recover.h"
#include "work.h"
#include "base/fd.h"
#include "base/log.h"

struct chan {
	struct qmgr *q;
	struct ev_io watch;
	struct ipc_seen seen;
	struct chan *prev, *next;
	struct settling *settling; /* NULL: none */
	bool waits;                /* for the answer to this: */
	struct deliver_res res;
};

struct late {
	struct q_listener listener[LANE_COUNT];
	struct chan *chans;
};

struct settling { /* a status byte is being written */
	struct io_job job;
	struct io_mark mark;
	struct qmgr *q;
	struct chan *chan; /* NULL: it ended meanwhile */
	struct deliver_res res;
};

enum settled { ON_DISK, SOON, NOT_NOW };

/* NOT_NOW ends the channel: the agent tells it again. */
static bool answer(struct chan *c, enum settled settled, struct err *e)
{
	struct deliver_ack heard;
	if (settled == SOON)
		return true;
	if (settled == NOT_NOW)
		return err_set(e, ERR_TEMP, "not now");
	if (!c->waits) /* late_ack() did */
		return true;
	c->waits = false;
	memcpy(heard.id, c->res.id, sizeof(heard.id));
	return ipc_send(c->watch.fd, &deliver_ack_desc, &heard, 0, e);
}

static void chan_close(struct chan *c)
{
	struct qmgr *q = c->q;
	if (c->settling != NULL)
		c->settling->chan = NULL;
	*(c->prev != NULL ? &c->prev->next : &q->late->chans) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	ev_del(q->loop, &c->watch);
	close(c->watch.fd);
	free(c);
	look_hint(q);
}

/* --- what is open ------------------------------------------------------------------------------------------------------------ */

void late_ack(struct qmgr *q, const struct msg *m)
{
	struct chan *next;
	for (struct chan *c = q->late->chans; c != NULL; c = next) {
		struct err e;
		next = c->next;
		if (c->waits && c->settling == NULL && strcmp(c->res.id, m->id.text) == 0 && !m->rcpt[c->res.number].dirty &&
			!answer(c, ON_DISK, &e))
			LOG_WARN("channel-failed", KV_STR("peer", "agent"), KV_ERR(&e)); /* its end is read in the next turn */
	}
}

/* late_ack() answers, here or when the byte is written. */
static enum settled settle_open(struct chan *c, struct msg *m, const struct deliver_res *res)
{
	if (res->number >= m->n_rcpt || !work_late(c->q, &m->rcpt[res->number], res))
		return ON_DISK; /* with an agent again: he will tell */
	bool dirty = m->rcpt[res->number].dirty;
	finish_msg(c->q, m);
	return dirty && c->waits ? SOON : ON_DISK;
}

/* --- what is closed ---------------------------------------------------------------------------------------------------------- */

static void marked(struct io_job *job, enum io_answer result, const struct err *e)
{
	struct settling *s = job->arg;
	struct qmgr *q = s->q;
	struct chan *c = s->chan;
	struct err why;
	uint32_t slot = index_find(q->index, &job->id);
	if (result != IO_OK)
		LOG_ERROR("mark-failed", KV_QID(job->id.text), KV_ERR(e));
	if (slot != INDEX_NONE && index_at(q->index, slot)->state == ENTRY_OPEN) { /* its agent died, and it was read before */
		struct msg *m = work_open_msg(q, slot);
		if (s->res.number < m->n_rcpt && work_late(q, &m->rcpt[s->res.number], &s->res))
			finish_msg(q, m);
	} else if (slot != INDEX_NONE)
		work_ready(q, slot, RING_RETRY);
	free(s);
	if (c != NULL) {
		c->settling = NULL;
		if (!answer(c, result == IO_OK ? ON_DISK : NOT_NOW, &why))
			chan_close(c);
	}
	work_dispatch(q);
}

struct place { /* of a file */
	enum where where;
	uint32_t slot;
	char name[SPOOL_NAME_MAX];
};

static struct place place_of(const struct qmgr *q, const struct spool_id *id)
{
	struct place p = { .where = IN_NEW, .slot = index_find(q->index, id) };
	memcpy(p.name, id->text, sizeof(id->text));
	if (p.slot != INDEX_NONE) {
		p.where = index_at(q->index, p.slot)->where;
		index_name(q->index, p.slot, p.name);
	}
	return p;
}

static enum settled mark(struct chan *c, const struct place *p, const struct msg *m, const struct rcpt *r)
{
	struct settling *s = mem_new(sizeof(*s));
	*s = (struct settling){ .q = c->q, .chan = c, .res = c->res, .mark = { r->status_at, (uint64_t)r->status } };
	s->job = (struct io_job){
		.op = IO_MARK, .where = p->where, .id = m->id, .marks = &s->mark, .n_marks = 1, .done = marked, .arg = s
	};
	memcpy(s->job.name, p->name, sizeof(p->name));
	c->settling = s;
	io_submit(c->q->io, &s->job);
	return SOON;
}

/* Nothing is left to do for this message. Whoever waits for its lock finds it gone. */
static enum settled removed(struct qmgr *q, const struct place *p, const struct spool_id *id)
{
	struct err e;
	if (!qfile_unlink(qfile_dir(&q->dir, p->where, id), p->name, &e)) {
		LOG_ERROR("unlink-failed", KV_QID(id->text), KV_ERR(&e));
		return NOT_NOW;
	}
	LOG_INFO("removed", KV_QID(id->text));
	if (p->slot == INDEX_NONE)
		return ON_DISK;
	struct entry *en = index_at(q->index, p->slot);
	if (en->state == ENTRY_DUE)
		index_due_clear(q->index, p->slot);
	if (en->state == ENTRY_WAITING)
		en->flags |= ENTRY_DELETED;
	else if (en->state == ENTRY_IDLE)
		work_forget(q, p->slot);
	return ON_DISK;
}

/* A file in cur/ is not known before the scan of a start has seen it. */
static enum settled settle_closed(struct chan *c, const struct spool_id *id, const struct deliver_res *res)
{
	struct qmgr *q = c->q;
	struct place p = place_of(q, id);
	struct err e;
	uint64_t size;
	int fd;
	enum found found = qfile_peek(qfile_dir(&q->dir, p.where, id), p.name, &fd, &size, &e);
	if (found != FOUND)
		return found == FOUND_FAILED || (p.slot == INDEX_NONE && recover_busy(q)) ? NOT_NOW : ON_DISK;
	struct msg *m = msg_read(fd, id, size, &e);
	if (m == NULL) {
		close(fd);
		return e.kind == ERR_TEMP ? NOT_NOW : ON_DISK;
	}
	enum settled settled = ON_DISK;
	if (res->number < m->n_rcpt && m->rcpt[res->number].status == SPOOL_TODO) {
		struct rcpt *r = &m->rcpt[res->number];
		(void)work_late(q, r, res);
		settled = msg_open_rcpts(m) == 0 && msg_owed_rcpts(m) == 0 ? removed(q, &p, id) : mark(c, &p, m, r);
	}
	msg_free(m);
	return settled;
}

static enum settled settle(struct chan *c, const struct spool_id *id)
{
	const struct deliver_res *res = &c->res;
	if (res->status != DELIVERED) /* it is tried again, and the reason is fresh then */
		return ON_DISK;
	uint32_t slot = index_find(c->q->index, id);
	if (slot != INDEX_NONE && index_at(c->q->index, slot)->state == ENTRY_OPEN)
		return settle_open(c, work_open_msg(c->q, slot), res);
	if (!res->renamed)
		return settle_closed(c, id, res);
	if (slot != INDEX_NONE) /* its name is gone, which is found when it is opened */
		work_ready(c->q, slot, RING_RETRY);
	return ON_DISK;
}

/* --- channels ---------------------------------------------------------------------------------------------------------------- */

static bool on_result(void *chan, void *msg, struct err *e)
{
	static const char *const names[] = { [DELIVERED] = "delivered", [DEFERRED] = "deferred", [FAILED] = "failed" };
	struct chan *c = chan;
	const struct deliver_res *res = msg;
	struct spool_id id;
	if (c->waits)
		return err_set(e, ERR_PEER, "a result before the answer to the last one");
	if (!spool_id_parse(sv_of(res->id), &id))
		return err_set(e, ERR_PEER, "no queue id");
	LOG_INFO("late", KV_QID(id.text), KV_U64("number", res->number), KV_STR("result", names[res->status]),
		KV_STR("where", res->where));
	c->res = *res;
	c->waits = true;
	return answer(c, settle(c, &id), e);
}

static const struct ipc_rule rules[] = {
	{ &deliver_res_desc, 1, 1, 0, on_result },
	{ NULL },
};

static void on_chan(struct ev_io *w, unsigned events, void *arg)
{
	struct chan *c = arg;
	struct qmgr *q = c->q;
	struct err e;
	(void)events;
	for (;;) {
		bool got = ipc_recv(w->fd, &q->packet, 0, &e);
		if (!got && e.kind == ERR_TEMP)
			break;
		if (got && ipc_dispatch(rules, &c->seen, 1, 1, &q->packet, c, &e))
			continue;
		if (got ? e.kind != ERR_TEMP : e.sys != 0)
			LOG_WARN("channel-dropped", KV_STR("peer", "agent"), KV_ERR(&e));
		chan_close(c);
		break;
	}
	work_dispatch(q);
}

void late_take(struct qmgr *q, int fd)
{
	struct chan *c = mem_new(sizeof(*c));
	struct err e;
	*c = (struct chan){ .q = q, .watch = { .fd = fd, .on = on_chan, .arg = c }, .next = q->late->chans };
	if (!ev_add(q->loop, &c->watch, EV_READ, &e)) {
		LOG_ERROR("channel-failed", KV_STR("peer", "agent"), KV_ERR(&e));
		close(fd);
		free(c);
		return;
	}
	if (c->next != NULL)
		c->next->prev = c;
	q->late->chans = c;
}

bool late_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->late = mem_new(sizeof(*q->late));
	for (size_t i = 0; i < LANE_COUNT; i++)
		q->late->listener[i].watch.fd = -1;
	return true;
}

bool late_start(struct qmgr *q, struct err *e)
{
	return q_listen(q, &q->late->listener[LANE_LOCAL], "queue-mgr.local-delivery", late_take, e) &&
	       q_listen(q, &q->late->listener[LANE_REMOTE], "queue-mgr.remote-delivery", late_take, e);
}

void late_stop(struct qmgr *q)
{
	for (size_t i = 0; i < LANE_COUNT; i++)
		ev_del(q->loop, &q->late->listener[i].watch);
}

void late_free(struct qmgr *q)
{
	if (q->late == NULL)
		return;
	late_stop(q);
	while (q->late->chans != NULL)
		chan_close(q->late->chans);
	free(q->late);
	q->late = NULL;
}
