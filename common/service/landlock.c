/* Landlock by raw system calls: libc has no wrappers, and the build host's headers may be older than the running kernel. */
#include "service/sandbox_parts.h"
#include "base/fd.h"
#include "service/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

/* linux/landlock.h, ABI 3 to 6 */
#define FS_TRUNCATE ((uint64_t)1 << 14)
#define FS_IOCTL_DEV ((uint64_t)1 << 15)
#define NET_BIND_TCP ((uint64_t)1 << 0)
#define NET_CONNECT_TCP ((uint64_t)1 << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET ((uint64_t)1 << 0)
#define SCOPE_SIGNAL ((uint64_t)1 << 1)
struct ruleset_attr {
	uint64_t fs, net, scoped;
};

#define FS_ABI_1 (((uint64_t)1 << 13) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* To move a foreign FIFO, socket or symlink out of the way is to "make" it; the calls that really make one are not in any filter.
 */
#define FS_MAKE_ODD (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_WRITE                                                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | FS_MAKE_ODD | FS_TRUNCATE)

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi > 0 ? (int)abi : 0;
}

static uint64_t fs_known(int abi)
{
	return FS_ABI_1 | (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* An older kernel knows a shorter struct and refuses a longer one only when the rest is not zero. */
static struct ruleset_attr attr_for(unsigned flags, int abi)
{
	struct ruleset_attr a = { .fs = fs_known(abi) };
	if (abi >= 4 && !(flags & (SB_INET | SB_NSS)))
		a.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 6 && !(flags & SB_NSS))
		a.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return a;
}

static bool allow(int ruleset, int dirfd, uint64_t access, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = dirfd };
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ||
	       err_sys(e, ERR_PERM, "add a Landlock rule");
}

static bool allow_path(int ruleset, const char *path, uint64_t access, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "open %s", path);
	bool ok = allow(ruleset, fd, access, e);
	fd_close(&fd);
	return ok;
}

bool landlock_build(unsigned flags, const struct sandbox_dir *dirs, size_t n, int *ret_ruleset, struct err *e)
{
	int abi = landlock_abi();
	if (abi == 0) {
		*ret_ruleset = -1;
		return true;
	}
	struct ruleset_attr attr = attr_for(flags, abi);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_sys(e, ERR_PERM, "create a Landlock ruleset");
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++) {
		uint64_t access = (dirs[i].access & SB_DIR_READ ? FS_READ : 0) | (dirs[i].access & SB_DIR_WRITE ? FS_WRITE : 0);
		ok = allow(ruleset, dirs[i].fd, access & attr.fs, e);
	}
	if (ok && (flags & SB_NSS))
		ok = allow_path(ruleset, "/", FS_READ, e);
#ifdef POSTERN_ASAN
	/* The leak checker walks /proc/self/task; reports need the symbols of the program, wherever it was built. */
	if (ok)
		ok = allow_path(ruleset, "/proc", FS_READ, e) && allow_path(ruleset, "/usr", FS_READ, e);
#endif
	if (!ok) {
		fd_close(&ruleset);
		return false;
	}
	*ret_ruleset = ruleset;
	return true;
}

bool landlock_enter(int ruleset, struct err *e)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 || err_sys(e, ERR_PERM, "enter the Landlock ruleset");
}
