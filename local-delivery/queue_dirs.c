/* The directories of the queue, seen by root: only below them, and only files of their owner, are ever renamed. */
#include "agent.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void queue_dirs_init(struct queue_dirs *q, const char *path)
{
	*q = (struct queue_dirs){ .path = path, .root = -1 };
	for (size_t i = 0; i < SPOOL_SHARDS; i++)
		q->new_fd[i] = q->cur_fd[i] = -1;
}

void queue_dirs_close(struct queue_dirs *q)
{
	for (size_t i = 0; i < SPOOL_SHARDS; i++) {
		fd_close(&q->new_fd[i]);
		fd_close(&q->cur_fd[i]);
	}
	fd_close(&q->root);
}

static bool open_root(struct queue_dirs *q, struct err *e)
{
	struct stat st;
	int fd;
	if (q->root >= 0)
		return true;
	fd = open(q->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, ERR_TEMP, "open the queue %s", q->path);
		fd_close(&fd);
		return false;
	}
	q->root = fd;
	q->owner = st.st_uid;
	return true;
}

/* As in spool/: nobody but the queue's owner may put files here. */
static bool check(const struct queue_dirs *q, int fd, const char *name, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_TEMP, "look at %s/%s", q->path, name);
	if (st.st_uid != q->owner || (st.st_mode & 0022) != 0)
		return err_set(e, ERR_TEMP, "%s/%s may be written by others than the queue's owner", q->path, name);
	return true;
}

bool queue_dirs_get(struct queue_dirs *q, unsigned shard, bool in_cur, int *ret_fd, struct err *e)
{
	BUG_IF(shard >= SPOOL_SHARDS);
	int *kept = in_cur ? &q->cur_fd[shard] : &q->new_fd[shard];
	char name[8];
	if (*kept < 0) {
		if (!open_root(q, e))
			return false;
		snprintf(name, sizeof name, "%x/%s", shard, in_cur ? "cur" : "new");
		int fd = openat(q->root, name, DIR_FLAGS);
		if (fd < 0)
			return err_sys(e, ERR_TEMP, "open %s/%s", q->path, name);
		if (!check(q, fd, name, e)) {
			fd_close(&fd);
			return false;
		}
		*kept = fd;
	}
	*ret_fd = *kept;
	return true;
}

bool queue_dirs_open(struct queue_dirs *q, struct err *e)
{
	int fd;
	for (unsigned i = 0; i < SPOOL_SHARDS; i++)
		if (!queue_dirs_get(q, i, false, &fd, e) || !queue_dirs_get(q, i, true, &fd, e))
			return false;
	return true;
}
