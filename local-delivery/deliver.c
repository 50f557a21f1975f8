/* One delivery: who is it, may it be renamed, else copy. Root touches the queue file's name and owner here and nothing else. */
#include "agent.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define PLAIN ".forward"
#define SMTPD_WAIT_MS 5000

struct job {
	struct agent *a;
	const struct deliver_req *req;
	struct deliver_res *res;
	struct box *box;
	int queue_dir;
	bool look_first;
	char forward[DOTFORWARD_NAME_MAX + 1]; /* the ~/.forward to follow, "" none */
};

/* queue-mgr's order is another process's word: what becomes a name or a line is checked. */
static bool order_ok(const struct deliver_req *req, struct spool_id *ret_id)
{
	struct spool_name name;
	struct sv id = sv_of(req->id);
	if (!spool_id_parse(id, ret_id) || req->offset > req->size)
		return false;
	if (sv_has_ctl(sv_of(req->sender)) || sv_has_ctl(sv_of(req->rcpt)) || sv_has_ctl(sv_of(req->orig)))
		return false;
	if (!req->in_cur)
		return strcmp(req->name, req->id) == 0;
	return spool_name_parse(sv_of(req->name), &name) && sv_eqs(id, name.id.text);
}

static bool may_forward(const struct job *j) { return j->box->is_system && j->a->cfg->local.dot_forward; }

/* Is there a file for mail to user+detail ("": the plain one)? Then it is j->forward. */
static bool look_for_forward(struct job *j, const char *detail)
{
	char name[DOTFORWARD_NAME_MAX + 1];
	struct err e;
	bool has;
	if (!dotforward_name(j->a->cfg->global.recipient_delimiter, detail, name))
		return true;
	if (!mbx_home_has(&j->box->user, name, &has, &e))
		return outcome(j->res, DEFERRED, e.dsn, "%s", e.text);
	if (has)
		BUG_IF(!sv_copy(sv_of(name), j->forward, sizeof j->forward));
	return true;
}

/* True: *res is final. False: copy, or forward. */
static bool moved(struct job *j)
{
	const struct mbx_move m = { .queue_dir = j->queue_dir,
		.queue_name = j->req->name,
		.queue_uid = j->a->queue.owner,
		.size = j->req->size,
		.user = &j->box->user,
		.name = j->req->id,
		.bar = may_forward(j) ? PLAIN : NULL,
		.file = j->req->file };
	enum mbx_moved how;
	struct err e;
	if (!mbx_move(&m, &how, &e)) {
		LOG_ERROR("queue-file", KV_QID(j->req->id), KV_ERR(&e));
		outcome(j->res, DEFERRED, e.dsn, "%s", e.text);
		return true;
	}
	if (how == MBX_BARRED) {
		snprintf(j->forward, sizeof j->forward, PLAIN);
		return false;
	}
	if (how == MBX_USE_COPY && j->a->cfg->local.delivery == CFG_DELIVERY_RENAME) {
		outcome(j->res, DEFERRED, e.dsn, "cannot be renamed: %s", e.text);
		return true;
	}
	if (how == MBX_USE_COPY) {
		j->box->apart = e.sys == EXDEV;
		LOG_DEBUG("copy", KV_QID(j->req->id), KV_ERR(&e));
		j->look_first = j->look_first || e.sys == EEXIST;
		return false;
	}
	if (how == MBX_MOVED && e.kind != ERR_NONE)
		LOG_WARN("group", KV_QID(j->req->id), KV_ERR(&e));
	char path[sizeof j->box->maildir + MBX_NAME_MAX];
	snprintf(path, sizeof path, "%s/new/%s", j->box->maildir, j->req->id);
	delivered(j->res, j->box->home, path);
	j->res->renamed = 1;
	return true;
}

static bool is_order(const struct job *j, const struct stat *st, const struct stat *want)
{
	return S_ISREG(st->st_mode) && st->st_ino == want->st_ino && st->st_dev == want->st_dev &&
	       (uint64_t)st->st_size >= j->req->size;
}

/* A description of its own, without queue-mgr's lock and without its rights: the user half may read this message and no more. */
static bool open_for_user(const struct job *j, int *ret_fd, struct err *e)
{
	struct stat want, st;
	int fd = openat(j->queue_dir, j->req->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "open queue file %s", j->req->name);
	if (fstat(fd, &st) < 0 || fstat(j->req->file, &want) < 0)
		err_sys(e, ERR_TEMP, "look at queue file %s", j->req->name);
	else if (!is_order(j, &st, &want))
		err_set(e, ERR_TEMP, "queue file %s is not the file to be delivered", j->req->name);
	else {
		*ret_fd = fd;
		return true;
	}
	fd_close(&fd);
	return false;
}

static void head_of(const struct deliver_req *req, struct buf *out)
{
	buf_putf(out, "Return-Path: <%s>\n", req->sender);
	if (*req->orig)
		buf_putf(out, "X-Original-To: %s\n", req->orig);
	buf_putf(out, "Delivered-To: %s\n", req->rcpt);
	BUG_IF(!buf_ok(out));
}

static void order_forward(const struct job *j, struct forward_order *ret)
{
	const struct deliver_req *req = j->req;
	const struct cfg *cfg = j->a->cfg;
	*ret = (struct forward_order){
		.notify = req->notify, .stranger = req->stranger, .wait_ms = cfg->local.local_timeout * 900
	}; /* a tenth less than we wait for the child */
	snprintf(ret->name, sizeof ret->name, "%s", j->forward);
	snprintf(ret->user, sizeof ret->user, "%s", j->box->name);
	snprintf(ret->delimiter, sizeof ret->delimiter, "%s", cfg->global.recipient_delimiter);
	snprintf(ret->hostname, sizeof ret->hostname, "%s", cfg->global.hostname);
	snprintf(ret->sender, sizeof ret->sender, "%s", req->sender);
	snprintf(ret->rcpt, sizeof ret->rcpt, "%s", req->rcpt);
	snprintf(ret->orig, sizeof ret->orig, "%s", req->orig);
	snprintf(ret->orcpt, sizeof ret->orcpt, "%s", req->orcpt);
	snprintf(ret->postern, sizeof ret->postern, "%s", req->postern);
}

static void forward(struct job *j, const struct mbx_copy *c)
{
	struct forwarding fwd = { .smtpd = -1 };
	struct err e;
	if (!j->a->connect(j->a->arg, "smtpd.forward", SMTPD_WAIT_MS, &fwd.smtpd, &e)) {
		outcome(j->res, DEFERRED, "4.3.0", "cannot forward: %s", e.text);
		return;
	}
	order_forward(j, &fwd.order);
	user_half_forward(&j->a->halves, &j->box->user, c, &fwd, j->a->cfg->local.local_timeout * 1000, j->res);
	fd_close(&fwd.smtpd);
	if (strcmp(j->res->dsn, "4.3.5") == 0 && j->res->status == DEFERRED)
		LOG_WARN("forward-file", KV_QID(j->req->id), KV_STR("to", j->req->rcpt), KV_STR("reason", j->res->text));
}

static void copy(struct job *j)
{
	const struct deliver_req *req = j->req;
	struct buf head = BUF_INIT(USER_HALF_HEAD_MAX);
	char name[MBX_NAME_MAX + 1];
	struct err e;
	int file = -1;
	if (!open_for_user(j, &file, &e)) {
		LOG_ERROR("queue-file", KV_QID(req->id), KV_ERR(&e));
		outcome(j->res, DEFERRED, "4.3.0", "%s", e.text);
		return;
	}
	head_of(req, &head);
	snprintf(name, sizeof name, "%s.%llu", req->id, (unsigned long long)req->number);
	const struct mbx_copy c = { .file = file,
		.offset = req->offset,
		.size = req->size,
		.head = head.data,
		.head_len = head.len,
		.name = name,
		.look_first = j->look_first,
		.moved_name = req->plain ? req->id : NULL };
	if (*j->forward)
		forward(j, &c);
	else
		user_half_copy(&j->a->halves, &j->box->user, &c, j->a->cfg->local.local_timeout * 1000, j->res);
	fd_close(&file);
	buf_free(&head);
}

void agent_deliver(struct agent *a, const struct deliver_req *req, struct deliver_res *res)
{
	struct job j = { .a = a, .req = req, .res = res, .look_first = req->tries > 0 };
	struct spool_id id;
	struct err e;
	*res = (struct deliver_res){ .number = req->number };
	memcpy(res->id, req->id, sizeof res->id);
	if (!order_ok(req, &id)) {
		LOG_ERROR("bad-order", KV_QID(req->id), KV_STR("name", req->name));
		outcome(res, DEFERRED, "4.3.0", "queue-mgr's order does not fit together");
		return;
	}
	if (!agent_find_box(a, req->rcpt, &j.box, res))
		return;
	if (!queue_dirs_get(&a->queue, spool_id_shard(&id), req->in_cur, &j.queue_dir, &e)) {
		LOG_ERROR("queue-dir", KV_ERR(&e));
		outcome(res, DEFERRED, "4.3.0", "%s", e.text);
		return;
	}
	bool may_rename = req->plain && a->cfg->local.delivery != CFG_DELIVERY_COPY &&
			  (!j.box->apart || a->cfg->local.delivery == CFG_DELIVERY_RENAME);
	if (!req->plain && a->cfg->local.delivery == CFG_DELIVERY_RENAME)
		outcome(res, DEFERRED, "4.3.5", "cannot be renamed: it has several recipients or an extended envelope");
	else if (may_forward(&j) && *j.box->detail && !look_for_forward(&j, j.box->detail))
		return;
	else if (!*j.forward && may_rename && moved(&j))
		return;
	else if (*j.forward || !may_forward(&j) || look_for_forward(&j, ""))
		copy(&j);
}
