/* The queue directory: made, checked, opened, locked. */
#include "spool/spool.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define VERSION_NAME "VERSION"
#define VERSION_TEXT "postern queue 1\n"
#define DIR_MODE 0700
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static void set_closed(struct spool_dir *d)
{
	*d = (struct spool_dir){ .root = -1, .hold_fd = -1, .corrupt_fd = -1, .lock_fd = -1 };
	for (size_t i = 0; i < SPOOL_SHARDS; i++)
		d->new_fd[i] = d->cur_fd[i] = d->tmp_fd[i] = -1;
}

void spool_dir_close(struct spool_dir *d)
{
	for (size_t i = 0; i < SPOOL_SHARDS; i++) {
		fd_close(&d->new_fd[i]);
		fd_close(&d->cur_fd[i]);
		fd_close(&d->tmp_fd[i]);
	}
	fd_close(&d->hold_fd);
	fd_close(&d->corrupt_fd);
	fd_close(&d->root);
	fd_close(&d->lock_fd);
}

/* Nobody but the owner may put or rename files here: what lies here is delivered with root's help. */
static bool check_dir(int fd, uid_t owner, const char *name, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_TEMP, "look at %s", name);
	if (st.st_uid != owner)
		return err_set(
			e, ERR_PERM, "%s belongs to uid %u, not to %u: chown it", name, (unsigned)st.st_uid, (unsigned)owner);
	if ((st.st_mode & 0022) != 0)
		return err_set(e, ERR_PERM, "%s may be written by group or others: chmod go-w", name);
	return true;
}

static bool open_sub(int at, const char *name, bool create, uid_t owner, int *ret_fd, struct err *e)
{
	if (create) {
		if (!fd_mkdir(at, name, DIR_MODE, ret_fd, e))
			return false;
	} else if ((*ret_fd = openat(at, name, DIR_FLAGS)) < 0)
		return err_sys(e, ERR_TEMP, "open %s in the queue", name);
	return check_dir(*ret_fd, owner, name, e);
}

static bool open_shard(struct spool_dir *d, size_t i, bool create, uid_t owner, struct err *e)
{
	char name[2] = { "0123456789abcdef"[i], '\0' };
	int fd = -1;
	bool ok = open_sub(d->root, name, create, owner, &fd, e) && open_sub(fd, "new", create, owner, &d->new_fd[i], e) &&
		  open_sub(fd, "cur", create, owner, &d->cur_fd[i], e) && open_sub(fd, "tmp", create, owner, &d->tmp_fd[i], e);
	if (!ok)
		err_add(e, "queue directory %s", name);
	fd_close(&fd);
	return ok;
}

static bool write_version(int root, struct err *e)
{
	int fd = openat(root, VERSION_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "create VERSION in the queue");
	bool ok = fd_write_all(fd, VERSION_TEXT, sizeof(VERSION_TEXT) - 1, e) && fd_sync(fd, e);
	fd_close(&fd);
	return ok;
}

/* *ret_new: there is none yet. It is written last, so where it stands the directories are there, on disk. */
static bool check_version(int root, bool *ret_new, struct err *e)
{
	struct buf text = BUF_INIT(1000);
	int fd = openat(root, VERSION_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*ret_new = fd < 0 && errno == ENOENT;
	if (*ret_new)
		return true;
	if (fd < 0)
		return err_sys(e, ERR_PERM, "open VERSION in the queue");
	bool ok = fd_read_file(fd, &text, e);
	if (ok && text.len == 0) /* the system stopped while it was written */
		*ret_new = unlinkat(root, VERSION_NAME, 0) == 0;
	else if (ok && !sv_eqs(buf_sv(&text), VERSION_TEXT))
		ok = err_set(e, ERR_PERM, "the queue directory is of another version of Postern");
	buf_free(&text);
	fd_close(&fd);
	return ok;
}

static bool open_root(const char *path, bool create, struct spool_dir *d, uid_t *ret_owner, struct err *e)
{
	struct stat st;
	if (create && mkdir(path, DIR_MODE) < 0 && errno != EEXIST)
		return err_sys(e, ERR_TEMP, "make %s", path);
	d->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0 || fstat(d->root, &st) < 0)
		return err_sys(e, ERR_TEMP, "open %s", path);
	*ret_owner = create ? geteuid() : st.st_uid;
	return check_dir(d->root, *ret_owner, path, e);
}

bool spool_dir_open(const char *path, bool create, struct spool_dir *ret, struct err *e)
{
	struct spool_dir d;
	uid_t owner = 0;
	bool is_new = false;
	set_closed(&d);
	bool ok = open_root(path, create, &d, &owner, e) && check_version(d.root, &is_new, e);
	if (ok && is_new && !create)
		ok = err_set(e, ERR_PERM, "%s is no queue directory: it has no VERSION", path);
	for (size_t i = 0; ok && i < SPOOL_SHARDS; i++)
		ok = open_shard(&d, i, create, owner, e);
	ok = ok && open_sub(d.root, "hold", create, owner, &d.hold_fd, e) &&
	     open_sub(d.root, "corrupt", create, owner, &d.corrupt_fd, e);
	if (ok && is_new)
		ok = (syncfs(d.root) == 0 || err_sys(e, ERR_TEMP, "sync %s", path)) && write_version(d.root, e) &&
		     fd_sync(d.root, e);
	if (!ok)
		spool_dir_close(&d);
	else
		*ret = d;
	return ok;
}

bool spool_dir_lock(struct spool_dir *d, bool wait, struct err *e)
{
	if (d->lock_fd < 0)
		d->lock_fd = openat(d->root, VERSION_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (d->lock_fd < 0)
		return err_sys(e, ERR_TEMP, "open VERSION in the queue");
	int rc;
	do
		rc = flock(d->lock_fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno == EWOULDBLOCK)
		return err_sys(e, ERR_TEMP, "another queue-mgr has this queue");
	return rc == 0 || err_sys(e, ERR_TEMP, "lock the queue");
}
