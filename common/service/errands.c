#include "service/keeper.h"

#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <string.h>

struct errand {
	struct errand *next;
	unsigned char q[]; /* as the message's description has it */
};

static void dead(struct errands *c)
{
	ev_del(c->loop, &c->io);
	fd_close(&c->io.fd);
	c->on_dead(c->arg);
}

static void free_job(const struct errands *c, struct errand *job)
{
	secret_wipe(job->q, c->ask->size);
	free(job);
}

static void hand_out(struct errands *c)
{
	while (c->first && c->busy < c->max && c->io.fd >= 0) {
		struct errand *job = c->first;
		c->first = job->next;
		c->last = c->first ? c->last : NULL;
		c->waiting--;
		c->busy++;
		bool sent = ipc_send(c->io.fd, c->ask, job->q, 0, NULL);
		free_job(c, job);
		if (!sent)
			dead(c);
	}
}

static void on_packet(struct ev_io *io, unsigned events, void *arg)
{
	struct errands *c = arg;
	struct err e = { 0 };
	(void)events;
	if (!ipc_recv_msg(io->fd, c->answer, c->scratch, 0, &e)) {
		if (e.sys != EAGAIN)
			dead(c);
		return;
	}
	c->busy -= c->busy > 0;
	c->on_answer(c->arg, c->scratch);
	hand_out(c);
}

bool errands_init(struct errands *c, struct ev_loop *loop, int fd, size_t at_once, struct err *e)
{
	c->loop = loop;
	c->scratch = mem_new(c->answer->size);
	c->max = at_once;
	c->io = (struct ev_io){ .fd = fd, .on = on_packet, .arg = c };
	return ev_add(loop, &c->io, EV_READ, e);
}

void errands_free(struct errands *c)
{
	while (c->first) {
		struct errand *job = c->first;
		c->first = job->next;
		free_job(c, job);
	}
	if (c->io.fd >= 0 && c->loop)
		ev_del(c->loop, &c->io);
	fd_close(&c->io.fd);
	free(c->scratch);
	c->scratch = NULL;
}

bool errands_ask(struct errands *c, const void *q)
{
	if (c->waiting >= ERRANDS_LINE_MAX || c->io.fd < 0)
		return false;
	struct errand *job = mem_new(sizeof *job + c->ask->size);
	memcpy(job->q, q, c->ask->size);
	*(c->last ? &c->last->next : &c->first) = job;
	c->last = job;
	c->waiting++;
	hand_out(c);
	return true;
}
