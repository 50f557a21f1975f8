#include "lend.h"

#include "io.h"
#include "look.h"
#include "qfile.h"
#include "space.h"
#include "work.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define LENT_MAX 8     /* on one channel; smtpd needs one at a time */
#define STOCK_MAX 32   /* strict: files made and synced ahead */
#define STOCK_MS 30000 /* and kept so long when nobody asks */

struct lent {
	struct spool_id id;
	int fd; /* while it waits for its directory to be synced (strict), else -1 */
};

struct chan {
	struct chan *prev, *next;
	struct qmgr *q;
	struct ev_io watch;
	struct ipc_seen seen;
	struct spool_id lent[LENT_MAX];
	unsigned n_lent;
	unsigned owed; /* strict: files asked for while the stock was empty */
};

struct lend {
	struct q_listener listener;
	struct chan *first;
	size_t n;
	uint32_t counter;
	/* strict: a batch in one directory, lent only after that directory was synced */
	struct lent stock[STOCK_MAX];
	unsigned n_stock;
	uint64_t stock_ms; /* when it was last used */
	bool making;
	struct io_job job;
};

/* --- files ----------------------------------------------------------------------------------------------------------------- */

static bool make_file(struct qmgr *q, uint32_t counter, struct lent *ret, struct err *e)
{
	for (int try = 0; try < 10; try++) {
		struct spool_id id;
		spool_id_make(clock_real_secs(), counter, (uint32_t)rnd_u64(), &id);
		int fd = openat(
			qfile_dir(&q->dir, IN_NEW, &id), id.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (fd < 0 && (errno == EEXIST || errno == EINTR))
			continue;
		if (fd < 0)
			break;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			err_sys(e, ERR_TEMP, "lock a new queue file");
			close(fd);
			look_add(q, &id); /* unlinks it */
			return false;
		}
		*ret = (struct lent){ .id = id, .fd = fd };
		return true;
	}
	return err_sys(e, ERR_TEMP, "make a queue file");
}

/* What cannot be unlinked now is, once it is unlocked. */
static void remove_file(struct qmgr *q, const struct spool_id *id)
{
	struct err e;
	if (qfile_unlink(qfile_dir(&q->dir, IN_NEW, id), id->text, &e))
		return;
	LOG_ERROR("unlink-failed", KV_QID(id->text), KV_ERR(&e));
	look_add(q, id);
}

/* --- channels -------------------------------------------------------------------------------------------------------------- */

/* What it had borrowed may be written and accepted: look. */
static void chan_close(struct chan *c)
{
	struct qmgr *q = c->q;
	struct lend *l = q->lend;
	ev_del(q->loop, &c->watch);
	fd_close(&c->watch.fd);
	*(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	l->n--;
	for (unsigned i = 0; i < c->n_lent && !q->draining; i++)
		look_add(q, &c->lent[i]);
	if (!q->draining)
		look_hint(q);
	free(c);
}

static bool give(struct chan *c, const struct lent *f, struct err *e)
{
	struct queue_lent m = { .file = f->fd };
	memcpy(m.id, f->id.text, sizeof(f->id.text));
	if (!ipc_send(c->watch.fd, &queue_lent_desc, &m, 0, e))
		return false;
	c->lent[c->n_lent++] = f->id;
	LOG_DEBUG("lent", KV_QID(f->id.text));
	return true;
}

static bool refuse(struct chan *c, const char *why, struct err *e)
{
	struct queue_full m;
	snprintf(m.text, sizeof(m.text), "%s", why);
	return ipc_send(c->watch.fd, &queue_full_desc, &m, 0, e);
}

/* Too many descriptors are on their way to smtpds that do not take them: full, not the channel's fault. */
static bool give_or_refuse(struct chan *c, struct lent *f, struct err *e)
{
	bool ok = give(c, f, e);
	if (!ok) {
		remove_file(c->q, &f->id);
		if (e->sys == ETOOMANYREFS || e->sys == EMFILE || e->sys == ENFILE)
			ok = refuse(c, "too many queue files are lent", e);
	}
	fd_close(&f->fd);
	return ok;
}

/* --- strict: a stock of files whose directory is synced ---------------------------------------------------------------------- */

/* Channels that asked while a batch was being made: the first ones get what there is. True: some still wait. */
static bool pay_owed(struct lend *l)
{
	struct err e;
	struct chan *next;
	bool some = false;
	for (struct chan *c = l->first; c != NULL; c = next) {
		bool ok = true;
		next = c->next;
		for (; ok && c->owed > 0 && l->n_stock > 0; c->owed--)
			ok = give_or_refuse(c, &l->stock[--l->n_stock], &e);
		some = some || (ok && c->owed > 0);
		if (!ok)
			chan_close(c);
	}
	return some;
}

static void drop_stock(struct qmgr *q)
{
	struct lend *l = q->lend;
	while (l->n_stock > 0) {
		remove_file(q, &l->stock[--l->n_stock].id);
		fd_close(&l->stock[l->n_stock].fd);
	}
}

static void refuse_owed(struct lend *l, const char *why)
{
	struct err e;
	struct chan *next;
	for (struct chan *c = l->first; c != NULL; c = next) {
		bool ok = true;
		next = c->next;
		for (; ok && c->owed > 0; c->owed--)
			ok = refuse(c, why, &e);
		if (!ok)
			chan_close(c);
	}
}

static bool make_stock(struct qmgr *q, struct err *e) MUST_CHECK;

static void stock_done(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct qmgr *q = job->arg;
	struct lend *l = q->lend;
	struct err why;
	l->making = false;
	if (answer != IO_OK) {
		LOG_ERROR("sync-failed", KV_ERR(e));
		drop_stock(q);
		refuse_owed(l, "the queue's directory cannot be synced");
	} else if (pay_owed(l) && !q->draining && !make_stock(q, &why)) {
		LOG_WARN("lend-failed", KV_ERR(&why));
		refuse_owed(l, "the queue is full");
	}
}

/* All in one shard, another each time: one fsync makes their names durable. */
static bool make_stock(struct qmgr *q, struct err *e)
{
	struct lend *l = q->lend;
	if (l->making)
		return true;
	l->counter = l->counter / SPOOL_SHARDS * SPOOL_SHARDS + (l->counter + 1) % SPOOL_SHARDS;
	for (unsigned i = 0; i < STOCK_MAX; i++) {
		l->counter += SPOOL_SHARDS;
		if (!make_file(q, l->counter, &l->stock[l->n_stock], e))
			break;
		l->n_stock++;
	}
	if (l->n_stock == 0)
		return false;
	l->making = true;
	l->job = (struct io_job){ .op = IO_SYNC_DIR, .dirs = io_dir_bit(IN_NEW, &l->stock[0].id), .done = stock_done, .arg = q };
	io_submit(q->io, &l->job);
	return true;
}

/* False: *e is the channel's end, or (*ret_full) why no file can be made. A channel is answered once for each question: it would
 * take a second answer for that to its next. */
static bool lend_strict(struct chan *c, bool *ret_full, struct err *e)
{
	struct lend *l = c->q->lend;
	struct err later;
	l->stock_ms = ev_now_ms(c->q->loop);
	*ret_full = false;
	if (!l->making && l->n_stock > 0) {
		bool ok = give_or_refuse(c, &l->stock[--l->n_stock], e);
		if (l->n_stock == 0 && !make_stock(c->q, &later))
			LOG_DEBUG("stock-empty", KV_ERR(&later)); /* who asks next is told */
		return ok;
	}
	if (!make_stock(c->q, e)) {
		*ret_full = true;
		return false;
	}
	c->owed++;
	return true;
}

/* --- messages -------------------------------------------------------------------------------------------------------------- */

static bool full(struct chan *c, struct err *e)
{
	LOG_WARN("lend-failed", KV_ERR(e));
	space_failed(c->q, e->sys == ENOSPC || e->sys == EDQUOT ? "the queue's file system is full" : "queue files cannot be made");
	return refuse(c, "the queue is full", e);
}

static bool on_lend(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct qmgr *q = c->q;
	const struct queue_lend *m = msg;
	const char *why;
	struct lent f;
	if (c->n_lent + c->owed >= LENT_MAX)
		return err_set(e, ERR_PEER, "more than %d files lent", LENT_MAX);
	if (!space_ok(q, m->reserve == 1, &why))
		return refuse(c, why, e);
	if (q->dir.strict) {
		bool no_file;
		return lend_strict(c, &no_file, e) || (no_file && full(c, e));
	}
	if (!make_file(q, ++q->lend->counter, &f, e))
		return full(c, e);
	return give_or_refuse(c, &f, e);
}

static bool take_back(struct chan *c, const struct spool_id *id)
{
	for (unsigned i = 0; i < c->n_lent; i++)
		if (strcmp(c->lent[i].text, id->text) == 0) {
			c->lent[i] = c->lent[--c->n_lent];
			return true;
		}
	return false;
}

static bool id_of(const char *text, struct spool_id *ret, struct err *e)
{
	return spool_id_parse(sv_of(text), ret) || err_set(e, ERR_PEER, "no queue id");
}

/* A note for a file that another channel borrowed (smtpd came back after a restart of ours) is a hint to look, no more. */
static bool on_note(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct queue_note *m = msg;
	struct spool_id id;
	if (!id_of(m->id, &id, e))
		return false;
	if (take_back(c, &id))
		look_note(c->q, &id, m->hold == 1);
	else
		look_hint(c->q);
	return true;
}

static bool on_unused(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct queue_unused *m = msg;
	struct spool_id id;
	if (!id_of(m->id, &id, e))
		return false;
	/* Looked at, not unlinked unseen: only an empty file is nobody's mail. */
	if (take_back(c, &id))
		look_add(c->q, &id);
	return true;
}

static bool on_read(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct queue_read *m = msg;
	struct queue_reader a = { .file = -1 };
	struct spool_id id;
	if (!id_of(m->id, &id, e))
		return false;
	bool lent = false;
	for (unsigned i = 0; i < c->n_lent; i++)
		lent = lent || strcmp(c->lent[i].text, id.text) == 0;
	if (!lent)
		return err_set(e, ERR_PEER, "asked to read a file that is not lent to it");
	memcpy(a.id, id.text, sizeof(id.text));
	a.file = openat(qfile_dir(&c->q->dir, IN_NEW, &id), id.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (a.file < 0)
		return err_sys(e, ERR_TEMP, "open a lent file");
	bool ok = ipc_send(c->watch.fd, &queue_reader_desc, &a, 0, e);
	close(a.file);
	return ok;
}

static const struct ipc_rule rules[] = {
	{ &queue_lend_desc, 1, 1, 0, on_lend },
	{ &queue_note_desc, 1, 1, 0, on_note },
	{ &queue_unused_desc, 1, 1, 0, on_unused },
	{ &queue_read_desc, 1, 1, 0, on_read },
	{ NULL },
};

static void on_chan(struct ev_io *w, unsigned events, void *arg)
{
	struct chan *c = arg;
	struct qmgr *q = c->q;
	struct err e;
	(void)w;
	(void)events;
	/* One packet: what else is there is told again, to all channels in one call. */
	bool got = ipc_recv(c->watch.fd, &q->packet, 0, &e);
	bool ok = got && ipc_dispatch(rules, &c->seen, 1, 1, &q->packet, c, &e);
	if (!ok && (got || e.kind != ERR_TEMP)) {
		if (got || e.sys != 0)
			LOG_WARN("channel-dropped", KV_STR("peer", "smtpd"), KV_ERR(&e));
		chan_close(c);
	}
	work_dispatch(q);
}

void lend_channel(struct qmgr *q, int fd)
{
	struct chan *c = mem_new(sizeof(*c));
	struct err e;
	c->q = q;
	c->watch = (struct ev_io){ .fd = fd, .on = on_chan, .arg = c };
	if (!ev_add(q->loop, &c->watch, EV_READ, &e)) {
		LOG_ERROR("channel-failed", KV_STR("peer", "smtpd"), KV_ERR(&e));
		close(fd);
		free(c);
		return;
	}
	c->next = q->lend->first;
	if (c->next != NULL)
		c->next->prev = c;
	q->lend->first = c;
	q->lend->n++;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------- */

bool lend_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->lend = mem_new(sizeof(*q->lend));
	q->lend->counter = (uint32_t)rnd_u64();
	q->lend->listener.watch.fd = -1;
	return true;
}

bool lend_start(struct qmgr *q, struct err *e) { return q_listen(q, &q->lend->listener, "queue-mgr.smtpd", lend_channel, e); }

void lend_stop(struct qmgr *q)
{
	struct lend *l = q->lend;
	ev_del(q->loop, &l->listener.watch);
	drop_stock(q);
	while (l->first != NULL)
		chan_close(l->first);
}

void lend_free(struct qmgr *q)
{
	if (q->lend == NULL)
		return;
	lend_stop(q);
	free(q->lend);
	q->lend = NULL;
}

void lend_tick(struct qmgr *q)
{
	if (!q->lend->making && ev_now_ms(q->loop) - q->lend->stock_ms > STOCK_MS)
		drop_stock(q);
}

size_t lend_channels(const struct qmgr *q) { return q->lend->n; }
