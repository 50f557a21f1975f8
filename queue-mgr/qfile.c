#include "qfile.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>

int qfile_dir(const struct spool_dir *d, enum where where, const struct spool_id *id)
{
	switch (where) {
	case IN_NEW:
		return d->new_fd[spool_id_shard(id)];
	case IN_CUR:
		return d->cur_fd[spool_id_shard(id)];
	case IN_HOLD:
		break;
	}
	return d->hold_fd;
}

static enum found open_failed(struct err *e)
{
	int why = errno;
	err_sys(e, ERR_TEMP, "open");
	if (why == ENOENT)
		return FOUND_GONE;
	/* ELOOP: a symlink; ENXIO: a socket. Anything else may pass (EMFILE, EIO). */
	return why == ELOOP || why == ENXIO || why == EACCES ? FOUND_FOREIGN : FOUND_FAILED;
}

static enum found open_file(int dir, const char *name, bool lock, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	struct stat st;
	enum found found = FOUND;
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return open_failed(e);
	if (fstat(fd, &st) < 0) {
		err_sys(e, ERR_TEMP, "look at");
		found = FOUND_FAILED;
	} else if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
		err_set(e, ERR_PERM, "%s", S_ISREG(st.st_mode) ? "it has several names" : "not a regular file");
		found = FOUND_FOREIGN;
	} else if (lock && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		found = errno == EWOULDBLOCK ? FOUND_LOCKED : FOUND_FAILED;
		err_sys(e, ERR_TEMP, "lock");
	}
	if (found != FOUND) {
		close(fd);
		return found;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return FOUND;
}

enum found qfile_open(int dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	return open_file(dir, name, true, ret_fd, ret_size, e);
}

enum found qfile_peek(int dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	return open_file(dir, name, false, ret_fd, ret_size, e);
}

bool qfile_rename(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return true;
	return err_sys(e, ERR_TEMP, "rename %s to %s", from, to);
}

bool qfile_corrupt(const struct spool_dir *d, int dir, const char *name, const char *reason)
{
	char to[NAME_MAX + 8];
	struct err e = { .kind = ERR_NONE };
	snprintf(to, sizeof(to), "%s", name);
	for (int n = 1; n < 100; n++) {
		if (renameat2(dir, name, d->corrupt_fd, to, RENAME_NOREPLACE) == 0) {
			LOG_WARN("corrupt", KV_STR("file", name), KV_STR("now", to), KV_STR("reason", reason));
			return true;
		}
		if (errno != EEXIST)
			break;
		snprintf(to, sizeof(to), "%.200s.%d", name, n);
	}
	if (errno == ENOENT)
		return true;
	err_sys(&e, ERR_TEMP, "move to corrupt/");
	LOG_ERROR("corrupt", KV_STR("file", name), KV_STR("reason", reason), KV_STR("stays", e.text));
	return false;
}

bool qfile_unlink(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return true;
	return err_sys(e, ERR_TEMP, "unlink %s", name);
}

struct entry_change entry_as_is(const struct index *ix, uint32_t slot)
{
	const struct entry *en = index_at(ix, slot);
	return (struct entry_change){ .where = en->where,
		.due = en->due,
		.tries = en->tries,
		.dest = en->dest,
		.sender = en->sender,
		.warned = (en->flags & ENTRY_WARNED) != 0,
		.owner = (en->flags & ENTRY_OWNER) != 0 };
}

static void apply(struct entry *en, const struct entry_change *c)
{
	en->where = c->where & 3u;
	en->due = c->due;
	en->tries = (uint16_t)MIN(c->tries, UINT16_MAX);
	en->dest = c->dest;
	en->sender = c->sender;
	bool owner = c->owner && c->where == IN_HOLD;
	en->flags =
		(uint8_t)((en->flags & ~(ENTRY_WARNED | ENTRY_OWNER)) | (c->warned ? ENTRY_WARNED : 0) | (owner ? ENTRY_OWNER : 0));
}

bool entry_move(struct index *ix, const struct spool_dir *d, uint32_t slot, const struct entry_change *change, struct err *e)
{
	struct entry *en = index_at(ix, slot), before = *en;
	struct spool_id id;
	char from[SPOOL_NAME_MAX], to[SPOOL_NAME_MAX];
	index_id(ix, slot, &id);
	index_name(ix, slot, from);
	apply(en, change);
	index_name(ix, slot, to);
	int from_dir = qfile_dir(d, before.where, &id), to_dir = qfile_dir(d, change->where, &id);
	if (from_dir == to_dir && strcmp(from, to) == 0)
		return true;
	if (qfile_rename(from_dir, from, to_dir, to, e))
		return true;
	before.link = en->link;
	*en = before;
	return false;
}
