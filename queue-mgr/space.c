#include "space.h"

#include "base/log.h"

#include <sys/statvfs.h>

#define ASK_MS 1000

struct space {
	uint64_t asked_ms;
	const char *why; /* NULL: there is room */
};

bool space_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->space = mem_new(sizeof(*q->space));
	return true;
}

void space_free(struct qmgr *q)
{
	free(q->space);
	q->space = NULL;
}

static void set(struct space *s, const char *why)
{
	if (why != NULL && s->why == NULL)
		LOG_WARN("full", KV_STR("reason", why));
	if (why == NULL && s->why != NULL)
		LOG_INFO("not-full");
	s->why = why;
}

static const char *ask(const struct qmgr *q)
{
	struct statvfs fs;
	if (fstatvfs(q->dir.root, &fs) < 0)
		return NULL; /* making the file will tell */
	if ((uint64_t)fs.f_bavail * fs.f_frsize < q->queue->queue_free_min)
		return "not enough free space in the queue's file system (queue_free_min)";
	/* btrfs has no number of inodes */
	if (fs.f_files > 0 && fs.f_favail < q->queue->queue_free_inodes_min)
		return "not enough free inodes in the queue's file system (queue_free_inodes_min)";
	if (index_len(q->index) >= ENTRIES_MAX - 100000)
		return "too many messages in the queue";
	return NULL;
}

bool space_ok(struct qmgr *q, bool reserve, const char **ret)
{
	struct space *s = q->space;
	uint64_t now = ev_now_ms(q->loop);
	if (now - s->asked_ms >= ASK_MS || s->asked_ms == 0) {
		s->asked_ms = now;
		set(s, ask(q));
	}
	*ret = s->why;
	return s->why == NULL || reserve;
}

void space_failed(struct qmgr *q, const char *why)
{
	q->space->asked_ms = ev_now_ms(q->loop);
	set(q->space, why);
}
