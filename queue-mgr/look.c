#include "look.h"

#include "io.h"
#include "qfile.h"
#include "work.h"
#include "base/log.h"

#define TRY_MS 100
#define PAUSE_MS 1000 /* after the disk failed, doubled each time */
#define PAUSE_MS_MAX 60000
#define IO_JOBS_MAX 64

struct item {
	struct item *prev, *next;
	struct qmgr *q;
	struct spool_id id;
	uint32_t slot; /* INDEX_NONE: in new/, not in the index */
	bool announced, hold;
	bool in_io;
	uint64_t pause_ms, at_ms; /* not before, after this pause: the disk failed */
	struct io_job job;
	int fd; /* while in io */
	uint64_t size;
};

struct look {
	struct item *first, *last;
	size_t n, n_io;
	struct ev_timer timer;
};

/* In so long at the latest. */
static void wake(struct qmgr *q, uint64_t ms)
{
	struct ev_timer *t = &q->look->timer;
	if (t->place == 0 || t->due_ms > ev_now_ms(q->loop) + ms)
		ev_timer_set(q->loop, t, ms);
}

static void remove_item(struct look *l, struct item *it)
{
	*(it->prev != NULL ? &it->prev->next : &l->first) = it->next;
	*(it->next != NULL ? &it->next->prev : &l->last) = it->prev;
	l->n--;
	free(it);
}

static struct item *add_item(struct qmgr *q, const struct spool_id *id)
{
	struct look *l = q->look;
	struct item *it = mem_new(sizeof(*it));
	*it = (struct item){ .q = q, .id = *id, .slot = INDEX_NONE, .fd = -1, .prev = l->last };
	*(l->last != NULL ? &l->last->next : &l->first) = it;
	l->last = it;
	l->n++;
	return it;
}

/* It is tried again until the disk does what it should, less and less often. True for the first time: to be told. */
static bool pause_item(struct item *it)
{
	bool first = it->pause_ms == 0;
	it->pause_ms = first ? PAUSE_MS : MIN(it->pause_ms * 2, (uint64_t)PAUSE_MS_MAX);
	it->at_ms = ev_now_ms(it->q->loop) + it->pause_ms;
	wake(it->q, it->pause_ms);
	return first;
}

static void put_off(struct item *it, const struct err *e)
{
	if (pause_item(it))
		LOG_WARN("open-failed", KV_QID(it->id.text), KV_ERR(e));
}

static void arrive(struct item *it, int fd, uint64_t size, bool look)
{
	struct arrival a = { .id = it->id, .fd = fd, .file_size = size, .look = look, .hold = it->hold };
	struct err e;
	if (work_arrive(it->q, &a, &e))
		remove_item(it->q->look, it);
	else
		put_off(it, &e);
}

static void wipe(struct item *it, const char *reason)
{
	struct qmgr *q = it->q;
	struct err e;
	if (!qfile_unlink(qfile_dir(&q->dir, IN_NEW, &it->id), it->id.text, &e)) {
		if (pause_item(it))
			LOG_ERROR("wipe-failed", KV_QID(it->id.text), KV_ERR(&e));
		return;
	}
	if (reason != NULL)
		LOG_INFO("wiped", KV_QID(it->id.text), KV_STR("reason", reason));
	remove_item(q->look, it);
}

static void bad(struct item *it, const char *reason)
{
	struct qmgr *q = it->q;
	if (qfile_corrupt(&q->dir, qfile_dir(&q->dir, IN_NEW, &it->id), it->id.text, reason))
		remove_item(q->look, it);
	else
		pause_item(it);
}

static void verified(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct item *it = job->arg;
	struct qmgr *q = it->q;
	int fd = it->fd;
	it->in_io = false;
	it->fd = -1;
	q->look->n_io--;
	if (answer == IO_OK)
		arrive(it, fd, it->size, true);
	else {
		close(fd);
		if (answer == IO_TORN)
			wipe(it, e->text);
		else if (answer == IO_CORRUPT)
			bad(it, e->text);
		else
			put_off(it, e);
	}
	wake(q, 0); /* a helper is free */
	work_dispatch(q);
}

static void verify(struct item *it, int fd, uint64_t size)
{
	it->fd = fd;
	it->size = size;
	it->in_io = true;
	it->job = (struct io_job){ .op = IO_VERIFY, .where = IN_NEW, .id = it->id, .done = verified, .arg = it };
	memcpy(it->job.name, it->id.text, sizeof(it->id.text));
	it->q->look->n_io++;
	io_submit(it->q->io, &it->job);
}

/* An entry of the index goes back to where it came from; work_open() takes its lock again. */
static void try_entry(struct item *it)
{
	struct qmgr *q = it->q;
	uint32_t slot = it->slot;
	char name[SPOOL_NAME_MAX];
	uint64_t size;
	struct err e;
	int fd;
	index_name(q->index, slot, name);
	enum found found = qfile_open(qfile_dir(&q->dir, index_at(q->index, slot)->where, &it->id), name, &fd, &size, &e);
	if (found == FOUND_LOCKED)
		return;
	if (found == FOUND)
		close(fd);
	remove_item(q->look, it);
	index_at(q->index, slot)->state = ENTRY_IDLE;
	work_ready(q, slot, RING_RETRY);
}

/* The scan at a start also sees files that were lent since, and noted: those are in the index by now. */
static bool known(const struct item *it)
{
	uint32_t slot = index_find(it->q->index, &it->id);
	return slot != INDEX_NONE && index_at(it->q->index, slot)->where == IN_NEW;
}

static void try_new(struct item *it)
{
	struct qmgr *q = it->q;
	uint64_t size;
	struct err e;
	int fd;
	if (known(it)) {
		remove_item(q->look, it);
		return;
	}
	switch (qfile_open(qfile_dir(&q->dir, IN_NEW, &it->id), it->id.text, &fd, &size, &e)) {
	case FOUND_GONE:
		remove_item(q->look, it);
		return;
	case FOUND_FOREIGN:
		bad(it, e.text);
		return;
	case FOUND_FAILED:
		put_off(it, &e);
		return;
	case FOUND_LOCKED:
		return;
	case FOUND:
		break;
	}
	if (size == 0) { /* lent and never used, or refused: nothing was accepted */
		close(fd);
		wipe(it, NULL);
	} else if (it->announced)
		arrive(it, fd, size, false);
	else
		verify(it, fd, size);
}

static void try_item(struct item *it)
{
	if (it->in_io || it->at_ms > ev_now_ms(it->q->loop))
		return;
	if (it->slot != INDEX_NONE)
		try_entry(it);
	else if (it->announced || it->q->look->n_io < IO_JOBS_MAX)
		try_new(it);
}

static void try_all(struct qmgr *q)
{
	struct item *next;
	if (!q->locked || q->draining)
		return;
	uint64_t now = ev_now_ms(q->loop);
	for (struct item *it = q->look->first; it != NULL; it = next) {
		next = it->next;
		try_item(it);
	}
	for (const struct item *it = q->look->first; it != NULL; it = it->next)
		if (!it->in_io)
			wake(q, it->at_ms > now ? it->at_ms - now : TRY_MS);
	work_dispatch(q);
}

static void on_timer(struct ev_timer *t, void *arg)
{
	(void)t;
	try_all(arg);
}

bool look_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->look = mem_new(sizeof(*q->look));
	q->look->timer = (struct ev_timer){ .on = on_timer, .arg = q };
	return true;
}

void look_free(struct qmgr *q)
{
	if (q->look == NULL)
		return;
	ev_timer_clear(q->loop, &q->look->timer);
	while (q->look->first != NULL)
		remove_item(q->look, q->look->first);
	free(q->look);
	q->look = NULL;
}

static void added(struct qmgr *q, struct item *it)
{
	try_item(it);
	if (q->look->n > q->look->n_io)
		wake(q, TRY_MS);
}

void look_add(struct qmgr *q, const struct spool_id *id) { added(q, add_item(q, id)); }

void look_note(struct qmgr *q, const struct spool_id *id, bool hold)
{
	uint64_t size;
	struct err e;
	int fd;
	bool found = qfile_open(qfile_dir(&q->dir, IN_NEW, id), id->text, &fd, &size, &e) == FOUND;
	if (found && work_arrive(q, &(struct arrival){ .id = *id, .fd = fd, .file_size = size, .hold = hold }, &e))
		return;
	struct item *it = add_item(q, id);
	it->announced = true;
	it->hold = hold;
	if (found)
		put_off(it, &e);
	else
		added(q, it);
}

void look_add_entry(struct qmgr *q, uint32_t slot)
{
	struct spool_id id;
	index_id(q->index, slot, &id);
	index_at(q->index, slot)->state = ENTRY_BUSY;
	add_item(q, &id)->slot = slot;
	wake(q, TRY_MS);
}

void look_hint(struct qmgr *q)
{
	if (q->look->n > 0)
		ev_timer_set(q->loop, &q->look->timer, 0);
}

size_t look_len(const struct qmgr *q) { return q->look->n; }

bool look_full(const struct qmgr *q) { return q->look->n_io >= IO_JOBS_MAX; }
