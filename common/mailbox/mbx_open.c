/* Finding the way to Maildir/new below a home that its user may rearrange at any moment: every step is taken with the user's
 * rights, through descriptors, and follows no link of theirs. */
#include "mailbox/mbx.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define PART_MAX 255 /* NAME_MAX */

static const char *dsn_of(int sys)
{
	switch (sys) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return "4.2.2"; /* RFC 3463: mailbox full */
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENOTDIR:
	case ENOENT:
	case EXDEV:
	case EROFS:
		return "4.2.1"; /* RFC 3463: mailbox disabled, not accepting messages */
	default:
		return "4.3.0";
	}
}

bool mbx_err(struct err *e, const char *fmt, ...)
{
	char what[200];
	va_list ap;
	int sys = errno;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	err_dsn(e, ERR_TEMP, dsn_of(sys), "%s: %s", what, sys == ELOOP ? "a symbolic link is not followed here" : strerror(sys));
	if (e)
		e->sys = sys;
	return false;
}

static int open_beneath(int at, const char *name)
{
	/* Not O_NOFOLLOW: with it a final link would be called "not a directory". */
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	return (int)syscall(SYS_openat2, at, name, &how, sizeof how);
}

/* Links in the path to the home are the admin's. O_PATH: a home may be searchable only. */
bool mbx_open_home(const struct mbx_user *user, int *ret_fd, struct err *e)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, user->home, &how, sizeof how);
	if (fd < 0 && errno == ENOENT)
		return err_dsn(e, ERR_TEMP, "4.2.1", "home directory %s is missing", user->home);
	if (fd < 0)
		return mbx_err(e, "home directory %s", user->home);
	*ret_fd = fd;
	return true;
}

bool mbx_look_for(const struct mbx_user *user, int home, const char *name, bool *ret, struct err *e)
{
	struct stat st;
	bool has = fstatat(home, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!has && errno != ENOENT)
		return mbx_err(e, "look for %s/%s", user->home, name);
	*ret = has;
	return true;
}

bool mbx_home_has(const struct mbx_user *user, const char *name, bool *ret, struct err *e)
{
	int home = -1;
	if (!mbx_ids_take(user, e))
		return false;
	bool ok = mbx_open_home(user, &home, e) && mbx_look_for(user, home, name, ret, e);
	mbx_ids_back();
	fd_close(&home);
	return ok;
}

/* A new directory is on disk before anything in it can matter. */
static bool make_dir(int at, const char *name, struct err *e)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return mbx_err(e, "make directory %s", name);
	int sync_fd = openat(at, ".", DIR_FLAGS); /* at may be O_PATH; where we may write but not read we cannot sync */
	bool ok = sync_fd < 0 || fd_sync(sync_fd, e);
	fd_close(&sync_fd);
	return ok;
}

static bool open_dir(int at, const char *name, bool make, int *ret_fd, struct err *e)
{
	int fd = open_beneath(at, name);
	if (fd < 0 && errno == ENOENT && make) {
		if (!make_dir(at, name, e))
			return false;
		fd = open_beneath(at, name);
	}
	if (fd < 0)
		return mbx_err(e, "open directory %s", name);
	*ret_fd = fd;
	return true;
}

static bool check_owner(const struct mbx_user *user, int fd, const char *what, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return mbx_err(e, "look at %s", what);
	if (st.st_uid == user->uid)
		return true;
	return err_dsn(e, ERR_TEMP, "4.2.1", "%s/%s: %s belongs to uid %u, not to uid %u", user->home, user->maildir, what,
		(unsigned)st.st_uid, (unsigned)user->uid);
}

/* Step by step, so that what is missing on the way can be made. The way to the Maildir may belong to others (a virtual domain's
 * directory); the Maildir may not. */
static bool walk(const struct mbx_user *user, int home, bool make, int *ret_fd, struct err *e)
{
	struct sv rest = sv_of(user->maildir), part;
	char name[PART_MAX + 1];
	int at = -1, next = -1;
	bool ok = true;
	while (ok && sv_cut(&rest, '/', &part)) {
		if (part.n == 0 || sv_eqs(part, "."))
			continue;
		if (!sv_copy(part, name, sizeof name))
			ok = err_dsn(e, ERR_TEMP, "4.3.5", "the Maildir's path holds a name that is too long");
		ok = ok && open_dir(at < 0 ? home : at, name, make, &next, e);
		if (ok) {
			fd_close(&at);
			at = next;
		}
	}
	if (ok && at < 0) /* the home is the Maildir */
		ok = open_dir(home, ".", false, &at, e);
	if (ok)
		*ret_fd = at;
	else
		fd_close(&at);
	return ok;
}

bool mbx_open_part(const struct mbx_user *user, int maildir_fd, const char *part, bool make, int *ret_fd, struct err *e)
{
	struct stat st;
	int fd = -1;
	if (!open_dir(maildir_fd, part, make, &fd, e)) {
		/* Closed to the user because it is somebody else's: that is the reason to tell. */
		bool foreign =
			e && e->sys == EACCES && fstatat(maildir_fd, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != user->uid;
		if (foreign)
			err_dsn(e, ERR_TEMP, "4.2.1", "%s belongs to uid %u, not to uid %u", part, (unsigned)st.st_uid,
				(unsigned)user->uid);
		err_add(e, "%s/%s", user->home, user->maildir);
		return false;
	}
	if (!check_owner(user, fd, part, e)) {
		fd_close(&fd);
		return false;
	}
	*ret_fd = fd;
	return true;
}

static bool make_part(const struct mbx_user *user, int maildir, const char *part, struct err *e)
{
	int fd = -1;
	bool ok = mbx_open_part(user, maildir, part, true, &fd, e);
	fd_close(&fd);
	return ok;
}

bool mbx_open_new(const struct mbx_user *user, int home, bool make, int *ret_maildir_fd, int *ret_new_fd, struct err *e)
{
	int maildir = -1, new_fd = -1;
	bool ok = walk(user, home, make, &maildir, e);
	if (!ok)
		err_add(e, "%s/%s", user->home, user->maildir);
	ok = ok && check_owner(user, maildir, "the Maildir", e) &&
	     (!make || (make_part(user, maildir, "tmp", e) && make_part(user, maildir, "cur", e))) &&
	     mbx_open_part(user, maildir, "new", make, &new_fd, e);
	if (!ok) {
		fd_close(&maildir);
		return false;
	}
	*ret_maildir_fd = maildir;
	*ret_new_fd = new_fd;
	return true;
}
