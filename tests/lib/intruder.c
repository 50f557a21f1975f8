/* intruder PID CALL [ARG] - makes one system call inside a running process, as one who has taken it over would.
 *
 * For the sandbox test (root, x86-64): the process is waiting in a system call, so the two bytes before its instruction pointer are
 * the `syscall` instruction; registers and stack are put back afterwards. Prints the result, the errno's name, or "killed". */
#include "base/defs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifdef __x86_64__
struct call {
	const char *name;
	long number;
	long arg[6];
	int text_arg; /* which argument is the address of ARG; -1: none */
};
static const struct call calls[] = {
	{ "open", SYS_openat, { AT_FDCWD, 0, O_RDONLY }, 1 },
	{ "write", SYS_openat, { AT_FDCWD, 0, O_WRONLY | O_CREAT, 0600 }, 1 },
	{ "exec", SYS_execve, { 0 }, 0 },
	{ "unlink", SYS_unlinkat, { AT_FDCWD, 0, 0 }, 1 },
	{ "mkdir", SYS_mkdirat, { AT_FDCWD, 0, 0700 }, 1 },
	{ "inet", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, -1 },
	{ "raw", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, -1 },
	{ "setuid", SYS_setuid, { 0 }, -1 },
	{ "kill", SYS_kill, { 1, 0 }, -1 },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, 1 }, -1 },
	{ "fork", SYS_fork, { 0 }, -1 },
};

static bool wait_stop(pid_t pid)
{
	int status;
	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

static bool poke(pid_t pid, unsigned long at, const char *text)
{
	for (size_t n = strlen(text) + 1, k = 0; k < n; k += sizeof(long)) {
		long word = 0;
		memcpy(&word, text + k, MIN(sizeof(long), n - k));
		if (ptrace(PTRACE_POKEDATA, pid, at + k, word) < 0)
			return false;
	}
	return true;
}

static int intrude(pid_t pid, const struct call *c, const char *text)
{
	struct user_regs_struct saved, r;
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) < 0 || !wait_stop(pid) || ptrace(PTRACE_GETREGS, pid, 0, &saved) < 0)
		return perror("attach"), 2;
	r = saved;
	r.rip -= 2;
	r.rsp = (saved.rsp - 8192) & ~15ul;
	long at[6];
	memcpy(at, c->arg, sizeof(at));
	if (c->text_arg >= 0) {
		if (!poke(pid, r.rsp, text))
			return perror("poke"), 2;
		at[c->text_arg] = (long)r.rsp;
	}
	r.rax = (unsigned long)c->number;
	r.orig_rax = (unsigned long)-1;
	r.rdi = (unsigned long)at[0], r.rsi = (unsigned long)at[1], r.rdx = (unsigned long)at[2];
	r.r10 = (unsigned long)at[3], r.r8 = (unsigned long)at[4], r.r9 = (unsigned long)at[5];
	ptrace(PTRACE_SETREGS, pid, 0, &r);
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	int status;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, pid, 0, &r) < 0)
		return puts("killed"), 0;
	if (WSTOPSIG(status) == SIGSYS) { /* the filter's answer; the daemon's own handler would end it now */
		ptrace(PTRACE_SETREGS, pid, 0, &saved);
		ptrace(PTRACE_DETACH, pid, 0, SIGKILL);
		return puts("killed"), 0;
	}
	long result = (long)r.rax;
	ptrace(PTRACE_SETREGS, pid, 0, &saved);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	puts(result < 0 ? strerrorname_np((int)-result) : "allowed");
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc >= 3 && i < COUNT(calls); i++)
		if (strcmp(argv[2], calls[i].name) == 0)
			return intrude((pid_t)strtol(argv[1], NULL, 10), &calls[i], argc > 3 ? argv[3] : "/etc/shadow");
	fprintf(stderr, "usage: intruder PID open|write|exec|unlink|mkdir|inet|raw|setuid|kill|ptrace|fork [PATH]\n");
	return 64;
}
#else
int main(void) { return puts("unsupported"), 77; }
#endif
