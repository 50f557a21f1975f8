/* Messages come in, are opened and closed, and their recipients wait for an agent. */
#include "work.h"

#include "deliver.h"
#include "dest.h"
#include "finish.h"
#include "fresh.h"
#include "look.h"
#include "qfile.h"
#include "base/fd.h"
#include "base/log.h"

#define UNITS_WAITING_MAX 100000 /* recipients of open messages that wait: beyond, messages with several stay closed */
#define CHECKING_MAX 64          /* checksums asked for at once */

/* --- open and closed ------------------------------------------------------------------------------------------------------- */

struct msg *work_open_msg(const struct qmgr *q, uint32_t slot)
{
	const struct entry *en = index_at(q->index, slot);
	BUG_IF(en->state != ENTRY_OPEN);
	return *VEC_AT(&q->open, struct msg *, en->link);
}

/* RFC 6710: three of its nineteen levels are told apart. */
static enum entry_urgency urgency(const struct msg *m)
{
	return m->asks.priority > 0 ? ENTRY_URGENT : m->asks.priority < 0 ? ENTRY_BULK : ENTRY_USUAL;
}

static enum ring ring_of(enum entry_urgency u, enum ring ring)
{
	return u == ENTRY_URGENT ? RING_URGENT : u == ENTRY_BULK ? RING_BULK : ring;
}

enum ring work_ring(const struct msg *m, enum ring ring) { return ring_of(urgency(m), ring); }

static void add_open(struct qmgr *q, struct msg *m, uint32_t slot)
{
	struct entry *en = index_at(q->index, slot);
	struct msg **place = vec_push(&q->open);
	BUG_IF(en->state != ENTRY_IDLE || place == NULL);
	*place = m;
	m->slot = slot;
	m->warned = (en->flags & ENTRY_WARNED) != 0;
	en->urgency = urgency(m) & 3u;
	en->state = ENTRY_OPEN;
	en->link = (uint32_t)(q->open.len - 1);
}

void work_close(struct qmgr *q, struct msg *m)
{
	struct entry *en = index_at(q->index, m->slot);
	BUG_IF(m->waiting > 0 || m->sent > 0 || m->marking || m->asked);
	uint32_t place = en->link;
	deliver_ack(q, m);
	vec_swap_remove(&q->open, place);
	if (place < q->open.len)
		index_at(q->index, (*VEC_AT(&q->open, struct msg *, place))->slot)->link = place;
	en->state = ENTRY_IDLE;
	msg_free(m);
}

void work_forget(struct qmgr *q, uint32_t slot)
{
	struct spool_id id;
	index_id(q->index, slot, &id);
	reasons_drop(q->reasons, &id);
	index_del(q->index, slot);
}

/* --- starting -------------------------------------------------------------------------------------------------------------- */

/* Open recipients go into the scheduler; the first of destination `direct` is returned instead: its turn is now. */
static struct rcpt *start(struct qmgr *q, struct msg *m, enum ring ring, uint32_t direct)
{
	struct rcpt *now = NULL;
	if (!finish_in_time(m)) /* FUTURERELEASE: not yet; DELIVERBY: no more */
		return NULL;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->status != SPOOL_TODO)
			continue;
		if (now == NULL && direct != 0 && r->unit.dest == direct) {
			now = r;
			continue;
		}
		r->state = RCPT_WAITING;
		m->waiting++;
		sched_put(q->sched, &r->unit, work_ring(m, ring));
		dests_arrived(q, r->unit.dest);
	}
	return now;
}

void work_start(struct qmgr *q, struct msg *m)
{
	start(q, m, RING_RETRY, 0);
	if (m->waiting == 0)
		finish_msg(q, m);
}

static void start_all(struct qmgr *q, struct msg *m, enum ring ring)
{
	start(q, m, ring, 0);
	if (m->waiting == 0)
		finish_msg(q, m);
}

/* An open file costs a descriptor and waits in memory. When its sender's earlier mail waits closed, so does this. */
static bool may_stay_open(const struct qmgr *q, const struct msg *m)
{
	return q->open.len < q->queue->queue_active_max && sched_units(q->sched) + m->n_rcpt <= UNITS_WAITING_MAX &&
	       !sched_has_closed(q->sched, msg_dest(m), m->sender_key, work_ring(m, RING_FRESH));
}

void work_ready(struct qmgr *q, uint32_t slot, enum ring ring)
{
	struct entry *en = index_at(q->index, slot);
	if (en->state == ENTRY_DUE)
		index_due_clear(q->index, slot);
	if (en->state == ENTRY_IDLE && en->where != IN_HOLD) {
		sched_put_entry(q->sched, slot, ring_of((enum entry_urgency)en->urgency, ring));
		dests_arrived(q, en->dest);
	}
}

static uint32_t add_entry(struct qmgr *q, const struct msg *m, bool look)
{
	uint32_t slot = index_add(q->index, &m->id);
	if (slot == INDEX_NONE)
		return INDEX_NONE;
	struct entry *en = index_at(q->index, slot);
	en->due = q_now();
	en->dest = msg_dest(m);
	en->sender = m->sender_key;
	en->flags = look ? ENTRY_LOOK : 0;
	en->urgency = urgency(m) & 3u;
	return slot;
}

static void arrive_msg(struct qmgr *q, struct msg *m, const struct arrival *a)
{
	uint32_t slot = index_find(q->index, &a->id);
	if (slot != INDEX_NONE && index_at(q->index, slot)->where == IN_NEW) {
		msg_free(m); /* this very file: the scan of a start was faster than smtpd's note */
		return;
	}
	slot = add_entry(q, m, a->look);
	if (slot == INDEX_NONE) {
		qfile_corrupt(&q->dir, qfile_dir(&q->dir, IN_NEW, &a->id), a->id.text, "its id is in the queue already");
		msg_free(m);
		return;
	}
	if (a->look)
		LOG_INFO("adopted", KV_QID(a->id.text), KV_STR("from", m->sender), KV_U64("size", m->size));
	fresh_add(q, &a->id);
	bool hold = a->hold || m->asks.held; /* the note of a held message may be lost */
	if (hold || may_stay_open(q, m)) {
		add_open(q, m, slot);
		if (hold) {
			m->act = ACT_HOLD;
			finish_msg(q, m);
		} else
			start_all(q, m, RING_FRESH);
		return;
	}
	msg_free(m);
	work_ready(q, slot, RING_FRESH);
}

bool work_arrive(struct qmgr *q, const struct arrival *a, struct err *e)
{
	struct msg *m = msg_read(a->fd, &a->id, a->file_size, e);
	if (m != NULL) {
		dests_route(q, m);
		arrive_msg(q, m, a);
		return true;
	}
	if (e->kind != ERR_TEMP)
		qfile_corrupt(&q->dir, qfile_dir(&q->dir, IN_NEW, &a->id), a->id.text, e->text);
	close(a->fd);
	return e->kind != ERR_TEMP;
}

/* --- opening --------------------------------------------------------------------------------------------------------------- */

static enum found_msg drop_entry(struct qmgr *q, uint32_t slot, const char *event)
{
	struct spool_id id;
	index_id(q->index, slot, &id);
	if (event != NULL)
		LOG_INFO(event, KV_QID(id.text));
	work_forget(q, slot);
	return MSG_LOST;
}

static enum found_msg bad_file(struct qmgr *q, uint32_t slot, const char *reason)
{
	char name[SPOOL_NAME_MAX];
	struct spool_id id;
	index_id(q->index, slot, &id);
	index_name(q->index, slot, name);
	qfile_corrupt(&q->dir, qfile_dir(&q->dir, index_at(q->index, slot)->where, &id), name, reason);
	return drop_entry(q, slot, NULL);
}

static enum found_msg try_later(struct qmgr *q, uint32_t slot, const struct err *e)
{
	struct spool_id id;
	index_id(q->index, slot, &id);
	LOG_WARN("open-failed", KV_QID(id.text), KV_ERR(e));
	index_due_set(q->index, slot, q_now() + 10);
	return MSG_LATER;
}

/* Acts of the admin that had to wait for the lock. True: one was carried out, the entry is not to be delivered. */
static bool carry_out(struct qmgr *q, uint32_t slot)
{
	struct entry *en = index_at(q->index, slot);
	struct entry_change change = entry_as_is(q->index, slot);
	struct err e;
	if ((en->flags & ENTRY_WANT_DELETE) != 0) {
		char name[SPOOL_NAME_MAX];
		struct spool_id id;
		index_id(q->index, slot, &id);
		index_name(q->index, slot, name);
		if (qfile_unlink(qfile_dir(&q->dir, change.where, &id), name, &e))
			drop_entry(q, slot, "deleted");
		else
			try_later(q, slot, &e);
		return true;
	}
	if ((en->flags & ENTRY_WANT_HOLD) == 0)
		return false;
	change.where = IN_HOLD;
	change.owner = (en->flags & ENTRY_WANT_OWNER) != 0;
	if (!entry_move(q->index, &q->dir, slot, &change, &e))
		try_later(q, slot, &e);
	else
		en->flags &= (uint8_t) ~(ENTRY_WANT_HOLD | ENTRY_WANT_OWNER);
	return true;
}

static enum found_msg read_open(struct qmgr *q, uint32_t slot, int fd, uint64_t size, struct msg **ret)
{
	struct spool_id id;
	struct err e;
	if (carry_out(q, slot)) {
		close(fd);
		return MSG_LOST;
	}
	index_id(q->index, slot, &id);
	struct msg *m = msg_read(fd, &id, size, &e);
	if (m != NULL) {
		dests_route(q, m);
		add_open(q, m, slot);
		*ret = m;
		return MSG_OPEN;
	}
	close(fd);
	return e.kind != ERR_TEMP ? bad_file(q, slot, e.text) : try_later(q, slot, &e);
}

struct check { /* a file found at a start, in an io helper before its delivery */
	struct io_job job;
	struct qmgr *q;
	uint32_t slot;
	int fd;
	uint64_t size;
};

static void checked(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct check *c = job->arg;
	struct qmgr *q = c->q;
	struct msg *m;
	struct entry *en = index_at(q->index, c->slot);
	q->checking--;
	en->state = ENTRY_IDLE;
	if (answer == IO_OK) {
		en->flags &= (uint8_t)~ENTRY_CHECK;
		if (read_open(q, c->slot, c->fd, c->size, &m) == MSG_OPEN)
			start_all(q, m, RING_RETRY);
	} else {
		close(c->fd);
		if (answer == IO_TEMP)
			try_later(q, c->slot, e);
		else
			bad_file(q, c->slot, e->text);
	}
	free(c);
	work_dispatch(q);
}

/* fsync too: what an earlier queue-mgr knew to be synced, this one does not. */
static enum found_msg check_first(struct qmgr *q, uint32_t slot, int fd, uint64_t size)
{
	struct check *c = mem_new(sizeof(*c));
	*c = (struct check){ .q = q, .slot = slot, .fd = fd, .size = size };
	c->job = (struct io_job){ .op = IO_VERIFY, .where = index_at(q->index, slot)->where, .done = checked, .arg = c };
	index_id(q->index, slot, &c->job.id);
	index_name(q->index, slot, c->job.name);
	index_at(q->index, slot)->state = ENTRY_BUSY;
	q->checking++;
	io_submit(q->io, &c->job);
	return MSG_LATER;
}

enum found_msg work_open(struct qmgr *q, uint32_t slot, struct msg **ret)
{
	struct spool_id id;
	char name[SPOOL_NAME_MAX];
	struct err e;
	uint64_t size;
	int fd;
	const struct entry *en = index_at(q->index, slot);
	if ((en->flags & ENTRY_DELETED) != 0)
		return drop_entry(q, slot, NULL);
	if (en->where == IN_HOLD) /* held while it waited */
		return MSG_LOST;
	index_id(q->index, slot, &id);
	index_name(q->index, slot, name);
	switch (qfile_open(qfile_dir(&q->dir, en->where, &id), name, &fd, &size, &e)) {
	case FOUND:
		break;
	case FOUND_GONE: /* delivered by an agent that could not tell any more, or removed by hand */
		return drop_entry(q, slot, "gone");
	case FOUND_LOCKED:
		look_add_entry(q, slot);
		return MSG_LATER;
	case FOUND_FOREIGN:
		return bad_file(q, slot, e.text);
	case FOUND_FAILED:
		return try_later(q, slot, &e);
	}
	if ((en->flags & ENTRY_CHECK) != 0)
		return check_first(q, slot, fd, size);
	return read_open(q, slot, fd, size, ret);
}

/* --- dispatching ----------------------------------------------------------------------------------------------------------- */

static void dispatch_entry(struct qmgr *q, const struct pick *p, unsigned slot)
{
	struct msg *m;
	struct rcpt *r = NULL;
	if (work_open(q, p->slot, &m) == MSG_OPEN) {
		r = start(q, m, RING_RETRY, p->dest);
		if (r != NULL)
			deliver_send(q, slot, r);
		else if (m->waiting == 0)
			finish_msg(q, m);
	}
	if (r == NULL)
		sched_done(q->sched, p->dest, SCHED_NEITHER);
}

static void dispatch_pick(struct qmgr *q, const struct pick *p, unsigned slot)
{
	if (p->unit == NULL) {
		dispatch_entry(q, p, slot);
		return;
	}
	struct rcpt *r = CONTAINER(p->unit, struct rcpt, unit);
	r->msg->waiting--;
	deliver_send(q, slot, r);
}

/* Messages with several destinations are opened when there is room for their recipients in the scheduler. */
static void open_many(struct qmgr *q)
{
	struct msg *m;
	uint32_t slot;
	while (q->open.len < q->queue->queue_active_max && sched_units(q->sched) < UNITS_WAITING_MAX / 2 &&
		q->checking < CHECKING_MAX && sched_next_many(q->sched, &slot))
		if (work_open(q, slot, &m) == MSG_OPEN)
			start_all(q, m, RING_RETRY);
}

static bool next(struct qmgr *q, enum lane lane, struct pick *ret)
{
	return deliver_scarce(q, lane) ? sched_next_light(q->sched, lane, ret) : sched_next(q->sched, lane, ret);
}

static void dispatch_lane(struct qmgr *q, enum lane lane)
{
	struct pick p;
	unsigned slot;
	while (q->checking < CHECKING_MAX && deliver_free(q, lane, &slot) && next(q, lane, &p))
		dispatch_pick(q, &p, deliver_best(q, slot, p.dest));
	/* All slots are busy: the next message for the same destination may already wait in its agent's socket. */
	while (q->checking < CHECKING_MAX && deliver_ahead(q, lane, &slot, &p))
		dispatch_pick(q, &p, slot);
}

void work_dispatch(struct qmgr *q)
{
	if (!q->locked || q->draining)
		return;
	open_many(q);
	for (enum lane lane = 0; lane < LANE_COUNT; lane++)
		dispatch_lane(q, lane);
}
