#include "control_list.h"

#include "act.h"
#include "qfile.h"
#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#define RECEIVED_READ 600 /* our Received line up to its id, in a local submission */

/* --- which ----------------------------------------------------------------------------------------------------------------- */

static bool like(const char *pattern, const char *text) { return pattern[0] == '\0' || fnmatch(pattern, text, FNM_CASEFOLD) == 0; }

bool list_entry_matches(const struct chan *c, uint32_t slot)
{
	const struct entry *en = index_at(c->q->index, slot);
	struct spool_id id;
	index_id(c->q->index, slot, &id);
	uint64_t now = q_now(), arrived = spool_id_secs(&id), age = now > arrived ? now - arrived : 0;
	if ((en->flags & ENTRY_DELETED) != 0)
		return false;
	if (c->req.older > 0 && age < c->req.older)
		return false;
	if (c->req.younger > 0 && age > c->req.younger)
		return false;
	return c->req.status[0] == '\0' || strcmp(c->req.status, act_status(c->q, slot)) == 0;
}

/* A local submission of this user: our own Received line says "by HOST (Postern, from userid N", and t=l says that it came by the
 * socket that knows. */
static bool submitted_by(const struct msg *m, uid_t uid)
{
	char text[RECEIVED_READ], want[64];
	size_t n;
	if (m->trust != SPOOL_LOCAL || !fd_pread(m->fd, text, sizeof(text), (off_t)m->offset, &n, NULL))
		return false;
	struct sv line = { text, n };
	ptrdiff_t end = sv_chr(line, '\n');
	if (end < 0 || !sv_starts(line, SV("Received: by ")))
		return false;
	line.n = (size_t)end;
	snprintf(want, sizeof(want), " (Postern, from userid %u", (unsigned)uid);
	ptrdiff_t at = sv_find(line, sv_of(want));
	if (at < 0)
		return false;
	struct sv rest = sv_skip(line, (size_t)at + strlen(want));
	return rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == ')');
}

static bool rcpt_matches(const struct queue_filter *f, const struct msg *m)
{
	if (f->rcpt[0] == '\0' && f->domain[0] == '\0')
		return true;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		const struct rcpt *r = &m->rcpt[i];
		const char *at = strrchr(r->addr, '@');
		if ((like(f->rcpt, r->addr) || (r->orig[0] != '\0' && like(f->rcpt, r->orig))) &&
			like(f->domain, at != NULL ? at + 1 : ""))
			return true;
	}
	return false;
}

/* No lock: it is only looked at, and may be in delivery. */
static struct msg *read_msg(const struct qmgr *q, uint32_t slot)
{
	struct spool_id id;
	struct stat st;
	char name[SPOOL_NAME_MAX];
	index_id(q->index, slot, &id);
	index_name(q->index, slot, name);
	int fd = openat(
		qfile_dir(&q->dir, index_at(q->index, slot)->where, &id), name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct msg *m = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? msg_read(fd, &id, (uint64_t)st.st_size, NULL) : NULL;
	if (m == NULL)
		close(fd);
	return m;
}

bool list_file_matches(struct chan *c, uint32_t slot)
{
	list_end(c);
	c->msg = read_msg(c->q, slot);
	if (c->msg == NULL)
		return false;
	if (like(c->req.sender, c->msg->sender[0] != '\0' ? c->msg->sender : "<>") && rcpt_matches(&c->req, c->msg) &&
		(c->admin || submitted_by(c->msg, c->uid)))
		return true;
	list_end(c);
	return false;
}

/* --- what ------------------------------------------------------------------------------------------------------------------ */

void list_end(struct chan *c)
{
	msg_free(c->msg);
	c->msg = NULL;
	c->tell = TELL_NOTHING;
	if (!c->walking && c->corrupt != NULL) {
		closedir(c->corrupt);
		c->corrupt = NULL;
	}
	c->corrupt_read = c->walking && c->corrupt_read;
}

void list_begin(struct chan *c, uint32_t slot)
{
	const struct qmgr *q = c->q;
	const struct entry *en = index_at(q->index, slot);
	struct queue_entry *t = &c->entry;
	const struct msg *m = c->msg;
	memset(t, 0, sizeof(*t));
	snprintf(t->id, sizeof(t->id), "%s", m->id.text);
	snprintf(t->status, sizeof(t->status), "%s", act_status(q, slot));
	snprintf(t->pending, sizeof(t->pending), "%s", act_pending(q, slot));
	snprintf(t->sender, sizeof(t->sender), "%s", m->sender);
	snprintf(t->reason, sizeof(t->reason), "%s",
		m->asks.hold_until > q_now() ? "not to be delivered before, as its sender asked (FUTURERELEASE)"
					     : reasons_get(q->reasons, &m->id));
	t->size = m->size - m->offset;
	t->arrived = m->arrived;
	t->due = en->state == ENTRY_DUE ? index_due_at(q->index, slot) : 0;
	t->tries = en->tries;
	t->recipients = MIN(msg_open_rcpts(m), (unsigned)QUEUE_LIST_RCPTS);
	c->next_rcpt = c->told = 0;
	c->tell = TELL_ENTRY;
}

static bool send_rcpt(struct chan *c, struct err *e)
{
	const struct rcpt *r = &c->msg->rcpt[c->next_rcpt];
	struct queue_entry_rcpt t = { .status = (unsigned char)r->status, .class = r->cls };
	if (r->status != SPOOL_TODO) {
		c->next_rcpt++;
		return true;
	}
	snprintf(t.rcpt, sizeof(t.rcpt), "%s", r->addr);
	snprintf(t.orig, sizeof(t.orig), "%s", r->orig);
	if (!ipc_send(c->watch.fd, &queue_entry_rcpt_desc, &t, 0, e))
		return false;
	c->next_rcpt++;
	c->told++;
	return true;
}

static bool send_content(struct chan *c, struct err *e)
{
	struct queue_content t = { .offset = c->msg->offset, .size = c->msg->size - c->msg->offset, .file = c->msg->fd };
	return ipc_send(c->watch.fd, &queue_content_desc, &t, 0, e);
}

static bool send_some(struct chan *c, struct err *e)
{
	switch (c->tell) {
	case TELL_ENTRY:
		if (!ipc_send(c->watch.fd, &queue_entry_desc, &c->entry, 0, e))
			return false;
		c->tell = c->msg != NULL ? TELL_RCPTS : TELL_NOTHING;
		return true;
	case TELL_RCPTS:
		if (c->next_rcpt == c->msg->n_rcpt || c->told == c->entry.recipients)
			c->tell = c->req.op == QOP_SHOW ? TELL_CONTENT : TELL_NOTHING;
		else
			return send_rcpt(c, e);
		return true;
	case TELL_CONTENT:
		if (!send_content(c, e))
			return false;
		c->tell = TELL_NOTHING;
		return true;
	case TELL_DEST:
		if (!ipc_send(c->watch.fd, &queue_dest_desc, &c->dest, 0, e))
			return false;
		c->tell = TELL_NOTHING;
		return true;
	case TELL_NOTHING:
		break;
	}
	return true;
}

enum list_sent list_send(struct chan *c, struct err *e)
{
	while (c->tell != TELL_NOTHING)
		if (!send_some(c, e))
			return e->kind == ERR_TEMP && e->sys == EAGAIN ? LIST_BLOCKED : LIST_FAILED;
	msg_free(c->msg);
	c->msg = NULL;
	return LIST_SENT;
}

/* --- corrupt/ -------------------------------------------------------------------------------------------------------------- */

static bool wants_corrupt(const struct chan *c)
{
	const struct queue_filter *f = &c->req;
	bool other = f->id[0] != '\0' || f->sender[0] != '\0' || f->rcpt[0] != '\0' || f->domain[0] != '\0' || f->older > 0 ||
		     f->younger > 0;
	return c->admin && f->op == QOP_LIST && !other && (f->status[0] == '\0' || strcmp(f->status, "corrupt") == 0);
}

static bool open_corrupt(struct chan *c)
{
	if (c->corrupt_read)
		return false;
	c->corrupt_read = true;
	int fd = openat(c->q->dir.corrupt_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->corrupt = fd < 0 ? NULL : fdopendir(fd);
	if (fd >= 0 && c->corrupt == NULL)
		close(fd);
	return c->corrupt != NULL;
}

bool list_corrupt(struct chan *c)
{
	const struct dirent *d;
	struct stat st;
	if (!wants_corrupt(c) || (c->corrupt == NULL && !open_corrupt(c)))
		return false;
	do {
		d = readdir(c->corrupt);
	} while (d != NULL && (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0));
	if (d == NULL) {
		closedir(c->corrupt);
		c->corrupt = NULL;
		return false;
	}
	memset(&c->entry, 0, sizeof(c->entry));
	snprintf(c->entry.id, sizeof(c->entry.id), "%.24s", d->d_name);
	snprintf(c->entry.status, sizeof(c->entry.status), "corrupt");
	snprintf(c->entry.reason, sizeof(c->entry.reason), "no queue file: see the log, and corrupt/ in the queue directory");
	if (fstatat(c->q->dir.corrupt_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* Whatever lies there: the message has limits. */
		c->entry.size = (uint64_t)MIN(st.st_size, (off_t)4 << 30);
		c->entry.arrived = (uint64_t)MIN(MAX(st.st_mtime, (time_t)0), (time_t)UINT32_MAX);
	}
	c->matched++;
	c->tell = TELL_ENTRY;
	return true;
}
