/* The seccomp filters: which system calls each SB_* flag brings. */
#include "service/sandbox.h"
#include "service/sandbox_parts.h"
#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FILTER_MAX (64 * 1024)
#define PRCTL_SMALL_MAX 100 /* PR_* above are four letters in one number */
#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static const char *const stdio_calls[] = { "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev",
	"preadv2", "pwritev2", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fstat", "lseek", "ftruncate", "fallocate",
	"fsync", "fdatasync", "syncfs", "sync_file_range", "fadvise64", "flock", "sendfile", "copy_file_range", "munmap", "mremap",
	"madvise", "brk", "membarrier", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
	"eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd4", "pipe", "pipe2", "alarm", "setitimer",
	"rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "restart_syscall",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getrandom",
	"getrusage", "times", "exit", "exit_group", "futex", "set_robust_list", "set_tid_address", "rseq", "sched_yield",
	"sched_getaffinity", "getcpu", "uname", "sysinfo", "umask", "tgkill", "fstatfs", NULL };

/* Logging reconnects to logd: every daemon has these. */
static const char *const log_calls[] = { "connect", "sendto", "sendmsg", "getsockopt", "getsockname", NULL };

static const char *const socket_calls[] = { "accept", "accept4", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "setsockopt",
	"getpeername", "shutdown", "socketpair", NULL };

static const char *const inet_calls[] = { "bind", "socket", NULL };

static const char *const file_calls[] = { "open", "openat", "openat2", "stat", "lstat", "newfstatat", "statx", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "unlink", "unlinkat", "rename", "renameat",
	"renameat2", "mkdir", "mkdirat", "rmdir", "fchmod", "fchmodat", "utimensat", "statfs", "getcwd", "truncate",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch", NULL };

static const char *const fork_calls[] = { "fork", "vfork", "wait4", "waitid", "kill", "setpgid", "setsid", "getpgrp", "pidfd_open",
	"pidfd_send_signal", NULL };

static const char *const exec_calls[] = { "execve", "execveat", "arch_prctl", "chdir", "fchdir", NULL };

static const char *const id_calls[] = { "setfsuid", "setfsgid", "setgroups", "setuid", "setgid", "setreuid", "setregid",
	"setresuid", "setresgid", "chown", "fchown", "lchown", "fchownat", "capget", "capset", "chdir", "fchdir", NULL };

static const char *const memfd_calls[] = { "memfd_create", NULL };

static const struct {
	unsigned flag;
	const char *const *calls;
} profiles[] = {
	{ SB_STDIO, stdio_calls },
	{ SB_STDIO, log_calls },
	{ SB_SOCKETS, socket_calls },
	{ SB_INET, inet_calls },
	{ SB_FILES, file_calls },
	{ SB_FORK, fork_calls },
	{ SB_EXEC, exec_calls },
	{ SB_IDS, id_calls },
	{ SB_MEMFD, memfd_calls },
};

/* What libraries try on their way and can do without (a locale, a time zone, whether stdout is a terminal). */
static const struct {
	const char *call;
	int error;
} soft[] = {
	{ "open", EACCES },
	{ "openat", EACCES },
	{ "openat2", EACCES },
	{ "stat", EACCES },
	{ "lstat", EACCES },
	{ "statx", EACCES },
	{ "access", EACCES },
	{ "faccessat", EACCES },
	{ "faccessat2", EACCES },
	{ "readlink", EACCES },
	{ "readlinkat", EACCES },
	{ "getcwd", EACCES },
	{ "statfs", EACCES },
	{ "ioctl", ENOTTY },
	{ "clone3", ENOSYS },
	{ "sched_setaffinity", EPERM },
	{ "setrlimit", EPERM },
	{ "getpriority", EPERM },
	{ "setpriority", EPERM },
};

/* For a deny-list (NSS and PAM modules of any kind): what no name service needs and what gives the kernel away. */
static const char *const denied_calls[] = { "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd",
	"kcmp", "mount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
	"pivot_root", "chroot", "setns", "unshare", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon",
	"swapoff", "acct", "quotactl", "quotactl_fd", "sethostname", "setdomainname", "settimeofday", "clock_settime",
	"clock_adjtime", "adjtimex", "iopl", "ioperm", "modify_ldt", "personality", "open_by_handle_at", "name_to_handle_at",
	"add_key", "request_key", "keyctl", "lookup_dcookie", "nfsservctl", "vhangup", "syslog", "mknod", "mknodat", "link",
	"linkat", NULL };

#ifdef POSTERN_ASAN
#define ALLOW_LIST_WANTED(flags) false /* the sanitizers' own calls change with each compiler */
static const char *const asan_needs[] = { "ptrace", "personality", NULL };
#else
#define ALLOW_LIST_WANTED(flags) (!((flags)&SB_NSS))
static const char *const asan_needs[] = { NULL };
#endif

static bool listed(const char *const *list, const char *call)
{
	for (; *list; list++)
		if (strcmp(*list, call) == 0)
			return true;
	return false;
}

/* A call that this architecture does not have needs no rule. */
static bool add(scmp_filter_ctx f, uint32_t action, const char *call, const struct scmp_arg_cmp *arg, struct err *e)
{
	int nr = seccomp_syscall_resolve_name(call);
	if (nr < 0)
		return true;
	int rc = seccomp_rule_add_array(f, action, nr, arg ? 1 : 0, arg);
	if (rc == 0 || rc == -EEXIST || rc == -EDOM)
		return true;
	errno = -rc;
	return err_sys(e, ERR_PERM, "seccomp rule for %s", call);
}

static bool add_list(scmp_filter_ctx f, uint32_t action, const char *const *calls, const char *const *except, struct err *e)
{
	for (; *calls; calls++)
		if (!listed(except, *calls) && !add(f, action, *calls, NULL, e))
			return false;
	return true;
}

static bool allowed(unsigned flags, const char *call)
{
	for (size_t i = 0; i < COUNT(profiles); i++)
		if ((flags & profiles[i].flag) && listed(profiles[i].calls, call))
			return true;
	return false;
}

/* Calls of which some forms are allowed. A rule without a condition would swallow the ones with: each case has its own. */
struct part {
	unsigned when; /* any of these flags */
	unsigned unless;
	uint32_t action;
	const char *call;
	struct scmp_arg_cmp arg;
};
#define ARG_MASK(n, mask, v)                         \
	{                                            \
		(n), SCMP_CMP_MASKED_EQ, (mask), (v) \
	}

static bool add_parts(scmp_filter_ctx f, unsigned flags, struct err *e)
{
	const struct part parts[] = {
		/* No new code: an attacker brings none into memory. Loading a library late (a character set of iconv) just fails.
		 */
		{ SB_STDIO, 0, SCMP_ACT_ALLOW, "mmap", ARG_MASK(2, PROT_EXEC, 0) },
		{ SB_STDIO, 0, SCMP_ACT_ERRNO(EACCES), "mmap", ARG_MASK(2, PROT_EXEC, PROT_EXEC) },
		{ SB_STDIO, 0, SCMP_ACT_ALLOW, "mprotect", ARG_MASK(2, PROT_EXEC, 0) },
		{ SB_STDIO, 0, SCMP_ACT_ERRNO(EACCES), "mprotect", ARG_MASK(2, PROT_EXEC, PROT_EXEC) },
		{ SB_STDIO, SB_INET, SCMP_ACT_ALLOW, "socket", { 0, SCMP_CMP_EQ, AF_UNIX, 0 } },
		{ SB_STDIO, SB_INET, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", { 0, SCMP_CMP_NE, AF_UNIX, 0 } },
		{ SB_STDIO, SB_FILES, SCMP_ACT_ALLOW, "newfstatat", ARG_MASK(3, AT_EMPTY_PATH, AT_EMPTY_PATH) }, /* glibc's fstat */
		{ SB_STDIO, SB_FILES, SCMP_ACT_ERRNO(EACCES), "newfstatat", ARG_MASK(3, AT_EMPTY_PATH, 0) },
		{ SB_STDIO, 0, SCMP_ACT_ALLOW, "prlimit64", { 2, SCMP_CMP_EQ, 0, 0 } }, /* reading only */
		{ SB_STDIO, 0, SCMP_ACT_ERRNO(EPERM), "prlimit64", { 2, SCMP_CMP_NE, 0, 0 } },
		{ SB_STDIO, 0, SCMP_ACT_ALLOW, "prctl", { 0, SCMP_CMP_EQ, PR_SET_NAME, 0 } },
		{ SB_STDIO, 0, SCMP_ACT_ERRNO(EPERM), "prctl",
			{ 0, SCMP_CMP_GT, PRCTL_SMALL_MAX, 0 } }, /* malloc names its memory */
		{ SB_FORK, 0, SCMP_ACT_ALLOW, "prctl", { 0, SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0 } },
		{ SB_FORK | SB_EXEC, 0, SCMP_ACT_ALLOW, "clone", ARG_MASK(0, NEW_NAMESPACES, 0) },
	};
	for (size_t i = 0; i < COUNT(parts); i++)
		if ((flags & parts[i].when) && !(flags & parts[i].unless) &&
			!add(f, parts[i].action, parts[i].call, &parts[i].arg, e))
			return false;
	return true;
}

/* The handler that names a refused call stays in place, whatever a taken-over process tries. */
static bool keep_handler(scmp_filter_ctx f, bool allow_list, struct err *e)
{
	const struct scmp_arg_cmp sigsys = { 0, SCMP_CMP_EQ, SIGSYS, 0 }, other = { 0, SCMP_CMP_NE, SIGSYS, 0 };
	return add(f, SCMP_ACT_ERRNO(EPERM), "rt_sigaction", &sigsys, e) &&
	       (!allow_list || add(f, SCMP_ACT_ALLOW, "rt_sigaction", &other, e));
}

static bool add_soft(scmp_filter_ctx f, unsigned flags, struct err *e)
{
	for (size_t i = 0; i < COUNT(soft); i++)
		if (!allowed(flags, soft[i].call) && !add(f, SCMP_ACT_ERRNO((uint32_t)soft[i].error), soft[i].call, NULL, e))
			return false;
	return true;
}

static bool add_allow_list(scmp_filter_ctx f, unsigned flags, struct err *e)
{
	static const char *const none[] = { NULL };
	for (size_t i = 0; i < COUNT(profiles); i++)
		if ((flags & profiles[i].flag) && !add_list(f, SCMP_ACT_ALLOW, profiles[i].calls, none, e))
			return false;
	return add_parts(f, flags, e) && add_soft(f, flags, e);
}

static bool add_deny_list(scmp_filter_ctx f, unsigned flags, struct err *e)
{
	static const char *const exec[] = { "execve", "execveat", NULL };
	return add_list(f, SCMP_ACT_TRAP, denied_calls, asan_needs, e) &&
	       ((flags & SB_EXEC) || add_list(f, SCMP_ACT_TRAP, exec, asan_needs, e));
}

/* libseccomp writes its programs to descriptors only. */
static bool export_program(scmp_filter_ctx f, struct sock_fprog *ret, struct err *e)
{
	struct buf b = BUF_INIT(FILTER_MAX);
	bool ok = false;
	int fd = fd_memfd("filter", e);
	if (fd < 0)
		return false;
	int rc = seccomp_export_bpf(f, fd);
	if (rc < 0) {
		errno = -rc;
		err_sys(e, ERR_PERM, "export the seccomp filter");
		goto out;
	}
	if (!fd_read_file(fd, &b, e))
		goto out;
	ret->len = (unsigned short)(b.len / sizeof(struct sock_filter));
	ret->filter = mem_new(b.len);
	memcpy(ret->filter, buf_str(&b), b.len);
	ok = true;
out:
	buf_free(&b);
	fd_close(&fd);
	return ok;
}

bool filter_build(unsigned flags, struct sock_fprog *ret_program, struct err *e)
{
	bool allow_list = ALLOW_LIST_WANTED(flags);
	scmp_filter_ctx f = seccomp_init(allow_list ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW);
	if (f == NULL)
		return err_set(e, ERR_PERM, "no memory for a seccomp filter");
	/* Another ABI of the same machine (x32, i386) would have other numbers: libseccomp's default kills those. */
	bool ok = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 || err_set(e, ERR_PERM, "libseccomp is older than 2.5");
	ok = ok && (allow_list ? add_allow_list(f, flags, e) : add_deny_list(f, flags, e)) && keep_handler(f, allow_list, e) &&
	     export_program(f, ret_program, e);
	seccomp_release(f);
	return ok;
}

bool filter_load(const struct sock_fprog *program, struct err *e)
{
	/* SECCOMP_SET_MODE_FILTER is 1 */
	return syscall(SYS_seccomp, 1, 0, program) == 0 || err_sys(e, ERR_PERM, "load the seccomp filter");
}
