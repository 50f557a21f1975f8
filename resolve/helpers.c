#include "helpers.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <sys/wait.h>

#define SLOTS_MAX                                                                                                                \
	128           /* twice the most helpers: a killed one may stay in the kernel for a while (a hanging network file system) \
		       */
#define HELPER_FD 3   /* in the child */
#define RETRY_MS 1000 /* after a fork that failed */

struct helper {
	struct helpers *all;
	pid_t pid; /* 0: free slot */
	int fd;    /* -1: being killed */
	struct ev_io io;
	struct ev_child child;
	struct helper_job *job;
};

struct helpers {
	struct ev_loop *loop;
	void (*on_answer)(struct helper_job *, const struct nss_user *);
	size_t max;
	struct helper slot[SLOTS_MAX];
	struct helper_job *first, *last; /* in line */
	struct ev_timer kick;            /* hands out work: not within helpers_ask(), and again after a failure */
	struct ipc_packet packet;
};

/* --- the line ------------------------------------------------------------------------------------------------------------ */

static void enqueue(struct helpers *h, struct helper_job *job)
{
	job->next = NULL;
	job->prev = h->last;
	job->queued = true;
	*(h->last ? &h->last->next : &h->first) = job;
	h->last = job;
}

static void dequeue(struct helpers *h, struct helper_job *job)
{
	*(job->prev ? &job->prev->next : &h->first) = job->next;
	*(job->next ? &job->next->prev : &h->last) = job->prev;
	job->next = job->prev = NULL;
	job->queued = false;
}

/* --- one helper ---------------------------------------------------------------------------------------------------------- */

/* No more work for it, and whoever waited hears that nothing comes. Its slot is free when it has been reaped. */
static void retire(struct helper *p)
{
	struct helper_job *job = p->job;

	ev_del(p->all->loop, &p->io);
	fd_close(&p->fd);
	p->job = NULL;
	ev_timer_set(p->all->loop, &p->all->kick, 0);
	if (job) {
		job->with = NULL;
		p->all->on_answer(job, NULL);
	}
}

static void kill_helper(struct helper *p)
{
	kill(p->pid, SIGKILL);
	retire(p);
}

static void on_exit_of(struct ev_child *c, int status, void *arg)
{
	struct helper *p = arg;

	(void)c;
	p->pid = 0;
	if (p->fd < 0)
		return;
	LOG_WARN("nss-helper-died", KV_U64("status", (uint64_t)status));
	retire(p);
}

static void on_packet(struct ev_io *io, unsigned events, void *arg)
{
	struct helper *p = arg;
	struct helpers *h = p->all;
	struct nss_user a;
	struct err e = { .kind = ERR_NONE };

	(void)events;
	if (!ipc_recv_msg(io->fd, &nss_user_desc, &a, 0, &e)) {
		if (e.sys != EAGAIN)
			kill_helper(p);
		return;
	}
	struct helper_job *job = p->job;
	if (!job)
		return; /* nobody asked: but it is our own child */
	p->job = NULL;
	job->with = NULL;
	h->on_answer(job, &a);
	ev_timer_set(h->loop, &h->kick, 0);
}

/* The child keeps its end of the pair and standard error: no listener, no channel, or clients would not see us die. */
static void be_helper(int fd) NORETURN;
static void be_helper(int fd)
{
	ev_after_fork();
	if (dup2(fd, HELPER_FD) < 0 || close_range(HELPER_FD + 1, ~0u, 0) < 0)
		_exit(71);
	nss_helper_run(HELPER_FD);
	_exit(0);
}

static bool start(struct helpers *h, struct helper *p, struct err *e)
{
	int pair[2];

	if (!sock_pair(SOCK_SEQPACKET, pair, e))
		return false;
	pid_t pid = fork();
	if (pid == 0)
		be_helper(pair[1]);
	fd_close(&pair[1]);
	if (pid < 0) {
		err_sys(e, ERR_TEMP, "start a helper process");
		fd_close(&pair[0]);
		return false;
	}
	*p = (struct helper){ .all = h,
		.pid = pid,
		.fd = pair[0],
		.io = { .fd = pair[0], .on = on_packet, .arg = p },
		.child = { .pid = pid, .on = on_exit_of, .arg = p } };
	if (ev_child_watch(h->loop, &p->child, e) && ev_add(h->loop, &p->io, EV_READ, e))
		return true;
	ev_child_forget(h->loop, &p->child);
	fd_close(&p->fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	p->pid = 0;
	return false;
}

/* --- handing out --------------------------------------------------------------------------------------------------------- */

/* An idle helper, or a new one, if more are allowed. NULL: all are busy (ret_failed: or none can be made now). */
static struct helper *find_helper(struct helpers *h, bool *ret_failed)
{
	struct helper *empty = NULL;
	size_t live = 0;
	struct err e = { .kind = ERR_NONE };

	for (size_t i = 0; i < 2 * h->max; i++) {
		struct helper *p = &h->slot[i];
		if (p->pid && p->fd >= 0 && !p->job)
			return p;
		live += p->pid && p->fd >= 0;
		if (!p->pid && !empty)
			empty = p;
	}
	if (live >= h->max || !empty)
		return NULL;
	if (start(h, empty, &e))
		return empty;
	LOG_ERROR("nss-helper-failed", KV_ERR(&e));
	*ret_failed = true;
	return NULL;
}

static void hand_out(struct ev_timer *t, void *arg)
{
	struct helpers *h = arg;
	struct helper *p;
	bool failed = false;

	while (h->first && (p = find_helper(h, &failed))) {
		struct helper_job *job = h->first;
		dequeue(h, job);
		p->job = job;
		job->with = p;
		if (!ipc_send(p->fd, &nss_req_desc, &job->q, 0, NULL))
			kill_helper(p);
	}
	if (failed)
		ev_timer_set(h->loop, t, RETRY_MS);
}

struct helpers *helpers_new(struct ev_loop *loop, uint64_t max, void (*on_answer)(struct helper_job *, const struct nss_user *))
{
	struct helpers *h = mem_new(sizeof(*h));

	BUG_IF(2 * max > SLOTS_MAX);
	h->loop = loop;
	h->max = (size_t)max;
	h->on_answer = on_answer;
	h->kick = (struct ev_timer){ .on = hand_out, .arg = h };
	return h;
}

void helpers_free(struct helpers *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < COUNT(h->slot); i++) {
		struct helper *p = &h->slot[i];
		if (!p->pid)
			continue;
		ev_child_forget(h->loop, &p->child);
		ev_del(h->loop, &p->io);
		fd_close(&p->fd);
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	ev_timer_clear(h->loop, &h->kick);
	free(h);
}

void helpers_ask(struct helpers *h, struct helper_job *job)
{
	enqueue(h, job);
	ev_timer_set(h->loop, &h->kick, 0);
}

void helpers_drop(struct helpers *h, struct helper_job *job)
{
	struct helper *p = job->with;

	if (job->queued)
		dequeue(h, job);
	if (!p)
		return;
	if (job->q.what == NSS_BY_ADDRESS) /* anybody can have a name server that does not answer */
		LOG_DEBUG("name-unknown", KV_STR("address", job->q.name));
	else
		LOG_WARN("nss-helper-stuck", KV_STR("user", job->q.name), KV_U64("uid", job->q.uid));
	p->job = NULL; /* its owner knows */
	job->with = NULL;
	kill_helper(p);
}
