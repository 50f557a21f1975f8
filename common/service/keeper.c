#include "service/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CHILDREN_MAX 64
#define KEEPER_FD 3
#define SEND_MS 1000

struct child {
	pid_t pid; /* 0: free */
	int pidfd;
	uint64_t id, due_ms;
};

struct keeper {
	const struct keeper_options *o;
	struct child child[CHILDREN_MAX];
	size_t running;
};

/* --- one question --------------------------------------------------------------------------------------------------------- */

/* Both begin with it. */
static uint64_t id_of(const void *msg)
{
	uint64_t id;
	memcpy(&id, msg, sizeof id);
	return id;
}

static void *new_answer(const struct keeper *k, uint64_t id)
{
	void *msg = mem_new(k->o->answer->size);
	memcpy(msg, &id, sizeof id);
	return msg;
}

static void say(const struct keeper *k, void *msg)
{
	if (!ipc_send(KEEPER_FD, k->o->answer, msg, SEND_MS, NULL))
		_exit(71);
	free(msg);
}

static void be_child(const struct keeper *k, const void *q) NORETURN;
static void be_child(const struct keeper *k, const void *q)
{
	void *msg = new_answer(k, id_of(q));
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		k->o->broken(msg, "its process cannot be tied to its parent");
	else
		k->o->judge(q, k->o->arg, msg);
	say(k, msg);
	_exit(0);
}

static void broken(const struct keeper *k, uint64_t id, const char *why)
{
	void *msg = new_answer(k, id);
	k->o->broken(msg, why);
	say(k, msg);
}

static void begin(struct keeper *k, const void *q)
{
	struct child *c = k->child;
	while (c->pid)
		c++;
	pid_t pid = fork();
	if (pid == 0)
		be_child(k, q);
	if (pid < 0) {
		broken(k, id_of(q), "no process can be made");
		return;
	}
	*c = (struct child){ .pid = pid, .id = id_of(q), .due_ms = clock_mono_ms() + k->o->timeout_ms };
	c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	k->running++;
}

/* It has answered itself, unless it crashed or had to be killed. */
static void reap(struct keeper *k, struct child *c, const char *killed_for)
{
	int status = 0;
	if (killed_for)
		kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		broken(k, c->id, killed_for ? killed_for : "its process crashed");
	fd_close(&c->pidfd);
	c->pid = 0;
	k->running--;
}

/* --- the keeper ----------------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct keeper *k)
{
	uint64_t now = clock_mono_ms(), wait = k->running ? k->o->timeout_ms : UINT64_MAX;
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (k->child[i].pid)
			wait = MIN(wait, k->child[i].due_ms > now ? k->child[i].due_ms - now : 0);
	return wait == UINT64_MAX ? -1 : (int)MIN(wait + 1, 60000);
}

static void look_after(struct keeper *k, const struct pollfd *polled)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &k->child[i];
		if (c->pid && polled[i].revents)
			reap(k, c, NULL);
		else if (c->pid && clock_mono_ms() >= c->due_ms)
			reap(k, c, "it took too long");
	}
}

static void take_question(struct keeper *k)
{
	void *q = mem_new(k->o->ask->size);
	struct err e = { 0 };
	if (ipc_recv_msg(KEEPER_FD, k->o->ask, q, 0, &e))
		begin(k, q);
	else if (e.sys != EAGAIN)
		_exit(0); /* its owner is gone; children go with us */
	secret_wipe(q, k->o->ask->size);
	free(q);
}

static void run(const struct keeper_options *o) NORETURN;
static void run(const struct keeper_options *o)
{
	struct keeper k = { .o = o };
	struct pollfd p[CHILDREN_MAX + 1];
	for (;;) {
		for (size_t i = 0; i < CHILDREN_MAX; i++)
			p[i] = (struct pollfd){ .fd = k.child[i].pid ? k.child[i].pidfd : -1, .events = POLLIN };
		p[CHILDREN_MAX] =
			(struct pollfd){ .fd = k.running < MIN(o->at_once, CHILDREN_MAX) ? KEEPER_FD : -1, .events = POLLIN };
		if (poll(p, COUNT(p), wait_ms(&k)) < 0 && errno != EINTR)
			_exit(71);
		look_after(&k, p);
		if (p[CHILDREN_MAX].revents)
			take_question(&k);
	}
}

/* Keeps its end of the pair and standard error: no listener, or clients would not see the daemon die. */
static void be_keeper(const struct keeper_options *o, int fd) NORETURN;
static void be_keeper(const struct keeper_options *o, int fd)
{
	struct err e = { 0 };
	ev_after_fork();
	if (dup2(fd, KEEPER_FD) < 0 || close_range(KEEPER_FD + 1, ~0u, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(71);
	if (o->confine && !o->confine(o->arg, &e)) {
		dprintf(STDERR_FILENO, "a helper process cannot be confined: %s\n", e.text);
		_exit(71);
	}
	run(o);
}

bool keeper_start(const struct keeper_options *o, int *ret_fd, struct err *e)
{
	int pair[2];
	if (!sock_pair(SOCK_SEQPACKET, pair, e))
		return false;
	pid_t pid = fork();
	if (pid == 0)
		be_keeper(o, pair[1]);
	fd_close(&pair[1]);
	if (pid < 0) {
		err_sys(e, ERR_TEMP, "start a helper process");
		fd_close(&pair[0]);
		return false;
	}
	*ret_fd = pair[0];
	return true;
}
