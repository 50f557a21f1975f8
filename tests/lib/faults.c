/* faults - a library that tests load into the daemons (LD_PRELOAD): it counts their calls, makes some fail, and sets their clock.
 *
 * All loaded processes map the file $POSTERN_TEST_FAULTS: the test writes what it wants there (struct board), the daemons what they
 * did. It is mapped before the sandbox is entered and costs no forbidden system call later. Of descriptors that are read, written
 * or looked at, files and directories alone count, so that the k-th call is the same one in each run. */
#include "base/defs.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PROGRAMS 16
#define SHORT (-1) /* as an error: half of what was asked for */

/* The test knows them by the same names in the same order. */
enum call {
	C_OPEN,
	C_READ,
	C_WRITE,
	C_SYNC,
	C_TRUNCATE,
	C_RENAME,
	C_UNLINK,
	C_MKDIR,
	C_CHMOD,
	C_CHOWN,
	C_STAT,
	C_STATFS,
	C_FLOCK,
	C_FCNTL,
	C_FORK,
	C_PIPE,
	C_ACCEPT,
	C_CONNECT,
	C_READDIR,
	C_SENDMSG,
	C_RECVMSG,
	CALLS
};

struct board {
	_Atomic uint32_t counting; /* 0: nothing is counted and nothing fails */
	uint32_t program, call;    /* which calls of whom fail */
	uint32_t first, times;     /* from the first-th on, counted from 1 */
	int32_t error;             /* how: an errno, or SHORT */
	_Atomic uint32_t hits;     /* how many did fail */
	int32_t clock_shift;       /* seconds that CLOCK_REALTIME is ahead */
	char programs[PROGRAMS][32];
	_Atomic uint32_t counts[PROGRAMS][CALLS];
};

static struct board *board;
static uint32_t program = PROGRAMS;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define RAW(...) NEXT(syscall)(__VA_ARGS__)

__attribute__((constructor)) static void map_board(void)
{
	const char *path = getenv("POSTERN_TEST_FAULTS");
	int fd = path ? (int)RAW(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	board = p;
	for (program = 0; program < PROGRAMS && strcmp(board->programs[program], program_invocation_short_name) != 0;)
		program++;
}

/* 0: go on; otherwise the errno, which is set, or SHORT. */
static int fault(enum call c)
{
	if (!board || program == PROGRAMS || !atomic_load(&board->counting))
		return 0;
	uint32_t n = atomic_fetch_add(&board->counts[program][c], 1) + 1;
	if (board->program != program || board->call != (uint32_t)c || n < board->first || n - board->first >= board->times)
		return 0;
	atomic_fetch_add(&board->hits, 1);
	if (board->error != SHORT)
		errno = board->error;
	return board->error;
}

static bool of_disk(int fd)
{
	struct stat st;
	int saved = errno;
	bool yes = RAW(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
	errno = saved;
	return yes;
}

static int fault_fd(enum call c, int fd)
{
	return board && program < PROGRAMS && atomic_load(&board->counting) && of_disk(fd) ? fault(c) : 0;
}

/* How many of n bytes: all of them, half when the call is to fall short; -1: it fails. */
static ssize_t share(enum call c, int fd, size_t n)
{
	int f = fault_fd(c, fd);
	return f == 0 ? (ssize_t)n : f == SHORT ? (ssize_t)((n + 1) / 2) : -1;
}

/* --- what is read and written ---------------------------------------------------------------------------------------------- */
ssize_t read(int fd, void *p, size_t n)
{
	ssize_t k = share(C_READ, fd, n);
	return k < 0 ? -1 : NEXT(read)(fd, p, (size_t)k);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	ssize_t k = share(C_READ, fd, n);
	return k < 0 ? -1 : NEXT(pread)(fd, p, (size_t)k, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t k = share(C_WRITE, fd, n);
	return k < 0 ? -1 : NEXT(write)(fd, p, (size_t)k);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t k = share(C_WRITE, fd, n);
	return k < 0 ? -1 : NEXT(pwrite)(fd, p, (size_t)k, at);
}

/* Short: half of the first piece. */
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	ssize_t k = share(C_WRITE, fd, v->iov_len);
	if (k < 0)
		return -1;
	return (size_t)k == v->iov_len ? NEXT(pwritev)(fd, v, n, at) : NEXT(pwrite)(fd, v->iov_base, (size_t)k, at);
}

struct dirent *readdir(DIR *d) { return fault(C_READDIR) ? NULL : NEXT(readdir)(d); }
int fsync(int fd) { return fault(C_SYNC) ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fault(C_SYNC) ? -1 : NEXT(fdatasync)(fd); }
int syncfs(int fd) { return fault(C_SYNC) ? -1 : NEXT(syncfs)(fd); }
int ftruncate(int fd, off_t n) { return fault(C_TRUNCATE) ? -1 : NEXT(ftruncate)(fd, n); }

/* --- names ------------------------------------------------------------------------------------------------------------------- */
int openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	unsigned mode = flags & O_CREAT ? va_arg(ap, unsigned) : 0;
	va_end(ap);
	return fault(C_OPEN) ? -1 : (int)RAW(SYS_openat, at, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	unsigned mode = flags & O_CREAT ? va_arg(ap, unsigned) : 0;
	va_end(ap);
	return openat(AT_FDCWD, path, flags, mode);
}

int renameat(int a, const char *from, int b, const char *to) { return fault(C_RENAME) ? -1 : NEXT(renameat)(a, from, b, to); }

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return fault(C_RENAME) ? -1 : NEXT(renameat2)(a, from, b, to, flags);
}

int unlinkat(int at, const char *path, int flags) { return fault(C_UNLINK) ? -1 : NEXT(unlinkat)(at, path, flags); }
int mkdirat(int at, const char *path, mode_t mode) { return fault(C_MKDIR) ? -1 : NEXT(mkdirat)(at, path, mode); }
int fchmod(int fd, mode_t mode) { return fault_fd(C_CHMOD, fd) ? -1 : NEXT(fchmod)(fd, mode); }
int fchown(int fd, uid_t uid, gid_t gid) { return fault_fd(C_CHOWN, fd) ? -1 : NEXT(fchown)(fd, uid, gid); }
int fstat(int fd, struct stat *st) { return fault_fd(C_STAT, fd) ? -1 : NEXT(fstat)(fd, st); }
int fstatfs(int fd, struct statfs *st) { return fault(C_STATFS) ? -1 : NEXT(fstatfs)(fd, st); }
int fstatvfs(int fd, struct statvfs *st) { return fault(C_STATFS) ? -1 : NEXT(fstatvfs)(fd, st); }
int flock(int fd, int how) { return fault(C_FLOCK) ? -1 : NEXT(flock)(fd, how); }

int fstatat(int at, const char *path, struct stat *st, int flags)
{
	return fault(C_STAT) ? -1 : NEXT(fstatat)(at, path, st, flags);
}

/* openat2 and faccessat2 are made this way. */
long syscall(long number, ...)
{
	long a[6];
	va_list ap;
	va_start(ap, number);
	for (size_t i = 0; i < COUNT(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if ((number == SYS_openat2 && fault(C_OPEN)) || (number == SYS_faccessat2 && fault(C_STAT)))
		return -1;
	return RAW(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int fcntl(int fd, int what, ...)
{
	va_list ap;
	va_start(ap, what);
	long arg = va_arg(ap, long);
	va_end(ap);
	return fault_fd(C_FCNTL, fd) ? -1 : NEXT(fcntl)(fd, what, arg);
}

/* --- processes and channels ----------------------------------------------------------------------------------------------------
 */
pid_t fork(void) { return fault(C_FORK) ? -1 : NEXT(fork)(); }
int pipe2(int fds[2], int flags) { return fault(C_PIPE) ? -1 : NEXT(pipe2)(fds, flags); }
int accept4(int fd, struct sockaddr *a, socklen_t *n, int flags) { return fault(C_ACCEPT) ? -1 : NEXT(accept4)(fd, a, n, flags); }
int connect(int fd, const struct sockaddr *a, socklen_t n) { return fault(C_CONNECT) ? -1 : NEXT(connect)(fd, a, n); }
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) { return fault(C_SENDMSG) ? -1 : NEXT(sendmsg)(fd, m, flags); }
ssize_t recvmsg(int fd, struct msghdr *m, int flags) { return fault(C_RECVMSG) ? -1 : NEXT(recvmsg)(fd, m, flags); }

/* --- the clock --------------------------------------------------------------------------------------------------------------- */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = NEXT(clock_gettime)(clock, t);
	if (rc == 0 && board && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += board->clock_shift;
	return rc;
}
