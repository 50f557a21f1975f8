#include "base/fd.h"
#include "maps/bdb.h"

#include <fcntl.h>

#define PATH_LEN_MAX 4096

/* Readable for the same people as the source. */
static bool copy_rights(int fd, const char *source_path, struct err *e)
{
	struct stat from, to;

	if (stat(source_path, &from) < 0 || fstat(fd, &to) < 0)
		return err_sys(e, ERR_TEMP, "read the rights of %s", source_path);
	if (from.st_gid != to.st_gid && fchown(fd, (uid_t)-1, from.st_gid) < 0)
		return err_sys(e, ERR_PERM, "set the group of the table to that of %s", source_path);
	return fchmod(fd, from.st_mode & 0666) == 0 || err_sys(e, ERR_PERM, "set the mode of the table");
}

static bool finish(const char *tmp, const char *source_path, const char *path_db, struct err *e)
{
	char dir[PATH_LEN_MAX];
	ptrdiff_t slash = sv_rchr(sv_of(path_db), '/');
	int fd = open(tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool ok = fd >= 0 || err_sys(e, ERR_TEMP, "open %s", tmp);

	ok = ok && copy_rights(fd, source_path, e) && fd_sync(fd, e);
	fd_close(&fd);
	if (ok && rename(tmp, path_db) < 0)
		ok = err_sys(e, ERR_TEMP, "rename %s to %s", tmp, path_db);
	if (!ok)
		return false;
	snprintf(dir, sizeof(dir), "%.*s", slash < 0 ? 1 : (int)slash + 1, slash < 0 ? "." : path_db);
	return fd_sync_dir(AT_FDCWD, dir, e);
}

bool map_compile_bdb(const char *source_path, enum map_form form, const char *path_db, uint64_t *ret_entries, struct err *e)
{
	char tmp[PATH_LEN_MAX];
	struct map_table table;
	uint64_t n = 0;
	int len = snprintf(tmp, sizeof(tmp), "%s.%ld.tmp", path_db, (long)getpid());

	if (len < 0 || (size_t)len >= sizeof(tmp))
		return err_set(e, ERR_PERM, "the path of the table is too long");
	map_table_init(&table);
	bool ok = map_source_load(source_path, form, &table, e);
	if (ok) {
		unlink(tmp); /* of a process with this number that was killed */
		ok = bdb_write(tmp, &table, &n, e) && finish(tmp, source_path, path_db, e);
		if (!ok)
			unlink(tmp);
	}
	map_table_free(&table);
	if (ok)
		*ret_entries = n;
	return ok;
}
