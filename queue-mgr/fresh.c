#include "fresh.h"

#include "qfile.h"
#include "work.h"
#include "base/log.h"

#define STAY_MS 5000
#define MOVES_MAX 2000       /* in one turn */
#define LOOKED_AT_MAX 200000 /* most were delivered long since */
#define FRESH_MAX (1u << 20)

struct young {
	struct spool_id id;
	uint64_t since_ms;
};

struct fresh { /* a queue: `first` of its elements are used up */
	struct vec young;
	size_t first;
};

bool fresh_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->fresh = mem_new(sizeof(*q->fresh));
	q->fresh->young = (struct vec)VEC_INIT(struct young, FRESH_MAX);
	return true;
}

void fresh_free(struct qmgr *q)
{
	if (q->fresh == NULL)
		return;
	vec_free(&q->fresh->young);
	free(q->fresh);
	q->fresh = NULL;
}

void fresh_add(struct qmgr *q, const struct spool_id *id)
{
	struct young *y = vec_push(&q->fresh->young);
	if (y == NULL)
		return; /* it stays in new/ until it is postponed: harmless */
	y->id = *id;
	y->since_ms = ev_now_ms(q->loop);
}

/* True: it was renamed. In an agent's hands it keeps its name: when it comes back it goes on, or moves as postponed. */
static bool move(struct qmgr *q, const struct spool_id *id)
{
	uint32_t slot = index_find(q->index, id);
	struct err e;
	if (slot == INDEX_NONE)
		return false;
	const struct entry *en = index_at(q->index, slot);
	if (en->where != IN_NEW || en->state == ENTRY_BUSY || (en->flags & ENTRY_DELETED) != 0)
		return false;
	if (en->state == ENTRY_OPEN) {
		const struct msg *m = work_open_msg(q, slot);
		if (m->sent > 0 || m->marking || m->gone)
			return false;
	}
	struct entry_change change = entry_as_is(q->index, slot);
	change.where = IN_CUR;
	if (!entry_move(q->index, &q->dir, slot, &change, &e))
		LOG_DEBUG("not-moved", KV_QID(id->text), KV_ERR(&e));
	return true;
}

void fresh_tick(struct qmgr *q)
{
	struct fresh *f = q->fresh;
	uint64_t now = ev_now_ms(q->loop);
	int moves = 0;
	for (int n = 0; n < LOOKED_AT_MAX && moves < MOVES_MAX && f->first < f->young.len; n++, f->first++) {
		const struct young *y = VEC_AT(&f->young, struct young, f->first);
		if (y->since_ms + STAY_MS > now)
			break;
		moves += move(q, &y->id);
	}
	if (f->first == f->young.len) {
		f->first = 0;
		vec_reset(&f->young);
	} else if (f->first > f->young.len / 2) {
		f->young.len -= f->first;
		memmove(f->young.data, VEC_AT(&f->young, struct young, f->first), f->young.len * sizeof(struct young));
		f->first = 0;
	}
}
