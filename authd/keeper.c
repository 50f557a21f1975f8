#include "keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"
#include "event/ev.h"

#include <crypt.h>
#include <errno.h>
#include <poll.h>
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

/* --- hashes --------------------------------------------------------------------------------------------------------------- */

void judge_by_hash(const struct auth_ask *q, const void *arg, struct auth_verdict *ret)
{
	struct crypt_data *data = mem_new(sizeof *data);
	const char *hash = crypt_r(q->password, q->hash, data);
	(void)arg;
	if (!hash || *hash == '*')
		snprintf(ret->text, sizeof ret->text, "the stored hash is of no kind that this system knows");
	else
		ret->verdict = secret_eq(sv_of(hash), sv_of(q->hash)) ? AUTH_RIGHT : AUTH_WRONG;
	secret_wipe(data, sizeof *data);
	free(data);
}

/* --- one question --------------------------------------------------------------------------------------------------------- */

static void answer(const struct auth_verdict *v)
{
	if (!ipc_send(KEEPER_FD, &auth_verdict_desc, v, SEND_MS, NULL))
		_exit(71);
}

static void be_child(const struct keeper *k, const struct auth_ask *q) NORETURN;
static void be_child(const struct keeper *k, const struct auth_ask *q)
{
	struct auth_verdict v = { .id = q->id, .verdict = AUTH_BROKEN };
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
		k->o->judge(q, k->o->arg, &v);
	answer(&v);
	_exit(0);
}

static void broken(uint64_t id, const char *why)
{
	struct auth_verdict v = { .id = id, .verdict = AUTH_BROKEN };
	snprintf(v.text, sizeof v.text, "%s", why);
	answer(&v);
}

static void begin(struct keeper *k, const struct auth_ask *q)
{
	struct child *c = k->child;
	while (c->pid)
		c++;
	pid_t pid = fork();
	if (pid == 0)
		be_child(k, q);
	if (pid < 0) {
		broken(q->id, "no process can be made");
		return;
	}
	*c = (struct child){ .pid = pid, .id = q->id, .due_ms = clock_mono_ms() + k->o->timeout_ms };
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
		broken(c->id, killed_for ? killed_for : "the process that checked it crashed");
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
	struct auth_ask q;
	struct err e = { 0 };
	if (ipc_recv_msg(KEEPER_FD, &auth_ask_desc, &q, 0, &e))
		begin(k, &q);
	else if (e.sys != EAGAIN)
		_exit(0); /* authd is gone; children go with us */
	secret_wipe(&q, sizeof q);
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

/* Keeps its end of the pair and standard error: no listener, or clients would not see authd die. */
static void be_keeper(const struct keeper_options *o, int fd) NORETURN;
static void be_keeper(const struct keeper_options *o, int fd)
{
	struct err e = { 0 };
	ev_after_fork();
	if (dup2(fd, KEEPER_FD) < 0 || close_range(KEEPER_FD + 1, ~0u, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(71);
	if (o->confine && !o->confine(&e)) {
		dprintf(STDERR_FILENO, "authd: the helper for PAM cannot be confined: %s\n", e.text);
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
