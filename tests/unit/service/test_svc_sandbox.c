/* Each case is one act in a process of its own, which has entered the profile. */
#include "service/sandbox.h"
#include "base/fd.h"
#include "net/sock.h"
#include "service/sandbox_parts.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NO_ENTRY 200 /* could not enter the sandbox */
#define KILLED 300   /* ended by SIGSYS */

/* Acts give 0 or an errno. The unused ones are those that a sanitizer must be allowed. */
static int result(long rc) { return rc >= 0 ? 0 : errno; }
static int read_passwd(int dir)
{
	(void)dir;
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}
static int read_in_dir(int dir) { return result(openat(dir, "file", O_RDONLY | O_CLOEXEC)); }
static int write_in_dir(int dir) { return result(openat(dir, "file", O_WRONLY | O_CLOEXEC)); }
static int make_in_dir(int dir) { return result(openat(dir, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }
static int rename_in_dir(int dir) { return result(renameat(dir, "sub/one", dir, "sub/two")); }
static int rename_across(int dir) { return result(renameat(dir, "sub/one", dir, "other")); }
static int link_in_dir(int dir) { return result(linkat(dir, "file", dir, "link", 0)); }
static int leave_dir(int dir) { return result(openat(dir, "../../etc/passwd", O_RDONLY | O_CLOEXEC)); }
static int fork_one(int dir)
{
	(void)dir;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return result(pid);
}
static int exec_true(int dir)
{
	char *const argv[] = { NULL }, *const env[] = { NULL };
	(void)dir;
	return result(execve("/bin/true", argv, env));
}
static int unix_socket(int dir)
{
	(void)dir;
	return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int inet_socket(int dir)
{
	(void)dir;
	return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static UNUSED int raw_socket(int dir)
{
	(void)dir;
	return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}
static UNUSED int code_pages(int dir)
{
	(void)dir;
	return result(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}
static int data_pages(int dir)
{
	(void)dir;
	return result(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}
static UNUSED int trace_parent(int dir)
{
	(void)dir;
	return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int new_memfd(int dir)
{
	(void)dir;
	return result(memfd_create("x", MFD_CLOEXEC));
}
static int become_other(int dir)
{
	(void)dir;
	return result(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
}
static int signal_parent(int dir)
{
	(void)dir;
	return result(kill(getppid(), 0));
}
static int time_of_day(int dir)
{
	(void)dir;
	return result(clock_gettime(CLOCK_REALTIME, &(struct timespec){ 0 }));
}
static int undo_trap(int dir)
{
	(void)dir;
	return signal(SIGSYS, SIG_IGN) == SIG_ERR ? errno : 0;
}
static UNUSED int more_memory_limit(int dir)
{
	(void)dir;
	return result(setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 }));
}
static int locate(int dir)
{
	struct stat st;
	return result(fstat(dir, &st));
}

/* A directory with file, sub/one; allowed in the sandbox with `access` (0: not). */
static int scene(char path[32])
{
	snprintf(path, 32, "/tmp/sandbox-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int file = openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&file);
	if (mkdirat(dir, "sub", 0700) < 0)
		return -1;
	file = openat(dir, "sub/one", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&file);
	return dir;
}

static void clear_scene(const char *path, int dir)
{
	static const char *const names[] = { "file", "new", "other", "link", "sub/one", "sub/two" };
	for (size_t i = 0; i < COUNT(names); i++)
		unlinkat(dir, names[i], 0);
	unlinkat(dir, "sub", AT_REMOVEDIR);
	rmdir(path);
	fd_close(&dir);
}

static int act_within(unsigned flags, unsigned access, int dir, int (*act)(int), volatile sig_atomic_t *note)
{
	struct sandbox *s = sandbox_new(flags, NULL);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDERR_FILENO);
		if (access)
			sandbox_allow_dir(s, dir, access);
		sandbox_note_to(s, note);
		if (!sandbox_prepare(s, NULL) || !sandbox_enter(s, NULL))
			_exit(NO_ENTRY);
		_exit(act(dir));
	}
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	sandbox_free(s);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
	return WEXITSTATUS(status);
}

struct act {
	const char *what;
	unsigned flags, access;
	int (*act)(int dir);
	int want;      /* 0, an errno, KILLED */
	bool landlock; /* Landlock's work */
};

static void check(const struct act *t, size_t n)
{
	char path[32];
	for (size_t i = 0; i < n; i++) {
		if (t[i].landlock && landlock_abi() < 6)
			continue;
		int dir = scene(path);
		int got = act_within(t[i].flags, t[i].access, dir, t[i].act, NULL);
		if (got != t[i].want)
			printf("%s: %d instead of %d\n", t[i].what, got, t[i].want);
		CU_ASSERT_EQUAL(got, t[i].want);
		clear_scene(path, dir);
	}
}

#define BASE (SB_STDIO | SB_SOCKETS)
#define RW (SB_DIR_READ | SB_DIR_WRITE)

static void files_are_reached_only_below_allowed_directories(void)
{
	static const struct act t[] = {
		{ "any file without SB_FILES", BASE, RW, read_passwd, EACCES },
		{ "any file", BASE | SB_FILES, RW, read_passwd, EACCES, true },
		{ "an allowed directory", BASE | SB_FILES, SB_DIR_READ, read_in_dir, 0 },
		{ "an open directory that is not allowed", BASE | SB_FILES, 0, read_in_dir, EACCES, true },
		{ "out of it", BASE | SB_FILES, RW, leave_dir, EACCES, true },
		{ "writing where reading is allowed", BASE | SB_FILES, SB_DIR_READ, write_in_dir, EACCES, true },
		{ "creating where reading is allowed", BASE | SB_FILES, SB_DIR_READ, make_in_dir, EACCES, true },
		{ "creating", BASE | SB_FILES, RW, make_in_dir, 0 },
		{ "renaming", BASE | SB_FILES, RW, rename_in_dir, 0 },
		{ "renaming across directories", BASE | SB_FILES, RW, rename_across, 0 },
		{ "NSS modules read what they like", BASE | SB_NSS, 0, read_passwd, 0 },
		{ "but write nothing", BASE | SB_NSS, 0, write_in_dir, EACCES, true },
		{ "local-delivery has no Landlock", BASE | SB_FILES | SB_IDS, 0, read_in_dir, 0 },
		{ "looking at an open descriptor", BASE, 0, locate, 0 },
	};
	check(t, COUNT(t));
}

static void calls_outside_the_profile_end_the_process(void)
{
	static const struct act t[] = {
		{ "exec", BASE | SB_FILES, RW, exec_true, KILLED },
		{ "exec in NSS", BASE | SB_NSS, 0, exec_true, KILLED },
#ifndef POSTERN_ASAN
		{ "ptrace", BASE, 0, trace_parent, KILLED },
		{ "fork", BASE, 0, fork_one, KILLED },
		{ "setuid", BASE, 0, become_other, KILLED },
		{ "kill", BASE, 0, signal_parent, KILLED },
		{ "ptrace in NSS", BASE | SB_NSS, 0, trace_parent, KILLED },
		{ "memfd", BASE, 0, new_memfd, KILLED },
#endif
		{ "hard links", BASE | SB_FILES, RW, link_in_dir, KILLED },
	};
	check(t, COUNT(t));
}

static void the_profile_allows_what_it_names(void)
{
	static const struct act t[] = {
		{ "clock", BASE, 0, time_of_day, 0 },
		{ "memory", BASE, 0, data_pages, 0 },
		{ "Unix sockets", BASE, 0, unix_socket, 0 },
		{ "Unix sockets, to log", SB_STDIO, 0, unix_socket, 0 },
		{ "IP with SB_INET", BASE | SB_INET, 0, inet_socket, 0 },
		{ "fork with SB_FORK", BASE | SB_FORK, 0, fork_one, 0 },
		{ "memfd with SB_MEMFD", BASE | SB_MEMFD, 0, new_memfd, 0 },
		{ "ids with SB_IDS", BASE | SB_IDS, 0, become_other, 0 },
	};
	check(t, COUNT(t));
}

static void what_libraries_try_is_refused_with_an_error(void)
{
#ifndef POSTERN_ASAN
	static const struct act t[] = {
		{ "IP", BASE, 0, inet_socket, EAFNOSUPPORT },
		{ "netlink", BASE, 0, raw_socket, EAFNOSUPPORT },
		{ "new code", BASE, 0, code_pages, EACCES },
		{ "limits", BASE, 0, more_memory_limit, EPERM },
	};
	check(t, COUNT(t));
#endif
	static const struct act always[] = { { "the trap's handler", BASE, 0, undo_trap, EPERM } };
	check(always, COUNT(always));
}

static void a_signal_out_of_the_sandbox_is_refused(void)
{
	static const struct act t[] = { { "kill", BASE | SB_FORK, 0, signal_parent, EPERM, true } };
	check(t, COUNT(t));
}

static void the_refused_call_is_named(void)
{
	volatile sig_atomic_t *note = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char name[32];
	CU_ASSERT_EQUAL(act_within(BASE, 0, -1, exec_true, note), KILLED);
	CU_ASSERT_EQUAL(*note, SYS_execve);
	CU_ASSERT_STRING_EQUAL(sandbox_call_name(*note, name), "execve");
	CU_ASSERT_STRING_EQUAL(sandbox_call_name(99999, name), "99999");
	munmap((void *)(uintptr_t)note, 4096);
}

static void a_profile_has_at_least_stdio(void)
{
	struct err e;
	CU_ASSERT_PTR_NULL(sandbox_new(SB_FILES, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
}

void suite_svc_sandbox(void)
{
	static const struct unit_case cases[] = {
		UNIT(files_are_reached_only_below_allowed_directories),
		UNIT(calls_outside_the_profile_end_the_process),
		UNIT(the_profile_allows_what_it_names),
		UNIT(what_libraries_try_is_refused_with_an_error),
		UNIT(a_signal_out_of_the_sandbox_is_refused),
		UNIT(the_refused_call_is_named),
		UNIT(a_profile_has_at_least_stdio),
		UNIT_END,
	};
	unit_suite("svc_sandbox", cases);
}
