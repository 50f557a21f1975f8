/* The user half: a child that has become the user, for good, before it touches a path. It holds a channel to its parent and the
 * message, nothing else. It is kept for the next message to the same mailbox, for a moment: a process for each costs more than all
 * the rest of a copy. */
#include "agent.h"
#include "forward.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

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
#define IDLE_MS 3600000     /* the parent ends an idle child much sooner */
#define SEND_MS 1000        /* an idle child has an empty channel */
#define PATH_LEN_MAX 350

struct order { /* a packet, the message's descriptor beside it; both ends are this program */
	uint64_t offset, size, head_len;
	bool look_first;
	char name[MBX_NAME_MAX + 1], moved_name[MBX_NAME_MAX + 1], head[USER_HALF_HEAD_MAX];
	struct forward_order forward; /* sent, and a connection to smtpd with it, when there is a ~/.forward */
};
#define COPY_ORDER_LEN offsetof(struct order, forward)

struct report { /* what comes back, a packet */
	bool ok;
	bool forwarded, expanded, passed; /* struct forward_result */
	bool failed;
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

static bool close_others(int fd, struct err *e)
{
	BUG_IF(fd <= STDERR_FILENO);
	if ((fd > 3 && close_range(3, (unsigned)fd - 1, 0) < 0) || close_range((unsigned)fd + 1, ~0u, 0) < 0)
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

/* Into the Maildir, or, with a connection to smtpd, where the ~/.forward says. */
static void deliver_one(const struct mbx_user *user, const struct order *o, int file, int smtpd, struct report *ret, struct err *e)
{
	const struct mbx_copy c = { .file = file,
		.offset = o->offset,
		.size = o->size,
		.head = o->head,
		.head_len = o->head_len,
		.name = o->name,
		.look_first = o->look_first,
		.moved_name = *o->moved_name ? o->moved_name : NULL };
	if (smtpd < 0) {
		ret->ok = mbx_copy(user, &c, ret->path, sizeof ret->path, e);
		return;
	}
	struct forward_result f;
	forward_deliver(user, &c, &o->forward, smtpd, ret->path, sizeof ret->path, &f);
	ret->ok = f.status == DELIVERED;
	ret->failed = f.status == FAILED;
	ret->forwarded = f.sent;
	ret->expanded = f.expanded;
	ret->passed = f.passed;
	memcpy(ret->dsn, f.dsn, sizeof ret->dsn);
	memcpy(ret->text, f.text, sizeof ret->text);
}

/* One order, its report. Ends with the channel; who cannot be the user says so once. */
static void child(const struct mbx_user *user, int fd, pid_t parent) NORETURN;
static void child(const struct mbx_user *user, int fd, pid_t parent)
{
	struct buf in = BUF_INIT(sizeof(struct order));
	struct err e = { .kind = ERR_NONE };
	bool able, told = true;
	plain_signals();
	umask(077);
	able = close_others(fd, &e) && become(user, &e) && end_with_parent(parent, &e);
	while (told) {
		struct report r = { .ok = false };
		struct order o;
		struct err no_more;
		int files[SOCK_FDS_MAX];
		size_t n = 0;
		buf_reset(&in);
		bool got = sock_recv_packet(fd, &in, files, &n, IDLE_MS, &no_more);
		if (!got && no_more.sys == 0)
			break;
		if (!got && able)
			e = no_more; /* the parent is told, and asks another child next time */
		able = able && got;
		if (got && (in.len != (n == 2 ? sizeof o : COPY_ORDER_LEN) || n < 1 || n > 2))
			break;
		if (got)
			memcpy(&o, in.data, in.len);
		if (able)
			deliver_one(user, &o, files[0], n == 2 ? files[1] : -1, &r, &e);
		if (!r.ok && r.text[0] == '\0') {
			memcpy(r.dsn, e.dsn, sizeof r.dsn);
			memcpy(r.text, e.text, sizeof r.text);
		}
		for (size_t i = 0; i < n; i++)
			fd_close(&files[i]);
		told = sock_send_packet(fd, (struct sv){ (const char *)&r, sizeof r }, NULL, 0, IDLE_MS, &no_more) && able;
	}
	_exit(0);
}

/* --- the parent --- */
/* Reads the report, or the channel's end: the child is dead or as good as that. */
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
static void take_report(struct report *r, const struct mbx_user *user, const struct forwarding *fwd, struct deliver_res *res)
{
	r->dsn[sizeof r->dsn - 1] = r->text[sizeof r->text - 1] = r->path[sizeof r->path - 1] = '\0';
	if (!r->ok) {
		bool failed = fwd && r->failed;
		bool fits = r->dsn[0] == (failed ? '5' : '4') && !sv_has_ctl(sv_of(r->dsn));
		outcome(res, failed ? FAILED : DEFERRED, fits ? r->dsn : failed ? "5.3.0" : "4.3.0", "%s", r->text);
		return;
	}
	if (!fwd) {
		delivered(res, user->home, r->path);
		return;
	}
	outcome(res, DELIVERED, "2.0.0", "%s", r->text);
	delivered_to(res, user->home, *r->path ? r->path : fwd->order.name);
	res->forwarded = r->forwarded;
	res->expanded = r->expanded;
	res->dsn_passed = r->passed;
}

/* Killed in any case but its own end: its user may have stopped it, after the report too. A late one may hang in the kernel and is
 * then collected by a later call. */
static int reap(pid_t pid, int fd, bool ended, bool late)
{
	struct report ignored;
	bool still;
	int status = 0;
	if (!ended)
		kill(pid, SIGKILL);
	if (late)
		(void)read_report(fd, KILLED_WAIT_MS, &ignored, &still);
	while (waitpid(pid, &status, late ? WNOHANG : 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool same_user(const struct user_half *h, const struct mbx_user *u)
{
	return h->user.uid == u->uid && h->user.gid == u->gid && h->user.n_groups == u->n_groups &&
	       (u->n_groups == 0 || memcmp(h->groups, u->groups, u->n_groups * sizeof *u->groups) == 0) &&
	       strcmp(h->home, u->home) == 0 && strcmp(h->maildir, u->maildir) == 0;
}

static void remember(struct user_half *h, const struct mbx_user *u)
{
	BUG_IF(u->n_groups > BOX_GROUPS_MAX || !sv_copy(sv_of(u->home), h->home, sizeof h->home) ||
		!sv_copy(sv_of(u->maildir), h->maildir, sizeof h->maildir));
	if (u->n_groups > 0)
		memcpy(h->groups, u->groups, u->n_groups * sizeof *u->groups);
	h->user = *u;
	h->user.groups = h->groups;
	h->user.home = h->home;
	h->user.maildir = h->maildir;
}

/* Also those that a caller before did not wait for. */
static void collect(struct user_halves *all)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (size_t i = 0; i < USER_HALVES; i++)
			if (pid == all->half[i].pid) {
				all->half[i].pid = 0;
				fd_close(&all->half[i].fd);
			}
}

/* It has nothing in hand, so it ends at once. Killed, for its user may have stopped it. */
static void end_half(struct user_half *h)
{
	int status;
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	h->pid = 0;
	fd_close(&h->fd);
}

void user_halves_init(struct user_halves *all)
{
	for (size_t i = 0; i < USER_HALVES; i++)
		all->half[i] = (struct user_half){ .fd = -1 };
}

unsigned user_halves_end(struct user_halves *all, uint64_t idle_ms)
{
	uint64_t now = clock_mono_ms();
	unsigned left = 0;
	for (size_t i = 0; i < USER_HALVES; i++) {
		struct user_half *h = &all->half[i];
		if (h->pid > 0 && now - h->used_ms >= idle_ms)
			end_half(h);
		left += h->pid > 0;
	}
	return left;
}

/* The one that is this user already, else a free one, else the one that had nothing to do for longest. */
static struct user_half *half_for(struct user_halves *all, const struct mbx_user *user)
{
	struct user_half *oldest = &all->half[0];
	for (size_t i = 0; i < USER_HALVES; i++) {
		struct user_half *h = &all->half[i];
		if (h->pid > 0 && same_user(h, user))
			return h;
		if (oldest->pid > 0 && (h->pid == 0 || h->used_ms < oldest->used_ms))
			oldest = h;
	}
	end_half(oldest);
	return oldest;
}

static bool start(struct user_half *h, const struct mbx_user *user, struct deliver_res *res)
{
	pid_t parent = getpid();
	int pair[2];
	struct err e;
	if (!sock_pair(SOCK_SEQPACKET, pair, &e))
		return outcome(res, DEFERRED, "4.3.0", "%s", e.text);
	remember(h, user);
	pid_t pid = fork();
	if (pid == 0)
		child(&h->user, pair[1], parent);
	if (pid < 0)
		outcome(res, DEFERRED, "4.3.0", "cannot start the delivery process: %s", strerror(errno));
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return false;
	}
	h->pid = pid;
	h->fd = pair[0];
	return true;
}

static void make_order(const struct mbx_copy *c, const struct forwarding *fwd, struct order *ret)
{
	*ret = (struct order){ .offset = c->offset, .size = c->size, .head_len = c->head_len, .look_first = c->look_first };
	BUG_IF(c->head_len > sizeof ret->head || !sv_copy(sv_of(c->name), ret->name, sizeof ret->name));
	memcpy(ret->head, c->head, c->head_len);
	if (c->moved_name)
		BUG_IF(!sv_copy(sv_of(c->moved_name), ret->moved_name, sizeof ret->moved_name));
	if (fwd)
		ret->forward = fwd->order;
}

/* A child that was kept may be gone by now: its user may end it. Then nothing was done yet. */
static bool give_order(struct user_half *h, const struct mbx_user *user, const struct mbx_copy *c, const struct forwarding *fwd,
	struct deliver_res *res)
{
	const int fds[2] = { c->file, fwd ? fwd->smtpd : -1 };
	struct order o;
	struct err e;
	make_order(c, fwd, &o);
	const struct sv packet = { (const char *)&o, fwd ? sizeof o : COPY_ORDER_LEN };
	for (;;) {
		bool fresh = h->pid == 0;
		if (fresh && !start(h, user, res))
			return false;
		if (sock_send_packet(h->fd, packet, fds, fwd ? 2 : 1, SEND_MS, &e))
			return true;
		end_half(h);
		if (fresh)
			return outcome(res, DEFERRED, "4.3.0", "the delivery process: %s", e.text);
	}
}

static void lost(struct user_half *h, bool late, struct deliver_res *res)
{
	const struct mbx_user *user = &h->user;
	int status = reap(h->pid, h->fd, !late, late);
	if (late)
		outcome(res, DEFERRED, "4.3.0", "writing into %s/%s took too long", user->home, user->maildir);
	else
		outcome(res, DEFERRED, "4.3.0", "the delivery process ended without an answer (status %d)", status);
	h->pid = 0;
	fd_close(&h->fd);
}

/* False: a kept child took the order and ended, perhaps before it, perhaps after all was done. */
static bool copy_with(struct user_half *h, const struct mbx_user *user, const struct mbx_copy *c, const struct forwarding *fwd,
	uint64_t wait_ms, struct deliver_res *res)
{
	struct report r = { .ok = false };
	bool late = false;
	pid_t kept = h->pid;
	if (!give_order(h, user, c, fwd, res))
		return true;
	if (read_report(h->fd, wait_ms, &r, &late)) {
		take_report(&r, user, fwd, res);
		if (!r.ok)
			end_half(h);
		return true;
	}
	bool again = !late && h->pid == kept;
	lost(h, late, res);
	LOG_WARN("user-half", KV_U64("uid", user->uid), KV_STR("reason", res->text));
	return !again;
}

/* One that ended without an answer may have sent the message on: that is not tried again at once. */
void user_half_forward(struct user_halves *all, const struct mbx_user *user, const struct mbx_copy *c, const struct forwarding *fwd,
	uint64_t wait_ms, struct deliver_res *res)
{
	collect(all);
	struct user_half *h = half_for(all, user);
	(void)copy_with(h, user, c, fwd, wait_ms, res);
	h->used_ms = clock_mono_ms();
}

void user_half_copy(
	struct user_halves *all, const struct mbx_user *user, const struct mbx_copy *c, uint64_t wait_ms, struct deliver_res *res)
{
	struct mbx_copy looking = *c;
	looking.look_first = true;
	collect(all);
	struct user_half *h = half_for(all, user);
	if (!copy_with(h, user, c, NULL, wait_ms, res))
		BUG_IF(!copy_with(h, user, &looking, NULL, wait_ms, res)); /* a new child is not asked twice */
	h->used_ms = clock_mono_ms();
}
