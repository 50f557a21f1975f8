#include "recover.h"

#include "look.h"
#include "qfile.h"
#include "retry.h"
#include "work.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define NAMES_PER_TURN 2000
#define PAUSE_MS 5 /* while the helpers have enough to do */

/* In this order: what may be needed soonest first. */
enum phase { PHASE_NEW, PHASE_CUR, PHASE_HOLD, PHASE_TMP, PHASE_DONE };

struct recover {
	struct ev_timer timer;
	enum phase phase;
	unsigned shard;
	DIR *dir;
	uint64_t since_ms;
	size_t found;
};

/* --- names ----------------------------------------------------------------------------------------------------------------- */

static void on_new(struct qmgr *q, int dir, const char *name)
{
	struct spool_id id;
	if (!spool_id_parse(sv_of(name), &id) || qfile_dir(&q->dir, IN_NEW, &id) != dir) {
		qfile_corrupt(&q->dir, dir, name, "not the name of a queue file");
		return;
	}
	if (index_find(q->index, &id) == INDEX_NONE)
		look_add(q, &id);
}

/* One found in both places was moved while we read: the index has it. */
static void on_named(struct qmgr *q, int dir, enum where where, const char *name)
{
	struct spool_name n;
	if (!spool_name_parse(sv_of(name), &n) || qfile_dir(&q->dir, where, &n.id) != dir || (n.owner && where != IN_HOLD)) {
		qfile_corrupt(&q->dir, dir, name, "not the name of a queue file");
		return;
	}
	uint32_t slot = index_add(q->index, &n.id);
	if (slot == INDEX_NONE)
		return;
	struct entry *en = index_at(q->index, slot);
	en->where = where & 3u;
	en->due = (uint32_t)n.due;
	en->tries = (uint16_t)n.tries;
	en->dest = n.dest;
	en->sender = n.sender;
	en->flags = ENTRY_LOOK | ENTRY_CHECK | (n.warned ? ENTRY_WARNED : 0) | (n.owner ? ENTRY_OWNER : 0);
	q->recover->found++;
	uint32_t now = q_now(), due = retry_due(q->queue, en->due, now);
	if (where == IN_CUR && due <= now)
		work_ready(q, slot, RING_RETRY); /* its turn may come while the others are still being read */
	else if (where == IN_CUR)
		index_due_set(q->index, slot, due);
}

/* Parts of messages that were being split, or drafts of an edit: nothing that counts is here (DESIGN D6). */
static void on_tmp(struct qmgr *q, int dir, const char *name)
{
	struct spool_id id;
	struct err e;
	struct sv text = sv_of(name);
	if (text.n <= SPOOL_ID_LEN || text.p[SPOOL_ID_LEN] != '.' || !spool_id_parse(sv_sub(text, 0, SPOOL_ID_LEN), &id)) {
		qfile_corrupt(&q->dir, dir, name, "not the name of a part");
		return;
	}
	if (qfile_unlink(dir, name, &e))
		LOG_INFO("wiped", KV_QID(id.text), KV_STR("reason", "an unfinished part"));
	else
		LOG_ERROR("wipe-failed", KV_QID(id.text), KV_ERR(&e));
}

/* --- directories ------------------------------------------------------------------------------------------------------------ */

static int phase_dir(const struct qmgr *q)
{
	const struct recover *r = q->recover;
	switch (r->phase) {
	case PHASE_NEW:
		return q->dir.new_fd[r->shard];
	case PHASE_CUR:
		return q->dir.cur_fd[r->shard];
	case PHASE_TMP:
		return q->dir.tmp_fd[r->shard];
	default:
		return q->dir.hold_fd;
	}
}

static void on_name(struct qmgr *q, const char *name)
{
	int dir = phase_dir(q);
	switch (q->recover->phase) {
	case PHASE_NEW:
		on_new(q, dir, name);
		break;
	case PHASE_CUR:
		on_named(q, dir, IN_CUR, name);
		break;
	case PHASE_HOLD:
		on_named(q, dir, IN_HOLD, name);
		break;
	default:
		on_tmp(q, dir, name);
	}
}

static void next_dir(struct recover *r)
{
	if (r->dir != NULL)
		closedir(r->dir);
	r->dir = NULL;
	r->shard++;
	if (r->phase == PHASE_HOLD || r->shard == SPOOL_SHARDS) {
		r->shard = 0;
		r->phase++;
	}
}

static bool open_dir(struct qmgr *q)
{
	struct recover *r = q->recover;
	int fd = openat(phase_dir(q), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->dir = fd < 0 ? NULL : fdopendir(fd);
	if (r->dir != NULL)
		return true;
	struct err e;
	err_sys(&e, ERR_TEMP, "read a directory of the queue");
	LOG_ERROR("scan-failed", KV_U64("shard", r->shard), KV_ERR(&e));
	return false;
}

/* One name; false: this directory is done. */
static bool read_name(struct qmgr *q)
{
	struct recover *r = q->recover;
	errno = 0;
	const struct dirent *d = readdir(r->dir);
	if (d == NULL && errno != 0) {
		struct err e;
		err_sys(&e, ERR_TEMP, "read a directory of the queue");
		LOG_ERROR("scan-failed", KV_U64("shard", r->shard), KV_ERR(&e));
	}
	if (d == NULL)
		return false;
	if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
		on_name(q, d->d_name);
	return true;
}

static void on_timer(struct ev_timer *t, void *arg)
{
	struct qmgr *q = arg;
	struct recover *r = q->recover;
	int n = 0;
	while (!q->draining && r->phase != PHASE_DONE && n < NAMES_PER_TURN) {
		if (r->phase == PHASE_NEW && look_full(q))
			break;
		if ((r->dir != NULL || open_dir(q)) && read_name(q))
			n++;
		else
			next_dir(r);
	}
	if (r->phase != PHASE_DONE)
		ev_timer_set(q->loop, t, n < NAMES_PER_TURN ? PAUSE_MS : 0);
	else
		LOG_INFO("scanned", KV_U64("files", r->found), KV_U64("ms", ev_now_ms(q->loop) - r->since_ms));
	work_dispatch(q);
}

bool recover_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->recover = mem_new(sizeof(*q->recover));
	q->recover->timer = (struct ev_timer){ .on = on_timer, .arg = q };
	return true;
}

void recover_free(struct qmgr *q)
{
	if (q->recover == NULL)
		return;
	ev_timer_clear(q->loop, &q->recover->timer);
	if (q->recover->dir != NULL)
		closedir(q->recover->dir);
	free(q->recover);
	q->recover = NULL;
}

void recover_start(struct qmgr *q)
{
	q->recover->since_ms = ev_now_ms(q->loop);
	ev_timer_set(q->loop, &q->recover->timer, 0);
}

bool recover_busy(const struct qmgr *q) { return q->recover->phase != PHASE_DONE; }
