/* The user half: a child that has become the user, for good, before it touches a path. It holds the message and a pipe, nothing
 * else. */
#include "agent.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KILLED_WAIT_MS 2000 /* a killed child may hang in the kernel (a dead NFS server): it is reaped later */
#define PATH_LEN_MAX 350

struct report { /* what comes back, in one write that is smaller than PIPE_BUF */
	bool ok;
	char dsn[12], text[300], path[PATH_LEN_MAX + 1];
};

/* --- the child --- */
static bool no_caps(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	return syscall(SYS_capget, &head, d) == 0 && !(d[0].effective | d[0].permitted | d[1].effective | d[1].permitted);
}

static bool become(const struct mbx_user *user, struct err *e)
{
	if (geteuid() != 0)
		return geteuid() == user->uid || err_dsn(e, ERR_TEMP, "4.3.5", "cannot become uid %u", (unsigned)user->uid);
	if (user->uid == 0 || setgroups(user->n_groups, user->groups) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0)
		return err_sys(e, ERR_TEMP, "become uid %u", (unsigned)user->uid);
	if (setresuid(0, 0, 0) == 0 || geteuid() != user->uid || getegid() != user->gid || !no_caps())
		return err_dsn(
			e, ERR_TEMP, "4.3.5", "root's rights are still there after the change to uid %u", (unsigned)user->uid);
	return true;
}

/* After the change of ids, which clears it; and the parent may have died before. */
static bool end_with_parent(pid_t parent, struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, ERR_TEMP, "end with the parent");
	return getppid() == parent || err_set(e, ERR_TEMP, "the parent is gone");
}

static bool close_others(int a, int b, struct err *e)
{
	unsigned lo = (unsigned)MIN(a, b), hi = (unsigned)MAX(a, b);
	BUG_IF(lo <= STDERR_FILENO);
	if ((lo > 3 && close_range(3, lo - 1, 0) < 0) || (hi - lo > 1 && close_range(lo + 1, hi - 1, 0) < 0) ||
		close_range(hi + 1, ~0u, 0) < 0)
		return err_sys(e, ERR_TEMP, "close descriptors");
	return true;
}

static void plain_signals(void)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2 };
	sigset_t none;
	for (size_t i = 0; i < COUNT(all); i++)
		signal(all[i], SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* EFBIG says it better */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct mbx_user *user, const struct mbx_copy *c, int pipe_fd, pid_t parent) NORETURN;
static void child(const struct mbx_user *user, const struct mbx_copy *c, int pipe_fd, pid_t parent)
{
	struct report r = { .ok = false };
	struct err e = { .kind = ERR_NONE };
	plain_signals();
	umask(077);
	r.ok = close_others(c->file, pipe_fd, &e) && become(user, &e) && end_with_parent(parent, &e) &&
	       mbx_copy(user, c, r.path, sizeof r.path, &e);
	if (!r.ok) {
		memcpy(r.dsn, e.dsn, sizeof r.dsn);
		memcpy(r.text, e.text, sizeof r.text);
	}
	bool told = fd_write_all(pipe_fd, &r, sizeof r, &e);
	_exit(told ? 0 : 1);
}

/* --- the parent --- */
/* Reads the report, or the pipe's end: the child is dead or as good as that. */
static bool read_report(int fd, uint64_t wait_ms, struct report *ret, bool *ret_late)
{
	uint64_t now = clock_mono_ms(), until = now + wait_ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int rc = 0;
	for (; now < until; now = clock_mono_ms()) {
		rc = poll(&p, 1, (int)MIN(until - now, 1000000));
		if (rc > 0 || (rc < 0 && errno != EINTR))
			break;
	}
	*ret_late = rc == 0;
	return rc > 0 && read(fd, ret, sizeof *ret) == (ssize_t)sizeof *ret;
}

/* The child runs with the user's uid: its words are taken as text. */
static void take_report(struct report *r, const struct mbx_user *user, struct deliver_res *res)
{
	r->dsn[sizeof r->dsn - 1] = r->text[sizeof r->text - 1] = r->path[sizeof r->path - 1] = '\0';
	if (!r->ok) {
		outcome(res, DEFERRED, r->dsn[0] == '4' && !sv_has_ctl(sv_of(r->dsn)) ? r->dsn : "4.3.0", "%s", r->text);
		return;
	}
	delivered(res, user->home, r->path);
}

/* Killed in any case but its own end: its user may have stopped it, after the report too. A late one may hang in the kernel and is
 * then collected by a later call. */
static int reap(pid_t pid, int pipe_fd, bool ended, bool late)
{
	struct report ignored;
	bool still;
	int status = 0;
	if (!ended)
		kill(pid, SIGKILL);
	if (late)
		(void)read_report(pipe_fd, KILLED_WAIT_MS, &ignored, &still);
	while (waitpid(pid, &status, late ? WNOHANG : 0) < 0 && errno == EINTR)
		;
	return status;
}

void user_half_copy(const struct mbx_user *user, const struct mbx_copy *c, uint64_t wait_ms, struct deliver_res *res)
{
	struct report r = { .ok = false };
	pid_t parent = getpid();
	bool late = false;
	int pipe_fds[2], status;
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		outcome(res, DEFERRED, "4.3.0", "cannot make a pipe: %s", strerror(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		child(user, c, pipe_fds[1], parent);
	fd_close(&pipe_fds[1]);
	if (pid < 0) {
		outcome(res, DEFERRED, "4.3.0", "cannot start the delivery process: %s", strerror(errno));
		fd_close(&pipe_fds[0]);
		return;
	}
	bool got = read_report(pipe_fds[0], wait_ms, &r, &late);
	status = reap(pid, pipe_fds[0], !got && !late, late);
	if (got)
		take_report(&r, user, res);
	else if (late)
		outcome(res, DEFERRED, "4.3.0", "writing into %s/%s took too long", user->home, user->maildir);
	else
		outcome(res, DEFERRED, "4.3.0", "the delivery process ended without an answer (status %d)", status);
	if (!got)
		LOG_WARN("user-half", KV_U64("uid", user->uid), KV_STR("reason", res->text));
	fd_close(&pipe_fds[0]);
}
