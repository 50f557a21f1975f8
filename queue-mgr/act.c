#include "act.h"

#include "finish.h"
#include "qfile.h"
#include "work.h"
#include "base/log.h"

#include <errno.h>

static const char *const act_names[] = { "", "hold", "delete", "requeue" };

const char *act_status(const struct qmgr *q, uint32_t slot)
{
	const struct entry *en = index_at(q->index, slot);
	if (en->where == IN_HOLD)
		return "hold";
	if (en->state == ENTRY_DUE)
		return "deferred";
	if (en->state == ENTRY_OPEN && work_open_msg(q, slot)->sent > 0)
		return "active";
	return en->tries > 0 ? "active" : "new";
}

const char *act_pending(const struct qmgr *q, uint32_t slot)
{
	const struct entry *en = index_at(q->index, slot);
	if (en->state == ENTRY_OPEN)
		return act_names[work_open_msg(q, slot)->act];
	if ((en->flags & ENTRY_WANT_DELETE) != 0)
		return "delete";
	return (en->flags & ENTRY_WANT_HOLD) != 0 ? "hold" : "";
}

static enum acted denied(struct err *e, const struct spool_id *id)
{
	err_set(e, ERR_PERM, "%s is held by the administrator", id->text);
	return ACTED_FAILED;
}

/* The acts on a message whose agents must answer first; one that only waits gives in at once. */
static enum acted act_on_open(struct qmgr *q, struct msg *m, enum queue_op op, bool admin, uint64_t *dirs, struct err *e)
{
	static const uint8_t acts[QOP_COUNT] = { [QOP_HOLD] = ACT_HOLD, [QOP_DELETE] = ACT_DELETE, [QOP_REQUEUE] = ACT_REQUEUE };
	struct spool_id id = m->id;
	if (op == QOP_FLUSH)
		return ACTED; /* it is being tried */
	if (op == QOP_RELEASE)
		return ACTED_NOT;
	if (!admin && m->act == ACT_HOLD && !m->act_owner)
		return op == QOP_HOLD ? ACTED_NOT : denied(e, &id);
	*dirs |= io_dir_bit(index_at(q->index, m->slot)->where, &id) | io_dir_bit(op == QOP_HOLD ? IN_HOLD : IN_CUR, &id);
	m->act = acts[op];
	m->act_owner = !admin;
	work_withdraw(q, m);
	if (m->sent > 0 || m->marking || m->asked) {
		finish_mark(q, m);
		return ACTED_LATER;
	}
	finish_msg(q, m);
	uint32_t slot = index_find(q->index, &id);
	bool later = slot != INDEX_NONE && index_at(q->index, slot)->state == ENTRY_OPEN;
	return later ? ACTED_LATER : ACTED;
}

static enum acted act_on_busy(struct entry *en, enum queue_op op, bool admin)
{
	if (op == QOP_RELEASE)
		return ACTED_NOT;
	if (op == QOP_DELETE)
		en->flags |= ENTRY_WANT_DELETE;
	if (op == QOP_HOLD && admin)
		en->flags &= (uint8_t)~ENTRY_WANT_OWNER;
	if (op == QOP_HOLD && !admin && (en->flags & ENTRY_WANT_HOLD) == 0)
		en->flags |= ENTRY_WANT_OWNER;
	if (op == QOP_HOLD)
		en->flags |= ENTRY_WANT_HOLD;
	return ACTED_LATER;
}

static enum acted move_to(struct qmgr *q, uint32_t slot, const struct entry_change *c, uint64_t *dirs, struct err *e)
{
	struct spool_id id;
	index_id(q->index, slot, &id);
	*dirs |= io_dir_bit(index_at(q->index, slot)->where, &id) | io_dir_bit(c->where, &id);
	if (entry_move(q->index, &q->dir, slot, c, e))
		return ACTED;
	return ACTED_FAILED;
}

/* The admin's hold replaces one by the sender. */
static enum acted hold(struct qmgr *q, uint32_t slot, bool admin, uint64_t *dirs, struct err *e)
{
	struct entry *en = index_at(q->index, slot);
	struct entry_change c = entry_as_is(q->index, slot);
	struct spool_id id;
	index_id(q->index, slot, &id);
	if (en->where == IN_HOLD && !(admin && c.owner))
		return ACTED_NOT;
	if (en->state == ENTRY_DUE)
		index_due_clear(q->index, slot);
	c.where = IN_HOLD;
	c.owner = !admin;
	enum acted a = move_to(q, slot, &c, dirs, e);
	if (a == ACTED)
		LOG_INFO("held", KV_QID(id.text));
	else if (en->state == ENTRY_IDLE && en->where != IN_HOLD)
		index_due_set(q->index, slot, c.due);
	return a;
}

/* Release, requeue, flush: due now. Requeue forgets the attempts. */
static enum acted due_now(struct qmgr *q, uint32_t slot, enum queue_op op, uint64_t *dirs, struct err *e)
{
	struct entry *en = index_at(q->index, slot);
	struct entry_change c = entry_as_is(q->index, slot);
	struct spool_id id;
	index_id(q->index, slot, &id);
	if ((en->where == IN_HOLD) != (op == QOP_RELEASE))
		return op == QOP_REQUEUE && en->where == IN_HOLD ? due_now(q, slot, QOP_RELEASE, dirs, e) : ACTED_NOT;
	if (en->state == ENTRY_DUE)
		index_due_clear(q->index, slot);
	if (op != QOP_FLUSH) {
		c.where = IN_CUR;
		c.due = q_now();
		c.tries = op == QOP_REQUEUE ? 0 : c.tries;
		if (op == QOP_REQUEUE && c.tries == 0)
			en->flags |= ENTRY_LOOK; /* the count starts anew, the earlier attempts have been */
		if (move_to(q, slot, &c, dirs, e) == ACTED_FAILED) {
			if (en->state == ENTRY_IDLE && en->where != IN_HOLD)
				index_due_set(q->index, slot, c.due);
			return ACTED_FAILED;
		}
		LOG_INFO(op == QOP_RELEASE ? "released" : "requeued", KV_QID(id.text));
	}
	work_ready(q, slot, RING_FRESH);
	return ACTED;
}

static enum acted delete (struct qmgr *q, uint32_t slot, uint64_t *dirs, struct err *e) {
	struct entry *en = index_at(q->index, slot); struct spool_id id; char name[SPOOL_NAME_MAX]; index_id(q->index, slot, &id);
	index_name(q->index, slot, name);
	*dirs |= io_dir_bit(en->where, &id);
	if (!qfile_unlink(qfile_dir(&q->dir, en->where, &id), name, e)) return ACTED_FAILED;
	LOG_INFO("deleted", KV_QID(id.text));
	if (en->state == ENTRY_WAITING) en->flags |= ENTRY_DELETED;
	else work_forget(q, slot);
	return ACTED;
}

/* An agent of a queue-mgr before us, or one that we gave up, may still have the file. True: it has, and the act waits for its lock.
 */
static bool locked(struct qmgr *q, uint32_t slot)
{
	struct spool_id id;
	struct err e;
	char name[SPOOL_NAME_MAX];
	uint64_t size;
	int fd;
	index_id(q->index, slot, &id);
	index_name(q->index, slot, name);
	enum found found = qfile_open(qfile_dir(&q->dir, index_at(q->index, slot)->where, &id), name, &fd, &size, &e);
	if (found == FOUND)
		close(fd);
	return found == FOUND_LOCKED;
}

enum acted act_on(struct qmgr *q, uint32_t slot, enum queue_op op, bool admin, uint64_t *dirs, struct err *e)
{
	struct entry *en = index_at(q->index, slot);
	struct spool_id id;
	index_id(q->index, slot, &id);
	if (en->state == ENTRY_OPEN)
		return act_on_open(q, work_open_msg(q, slot), op, admin, dirs, e);
	if (en->state == ENTRY_BUSY)
		return act_on_busy(en, op, admin);
	if (en->where == IN_HOLD && !admin && (en->flags & ENTRY_OWNER) == 0 && (op == QOP_RELEASE || op == QOP_REQUEUE))
		return denied(e, &id);
	if (op != QOP_FLUSH && ((en->flags & ENTRY_LOOK) != 0 || en->tries > 0) && locked(q, slot)) {
		if (en->state == ENTRY_DUE)
			index_due_set(q->index, slot, q_now());
		return act_on_busy(en, op, admin);
	}
	if (op == QOP_HOLD)
		return hold(q, slot, admin, dirs, e);
	if (op == QOP_DELETE)
		return delete (q, slot, dirs, e);
	return due_now(q, slot, op, dirs, e);
}
