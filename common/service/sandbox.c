#include "service/sandbox.h"
#include "base/buf.h"
#include "base/fd.h"
#include "service/priv.h"
#include "service/sandbox_parts.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Generous: a bound on a process that a peer makes grow, not on work. Mappings of databases count. */
#define ADDRESS_SPACE_MAX ((rlim_t)4 << 30)

struct sandbox {
	unsigned flags;
	struct sandbox_dir dirs[SANDBOX_DIRS_MAX];
	size_t n_dirs;
	bool too_many, prepared;
	int ruleset; /* -1: none */
	struct sock_fprog program;
	volatile sig_atomic_t *note;
};

static volatile sig_atomic_t *refused_call; /* for the signal handler */

struct sandbox *sandbox_new(unsigned flags, struct err *e)
{
	if (!(flags & SB_STDIO)) {
		err_set(e, ERR_PERM, "a sandbox profile without SB_STDIO");
		return NULL;
	}
	struct sandbox *s = mem_new(sizeof(*s));
	s->flags = flags;
	s->ruleset = -1;
	return s;
}

void sandbox_allow_dir(struct sandbox *s, int dirfd, unsigned access)
{
	if (s->n_dirs == SANDBOX_DIRS_MAX) {
		s->too_many = true;
		return;
	}
	s->dirs[s->n_dirs++] = (struct sandbox_dir){ dirfd, access };
}

void sandbox_note_to(struct sandbox *s, volatile sig_atomic_t *ret_call) { s->note = ret_call; }

const char *sandbox_call_name(long call, char dst[32])
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call);
	if (name)
		snprintf(dst, 32, "%s", name);
	else
		snprintf(dst, 32, "%ld", call);
	free(name);
	return dst;
}

bool sandbox_prepare(struct sandbox *s, struct err *e)
{
	if (s->too_many)
		return err_set(e, ERR_LIMIT, "more than %d directories for one sandbox", SANDBOX_DIRS_MAX);
	if (!filter_build(s->flags, &s->program, e))
		return false;
	if (!(s->flags & SB_IDS) && !landlock_build(s->flags, s->dirs, s->n_dirs, &s->ruleset, e))
		return false;
	s->prepared = true;
	return true;
}

/* --- a call outside the profile --------------------------------------------------------------------------------------------- */

static size_t put_number(char *at, unsigned n)
{
	char digits[12];
	size_t len = 0, i = 0;
	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len)
		at[i++] = digits[--len];
	return i;
}

/* The kernel traps instead of killing so that the call can be named; it was not carried out. */
static void on_refused(int signo, siginfo_t *info, void *context)
{
	static const char before[] = "sandbox: system call ", after[] = " is not in this daemon's profile\n";
	char line[sizeof(before) + sizeof(after) + 12];
	size_t n = sizeof(before) - 1;
	(void)signo;
	(void)context;
	if (refused_call)
		*refused_call = info->si_syscall;
	memcpy(line, before, n);
	n += put_number(line + n, (unsigned)info->si_syscall);
	memcpy(line + n, after, sizeof(after) - 1);
	n += sizeof(after) - 1;
	if (write(STDERR_FILENO, line, n) < 0)
		n = 0; /* nobody reads it */
	/* Trapped again, and the handler's signal is blocked now: the kernel ends the process with SIGSYS, for the parent to see.
	 */
	syscall(SYS_reboot, 0, 0, 0, 0);
	_exit(128 + SIGSYS);
}

static bool catch_refused(const struct sandbox *s, struct err *e)
{
	struct sigaction sa = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };
	sigset_t set;
	refused_call = s->note;
	sigfillset(&sa.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &sa, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		return err_sys(e, ERR_PERM, "catch SIGSYS");
	return true;
}

/* --- going in --------------------------------------------------------------------------------------------------------------- */

static bool limit(__rlimit_resource_t resource, const char *name, rlim_t max, struct err *e)
{
	struct rlimit now;
	if (getrlimit(resource, &now) < 0)
		return err_sys(e, ERR_PERM, "read %s", name);
	struct rlimit want = { .rlim_cur = MIN(max, now.rlim_max), .rlim_max = MIN(max, now.rlim_max) };
	return setrlimit(resource, &want) == 0 || err_sys(e, ERR_PERM, "set %s", name);
}

static bool limit_resources(unsigned flags, struct err *e)
{
	if (!limit(RLIMIT_CORE, "RLIMIT_CORE", 0, e)) /* a core holds mail */
		return false;
#ifdef POSTERN_ASAN
	(void)flags; /* its shadow memory is terabytes, its leak checker a child that needs /proc/self/mem */
	return true;
#else
	if (!limit(RLIMIT_AS, "RLIMIT_AS", ADDRESS_SPACE_MAX, e))
		return false;
	/* Counted per uid but compared with this process's own limit: 0 stops this process alone. NSS may start threads. */
	if (!(flags & (SB_FORK | SB_EXEC | SB_NSS)) && !limit(RLIMIT_NPROC, "RLIMIT_NPROC", 0, e))
		return false;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 || err_sys(e, ERR_PERM, "become undumpable");
#endif
}

bool sandbox_enter(struct sandbox *s, struct err *e)
{
	BUG_IF(!s->prepared);
	if (!limit_resources(s->flags, e) || !priv_no_new_privs(e))
		return false;
	if (s->ruleset >= 0 && !landlock_enter(s->ruleset, e))
		return false;
	fd_close(&s->ruleset);
	if (!catch_refused(s, e))
		return false;
	struct err why;
	err_clear(&why);
	if (filter_load(&s->program, &why))
		return true;
	/* A kernel without seccomp: said at start by sandbox_facilities(). Anything else is a fault of ours. */
	if (why.sys == ENOSYS || (why.sys == EINVAL && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0))
		return true;
	if (e)
		*e = why;
	return false;
}

void sandbox_free(struct sandbox *s)
{
	if (!s)
		return;
	fd_close(&s->ruleset);
	free(s->program.filter);
	free(s);
}

void sandbox_facilities(char *dst, size_t size)
{
	int abi = landlock_abi();
	const char *seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 ? "yes" : "no";
	if (abi > 0)
		snprintf(dst, size, "seccomp %s, landlock abi %d", seccomp, abi);
	else
		snprintf(dst, size, "seccomp %s, landlock no", seccomp);
}
