/* queue-mgr's side of its queue-io helpers. */
#include "io.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define IN_FLIGHT_MAX 16 /* for one helper: fits the socket's buffer, so that a send never blocks */
#define AGAIN_MS 100

struct helper {
	struct io *io;
	struct ev_io watch;
	struct ev_child child;
	struct io_job *first, *last; /* sent, answered in order */
	unsigned in_flight;
};

struct io {
	struct ev_loop *loop;
	const char *queue_path;
	struct io_job *first, *last; /* not sent yet */
	size_t busy;
	struct ev_timer again;
	unsigned n;
	struct helper helper[];
};

static void push(struct io_job **first, struct io_job **last, struct io_job *job)
{
	job->next = NULL;
	*(*last != NULL ? &(*last)->next : first) = job;
	*last = job;
}

static struct io_job *pop(struct io_job **first, struct io_job **last)
{
	struct io_job *job = *first;
	*first = job->next;
	if (*first == NULL)
		*last = NULL;
	return job;
}

static bool send_job(struct helper *h, const struct io_job *job)
{
	struct io_request req = { .op = (uint32_t)job->op,
		.where = (uint32_t)job->where,
		.n_marks = (uint32_t)job->n_marks,
		.id = job->id,
		.dirs = job->dirs };
	memcpy(req.name, job->name, sizeof(req.name));
	struct iovec v[] = { { &req, sizeof(req) }, { (void *)(uintptr_t)job->marks, job->n_marks * sizeof(struct io_mark) } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = COUNT(v) };
	ssize_t n;
	do
		n = sendmsg(h->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static struct helper *least_busy(struct io *io)
{
	struct helper *best = NULL;
	for (unsigned i = 0; i < io->n; i++) {
		struct helper *h = &io->helper[i];
		if (h->watch.fd >= 0 && h->in_flight < IN_FLIGHT_MAX && (best == NULL || h->in_flight < best->in_flight))
			best = h;
	}
	return best;
}

/* A helper's death comes as an event, a full buffer is drained by its next answer. But memory may be short with no answer to come.
 */
static void send_later(struct io *io)
{
	struct err e;
	if (errno != EAGAIN && errno != EPIPE) {
		err_sys(&e, ERR_TEMP, "send a job");
		LOG_ERROR("helper-failed", KV_STR("daemon", "queue-io"), KV_ERR(&e));
	}
	if (io->again.place == 0)
		ev_timer_set(io->loop, &io->again, AGAIN_MS);
}

static void send_waiting(struct io *io)
{
	struct helper *h;
	while (io->first != NULL && (h = least_busy(io)) != NULL) {
		if (!send_job(h, io->first)) {
			send_later(io);
			break;
		}
		push(&h->first, &h->last, pop(&io->first, &io->last));
		h->in_flight++;
	}
}

static void finish_job(struct helper *h, enum io_answer answer, const struct err *e)
{
	struct io_job *job = pop(&h->first, &h->last);
	h->in_flight--;
	h->io->busy--;
	job->done(job, answer, e);
}

/* --- helpers --------------------------------------------------------------------------------------------------------------- */

static bool start_helper(struct helper *h, struct err *e);

static void helper_lost(struct helper *h)
{
	static const struct err lost = { .kind = ERR_TEMP, .text = "a queue-io helper ended" };
	ev_del(h->io->loop, &h->watch);
	fd_close(&h->watch.fd);
	LOG_ERROR("helper-lost", KV_STR("daemon", "queue-io"), KV_U64("jobs", h->in_flight));
	while (h->first != NULL)
		finish_job(h, IO_TEMP, &lost);
	ev_timer_set(h->io->loop, &h->io->again, 1000);
}

static void on_helper(struct ev_io *w, unsigned events, void *arg)
{
	struct helper *h = arg;
	struct io_reply reply;
	(void)events;
	while (w->fd >= 0) {
		ssize_t n = recv(w->fd, &reply, sizeof(reply), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n != sizeof(reply) || h->first == NULL) {
			helper_lost(h);
			break;
		}
		finish_job(h, (enum io_answer)reply.answer, &reply.e);
	}
	send_waiting(h->io);
}

static void on_child(struct ev_child *c, int status, void *arg)
{
	(void)c;
	(void)status;
	(void)arg; /* the end of its socket says the same */
}

static void on_again(struct ev_timer *t, void *arg)
{
	struct io *io = arg;
	struct err e;
	for (unsigned i = 0; i < io->n; i++) {
		struct helper *h = &io->helper[i];
		if (h->watch.fd >= 0)
			continue;
		if (h->child.active) /* its socket has ended, its process not yet */
			err_set(&e, ERR_TEMP, "the one before still ends");
		else if (start_helper(h, &e))
			continue;
		LOG_ERROR("helper-failed", KV_STR("daemon", "queue-io"), KV_ERR(&e));
		ev_timer_set(io->loop, t, 1000);
	}
	send_waiting(io);
}

/* The child keeps its socket and nothing else: no lock of the directory or of a message, no listener, no channel. */
static void child_main(int fd, const char *queue_path) NORETURN;
static void child_main(int fd, const char *queue_path)
{
	ev_after_fork();
	dup2(fd, 3);
	if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0)
		for (int i = 4; i < 65536; i++)
			close(i);
	io_helper_run(3, queue_path);
	_exit(0);
}

static bool start_helper(struct helper *h, struct err *e)
{
	int pair[2];
	if (!sock_pair(SOCK_SEQPACKET, pair, e))
		return false;
	h->watch = (struct ev_io){ .fd = pair[0], .on = on_helper, .arg = h };
	bool watched = ev_add(h->io->loop, &h->watch, EV_READ, e);
	pid_t pid = watched ? fork() : -1;
	if (pid == 0)
		child_main(pair[1], h->io->queue_path);
	if (watched && pid < 0)
		err_sys(e, ERR_TEMP, "fork a queue-io helper");
	h->child = (struct ev_child){ .pid = pid, .on = on_child };
	bool ok = pid > 0 && ev_child_watch(h->io->loop, &h->child, e);
	close(pair[1]);
	if (!ok) {
		ev_del(h->io->loop, &h->watch);
		fd_close(&h->watch.fd);
	}
	if (!ok && pid > 0)
		waitpid(pid, NULL, 0); /* it ends with its socket */
	return ok;
}

struct io *io_new(struct ev_loop *loop, const char *queue_path, unsigned helpers, struct err *e)
{
	struct io *io = mem_new(sizeof(*io) + helpers * sizeof(struct helper));
	io->loop = loop;
	io->queue_path = queue_path;
	io->n = helpers;
	io->again = (struct ev_timer){ .on = on_again, .arg = io };
	for (unsigned i = 0; i < helpers; i++) {
		io->helper[i].io = io;
		io->helper[i].watch.fd = -1;
	}
	for (unsigned i = 0; i < helpers; i++)
		if (!start_helper(&io->helper[i], e)) {
			io_free(io);
			return NULL;
		}
	return io;
}

void io_free(struct io *io)
{
	if (io == NULL)
		return;
	ev_timer_clear(io->loop, &io->again);
	for (unsigned i = 0; i < io->n; i++) {
		ev_child_forget(io->loop, &io->helper[i].child);
		ev_del(io->loop, &io->helper[i].watch);
		fd_close(&io->helper[i].watch.fd);
	}
	free(io);
}

void io_submit(struct io *io, struct io_job *job)
{
	push(&io->first, &io->last, job);
	io->busy++;
	send_waiting(io);
}

size_t io_busy(const struct io *io) { return io->busy; }
