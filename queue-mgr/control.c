#include "control.h"

#include "act.h"
#include "control_list.h"
#include "dest.h"
#include "base/fd.h"
#include "base/log.h"

#include <sys/socket.h>

#define CHANNELS_MAX 100
#define CHANNELS_PER_USER 10 /* nobody keeps the admins out */
#define ENTRIES_PER_TURN 4096
#define FILES_PER_TURN 32
#define GROUPS_MAX 1024

struct control {
	struct q_listener listener;
	struct chan *first;
	size_t n;
	struct log_rate refusals; /* anyone may call */
};

/* --- answers --------------------------------------------------------------------------------------------------------------- */

static void chan_free(struct chan *c)
{
	struct control *k = c->q->control;
	*(c->prev != NULL ? &c->prev->next : &k->first) = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	k->n--;
	list_end(c);
	free(c);
}

/* While the directories are being synced the job holds the memory. */
static void chan_close(struct chan *c)
{
	ev_timer_clear(c->q->loop, &c->timer);
	ev_del(c->q->loop, &c->watch);
	fd_close(&c->watch.fd);
	if (!c->syncing)
		chan_free(c);
}

static void send_done(struct chan *c, bool ok, const char *text)
{
	struct queue_done m = { .ok = ok, .matched = c->matched, .pending = c->pending };
	struct err e;
	snprintf(m.text, sizeof(m.text), "%s", text);
	c->walking = false;
	list_end(c);
	/* An admin's tool that does not take its last answer in a second is gone. */
	if (!ipc_send(c->watch.fd, &queue_done_desc, &m, 0, &e))
		chan_close(c);
	else
		ev_want(c->q->loop, &c->watch, EV_READ);
}

static void synced(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct chan *c = job->arg;
	c->syncing = false;
	if (c->watch.fd < 0)
		chan_free(c);
	else if (c->failed[0] != '\0')
		send_done(c, false, c->failed);
	else
		send_done(c, answer == IO_OK, answer == IO_OK ? "" : e->text);
}

static void walk_done(struct chan *c)
{
	if (c->dirs != 0) {
		c->syncing = true;
		c->job = (struct io_job){ .op = IO_SYNC_DIR, .dirs = c->dirs, .done = synced, .arg = c };
		ev_want(c->q->loop, &c->watch, 0);
		io_submit(c->q->io, &c->job);
	} else if (c->failed[0] != '\0')
		send_done(c, false, c->failed);
	else if (c->req.id[0] != '\0' && c->matched == 0) {
		char text[100];
		snprintf(text, sizeof(text), "no message %s in the queue", c->req.id);
		send_done(c, false, text);
	} else
		send_done(c, true, "");
}

/* --- the walk -------------------------------------------------------------------------------------------------------------- */

static void act(struct chan *c, uint32_t slot)
{
	struct err e;
	switch (act_on(c->q, slot, (enum queue_op)c->req.op, c->admin, &c->dirs, &e)) {
	case ACTED:
		c->matched++;
		break;
	case ACTED_LATER:
		c->matched++;
		c->pending++;
		break;
	case ACTED_NOT:
		break;
	case ACTED_FAILED:
		snprintf(c->failed, sizeof(c->failed), "%s", e.text);
	}
}

static bool reads_file(const struct chan *c)
{
	const struct queue_filter *f = &c->req;
	return !c->admin || f->op == QOP_LIST || f->op == QOP_SHOW || f->sender[0] != '\0' || f->rcpt[0] != '\0' ||
	       f->domain[0] != '\0';
}

/* One entry. *files counts what was opened. */
static void visit(struct chan *c, uint32_t slot, int *files)
{
	if (!index_used(c->q->index, slot) || !list_entry_matches(c, slot))
		return;
	*files += reads_file(c) || c->req.op != QOP_FLUSH;
	if (reads_file(c) && !list_file_matches(c, slot))
		return;
	if (c->req.op != QOP_LIST && c->req.op != QOP_SHOW)
		act(c, slot);
	else {
		c->matched++;
		list_begin(c, slot);
	}
}

/* False: none is left. */
static bool next_dest(struct chan *c)
{
	if (!c->admin || !dests_next(c->q, &c->dest_cursor, &c->dest))
		return false;
	c->matched++;
	c->tell = TELL_DEST;
	return true;
}

static void walk(struct chan *c)
{
	struct err e;
	int files = 0;
	for (int n = 0; n < ENTRIES_PER_TURN && files < FILES_PER_TURN; n++) {
		switch (list_send(c, &e)) {
		case LIST_SENT:
			break;
		case LIST_BLOCKED:
			ev_want(c->q->loop, &c->watch, EV_WRITE);
			return;
		case LIST_FAILED:
			chan_close(c);
			return;
		}
		if (c->req.op == QOP_DESTS && next_dest(c))
			continue;
		if (c->cursor < c->end)
			visit(c, c->cursor++, &files);
		else if (!list_corrupt(c)) {
			walk_done(c);
			return;
		}
	}
	ev_want(c->q->loop, &c->watch, 0);
	ev_timer_set(c->q->loop, &c->timer, 0);
}

static void on_timer(struct ev_timer *t, void *arg)
{
	(void)t;
	walk(arg);
}

static bool on_request(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct spool_id id;
	c->req = *(struct queue_filter *)msg;
	if (c->req.op >= QOP_COUNT)
		return err_set(e, ERR_PEER, "no such act on the queue");
	c->matched = c->pending = c->dirs = 0;
	c->failed[0] = '\0';
	c->walking = true;
	c->cursor = 0;
	c->dest_cursor = 0;
	c->end = c->req.op == QOP_DESTS ? 0 : index_end(c->q->index);
	if (c->req.op == QOP_DESTS && !c->admin)
		snprintf(c->failed, sizeof(c->failed), "only admins may see this: root and members of the admin group");
	if (c->req.id[0] != '\0') {
		uint32_t slot = spool_id_parse(sv_of(c->req.id), &id) ? index_find(c->q->index, &id) : INDEX_NONE;
		c->cursor = slot == INDEX_NONE ? c->end : slot;
		c->end = slot == INDEX_NONE ? c->end : slot + 1;
	}
	return true;
}

static const struct ipc_rule rules[] = {
	{ &queue_filter_desc, 1, 1, 0, on_request },
	{ NULL },
};

static void on_chan(struct ev_io *w, unsigned events, void *arg)
{
	struct chan *c = arg;
	struct qmgr *q = c->q;
	struct err e;
	if (c->syncing || ((events & EV_HUP) != 0 && (events & EV_READ) == 0)) {
		chan_close(c);
		return;
	}
	if (!c->walking) {
		bool got = ipc_recv(w->fd, &q->packet, 0, &e);
		if (!got && e.kind == ERR_TEMP)
			return;
		if (!got || !ipc_dispatch(rules, &c->seen, 1, 1, &q->packet, c, &e)) {
			if (got && log_may(&q->control->refusals, "channel-dropped", ev_now_ms(q->loop)))
				LOG_WARN("channel-dropped", KV_STR("peer", "control"), KV_U64("uid", c->uid), KV_ERR(&e));
			chan_close(c);
			return;
		}
	}
	walk(c);
}

/* --- who -------------------------------------------------------------------------------------------------------------------- */

static bool is_admin(const struct qmgr *q, int fd, uid_t uid, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);
	if (uid == 0 || (svc_unprivileged(q->svc) && uid == getuid()))
		return true;
	if (q->admin_gid == (gid_t)-1)
		return false;
	if (gid == q->admin_gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == q->admin_gid)
			return true;
	return false;
}

static size_t channels_of(const struct control *k, uid_t uid)
{
	size_t n = 0;
	for (const struct chan *c = k->first; c != NULL; c = c->next)
		n += c->uid == uid;
	return n;
}

static bool chan_add(struct qmgr *q, struct chan *c, struct err *e)
{
	pid_t pid;
	gid_t gid;
	if (q->control->n >= CHANNELS_MAX)
		return err_set(e, ERR_LIMIT, "too many control channels");
	if (!sock_peer_cred(c->watch.fd, &pid, &c->uid, &gid, e))
		return false;
	c->admin = is_admin(q, c->watch.fd, c->uid, gid);
	if (!c->admin && channels_of(q->control, c->uid) >= CHANNELS_PER_USER)
		return err_set(e, ERR_LIMIT, "uid %u has too many control channels", (unsigned)c->uid);
	return ev_add(q->loop, &c->watch, EV_READ, e);
}

static void on_new_chan(struct qmgr *q, int fd)
{
	struct chan *c = mem_new(sizeof(*c));
	struct err e;
	c->q = q;
	c->corrupt = NULL;
	c->watch = (struct ev_io){ .fd = fd, .on = on_chan, .arg = c };
	c->timer = (struct ev_timer){ .on = on_timer, .arg = c };
	if (!chan_add(q, c, &e)) {
		if (log_may(&q->control->refusals, "channel-failed", ev_now_ms(q->loop)))
			LOG_WARN("channel-failed", KV_STR("peer", "control"), KV_ERR(&e));
		close(fd);
		free(c);
		return;
	}
	c->next = q->control->first;
	if (c->next != NULL)
		c->next->prev = c;
	q->control->first = c;
	q->control->n++;
}

bool control_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->control = mem_new(sizeof(*q->control));
	q->control->listener.watch.fd = -1;
	return true;
}

bool control_start(struct qmgr *q, struct err *e)
{
	return q_listen(q, &q->control->listener, "queue-mgr.control", on_new_chan, e);
}

void control_stop(struct qmgr *q)
{
	struct chan *next;
	ev_del(q->loop, &q->control->listener.watch);
	for (struct chan *c = q->control->first; c != NULL; c = next) {
		next = c->next;
		if (!c->syncing)
			chan_close(c);
	}
}

void control_free(struct qmgr *q)
{
	if (q->control == NULL)
		return;
	control_stop(q);
	free(q->control);
	q->control = NULL;
}
