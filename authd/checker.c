#include "checker.h"

#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>

struct check_job {
	struct auth_ask q;
	struct check_job *next;
};

static void dead(struct checker *c)
{
	ev_del(c->loop, &c->io);
	fd_close(&c->io.fd);
	c->on_dead(c->arg);
}

static void free_job(struct check_job *job)
{
	secret_wipe(job, sizeof *job);
	free(job);
}

static void hand_out(struct checker *c)
{
	while (c->first && c->busy < c->max && c->io.fd >= 0) {
		struct check_job *job = c->first;
		c->first = job->next;
		c->last = c->first ? c->last : NULL;
		c->waiting--;
		c->busy++;
		bool sent = ipc_send(c->io.fd, &auth_ask_desc, &job->q, 0, NULL);
		free_job(job);
		if (!sent)
			dead(c);
	}
}

static void on_packet(struct ev_io *io, unsigned events, void *arg)
{
	struct checker *c = arg;
	struct auth_verdict v;
	struct err e = { 0 };
	(void)events;
	if (!ipc_recv_msg(io->fd, &auth_verdict_desc, &v, 0, &e)) {
		if (e.sys != EAGAIN)
			dead(c);
		return;
	}
	c->busy -= c->busy > 0;
	c->on_verdict(c->arg, &v);
	hand_out(c);
}

bool checker_init(struct checker *c, struct ev_loop *loop, int fd, size_t max, struct err *e)
{
	c->loop = loop;
	c->max = max;
	c->io = (struct ev_io){ .fd = fd, .on = on_packet, .arg = c };
	return ev_add(loop, &c->io, EV_READ, e);
}

void checker_free(struct checker *c)
{
	while (c->first) {
		struct check_job *job = c->first;
		c->first = job->next;
		free_job(job);
	}
	if (c->io.fd >= 0 && c->loop)
		ev_del(c->loop, &c->io);
	fd_close(&c->io.fd);
}

bool checker_ask(struct checker *c, const struct auth_ask *q)
{
	if (c->waiting >= CHECKER_LINE_MAX || c->io.fd < 0)
		return false;
	struct check_job *job = mem_new(sizeof *job);
	job->q = *q;
	*(c->last ? &c->last->next : &c->first) = job;
	c->last = job;
	c->waiting++;
	hand_out(c);
	return true;
}
