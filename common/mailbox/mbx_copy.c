/* Writing a message into a Maildir with the user's own rights: tmp, fsync, rename, fsync of the directory. The name in new/ is the
 * same at every try, and a later try looks for it first, so that an answer that got lost costs no second copy. */
#include "mailbox/mbx.h"

#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define STALE_SECS (36 * 3600) /* as the original specification of Maildir says */
#define STALE_SCAN_MAX 1000    /* entries of tmp/ that one delivery looks at */
#define TMP_MARK ".p"          /* our own names in tmp/: NAME.pPID.RANDOM */

/* --- an earlier try --- */
struct wanted {
	const char *name;
	uint64_t size;
};

static bool is_it(int dir, const char *name, const struct wanted *w)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == w->size;
}

/* A reader that has seen it moves it to cur/ and adds ":2,FLAGS". */
static bool has_base(const char *entry, const char *name)
{
	size_t n = strlen(name);
	return strncmp(entry, name, n) == 0 && (entry[n] == '\0' || entry[n] == ':');
}

static bool find_in_cur(
	int cur, const struct wanted *w, size_t n_wanted, char *ret_name, size_t name_size, bool *ret_found, struct err *e)
{
	int fd = openat(cur, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	*ret_found = false;
	if (!d) {
		mbx_err(e, "read directory cur");
		fd_close(&fd);
		return false;
	}
	while (!*ret_found && (errno = 0, entry = readdir(d)) != NULL)
		for (size_t i = 0; i < n_wanted && !*ret_found; i++)
			*ret_found = has_base(entry->d_name, w[i].name) && is_it(cur, entry->d_name, &w[i]) &&
				     sv_copy(sv_of(entry->d_name), ret_name, name_size);
	bool ok = *ret_found || errno == 0 || mbx_err(e, "read directory cur");
	closedir(d);
	return ok;
}

/* Found means durable as well: the file was synced before it got its name, the name may not be. */
static bool find_earlier(const struct mbx_user *user, const struct mbx_copy *c, int maildir, int new_fd, char *path,
	size_t path_size, bool *ret_found, struct err *e)
{
	struct wanted w[2] = { { c->name, c->head_len + c->size - c->offset }, { c->moved_name, c->size } };
	size_t n_wanted = c->moved_name ? 2 : 1;
	char name[NAME_MAX + 1];
	int cur = -1;
	for (size_t i = 0; i < n_wanted; i++)
		if (is_it(new_fd, w[i].name, &w[i])) {
			snprintf(path, path_size, "%s/new/%s", user->maildir, w[i].name);
			*ret_found = true;
			return fd_sync(new_fd, e);
		}
	if (!mbx_open_part(user, maildir, "cur", true, &cur, e))
		return false;
	bool ok = find_in_cur(cur, w, n_wanted, name, sizeof name, ret_found, e);
	if (ok && *ret_found) {
		snprintf(path, path_size, "%s/cur/%s", user->maildir, name);
		ok = fd_sync(cur, e) && fd_sync(new_fd, e);
	}
	fd_close(&cur);
	return ok;
}

/* --- tmp/ --- */
static bool is_ours(const char *entry)
{
	struct sv rest = sv_of(entry);
	ptrdiff_t mark = sv_find(rest, SV(TMP_MARK)), dot;
	if (mark <= 0)
		return false;
	rest = sv_skip(rest, (size_t)mark + sizeof TMP_MARK - 1);
	dot = sv_chr(rest, '.');
	return dot > 0 && strspn(rest.p, "0123456789") == (size_t)dot && rest.n - (size_t)dot == 17 &&
	       strspn(rest.p + dot + 1, "0123456789abcdef") == 16;
}

static void remove_stale(int tmp)
{
	int fd = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;
	if (!d) {
		fd_close(&fd);
		return;
	}
	time_t old = (time_t)clock_real_secs() - STALE_SECS;
	for (int n = 0; n < STALE_SCAN_MAX && (entry = readdir(d)) != NULL; n++)
		if (is_ours(entry->d_name) && fstatat(tmp, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
			st.st_mtime < old)
			unlinkat(tmp, entry->d_name, 0);
	closedir(d);
}

/* Errors of reading are the queue's, of writing the mailbox's: fd_copy() does not tell, errno does. */
static bool failed_io(struct err *e, const char *what)
{
	struct err io = *e;
	errno = io.sys;
	if (io.sys != 0)
		return mbx_err(e, "%s", what);
	return err_dsn(e, ERR_TEMP, "4.3.0", "%s: %s", what, io.text);
}

static bool write_tmp(const struct mbx_copy *c, int tmp, const char *name, struct err *e)
{
	struct err io = { .kind = ERR_NONE };
	int fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return mbx_err(e, "create a file in tmp");
	bool ok = fd_write_all(fd, c->head, c->head_len, &io) && fd_copy(c->file, (off_t)c->offset, c->size - c->offset, fd, &io) &&
		  fd_sync(fd, &io);
	fd_close(&fd);
	if (ok)
		return true;
	unlinkat(tmp, name, 0);
	failed_io(&io, "write into the Maildir");
	if (e)
		*e = io;
	return false;
}

/* Never over another file. Where the file system cannot promise that (NFS), looking first is enough: nobody but the user, who has
 * worse means, puts files here under names of ours. */
static bool publish_as(int tmp, const char *from, int new_fd, const char *to)
{
	struct stat st;
	if (renameat2(tmp, from, new_fd, to, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	if (fstatat(new_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = EEXIST;
	return errno == ENOENT && renameat(tmp, from, new_fd, to) == 0;
}

/* The name is taken: by an earlier try (same length), or by something else; then the message gets another name. */
static bool publish(const struct mbx_copy *c, int tmp, const char *from, int new_fd, char *name, size_t name_size, struct err *e)
{
	struct wanted w = { c->name, c->head_len + c->size - c->offset };
	snprintf(name, name_size, "%s", c->name);
	if (publish_as(tmp, from, new_fd, name))
		return true;
	if (errno != EEXIST)
		return mbx_err(e, "rename into new");
	if (is_it(new_fd, name, &w)) {
		unlinkat(tmp, from, 0);
		return true;
	}
	snprintf(name, name_size, "%s", from);
	return publish_as(tmp, from, new_fd, name) || mbx_err(e, "rename into new");
}

static bool store(
	const struct mbx_user *user, const struct mbx_copy *c, int maildir, int new_fd, char *path, size_t path_size, struct err *e)
{
	char tmp_name[NAME_MAX + 1], name[NAME_MAX + 1];
	int tmp = -1;
	if (!mbx_open_part(user, maildir, "tmp", true, &tmp, e))
		return false;
	uint64_t random = rnd_u64();
	if (c->look_first || random % 64 == 0)
		remove_stale(tmp);
	snprintf(tmp_name, sizeof tmp_name, "%s" TMP_MARK "%d.%016llx", c->name, (int)getpid(), (unsigned long long)random);
	bool ok = write_tmp(c, tmp, tmp_name, e);
	if (ok && !publish(c, tmp, tmp_name, new_fd, name, sizeof name, e)) {
		unlinkat(tmp, tmp_name, 0);
		ok = false;
	}
	fd_close(&tmp);
	if (ok && !fd_sync(new_fd, e)) /* a retry finds it there: once, or twice where its reader was faster; never lost */
		ok = failed_io(e, "sync new");
	if (ok)
		snprintf(path, path_size, "%s/new/%s", user->maildir, name);
	return ok;
}

bool mbx_copy(const struct mbx_user *user, const struct mbx_copy *c, char *ret_path, size_t path_size, struct err *e)
{
	struct err own;
	int home = -1, maildir = -1, new_fd = -1;
	bool found = false;
	e = e ? e : &own;
	BUG_IF(c->offset > c->size || strlen(c->name) > MBX_NAME_MAX);
	bool ok = mbx_open_home(user, &home, e) && mbx_open_new(user, home, true, &maildir, &new_fd, e);
	fd_close(&home);
	if (!ok)
		return false;
	ok = !c->look_first || find_earlier(user, c, maildir, new_fd, ret_path, path_size, &found, e);
	if (ok && !found)
		ok = store(user, c, maildir, new_fd, ret_path, path_size, e);
	if (!ok) {
		struct err why = *e;
		if (!*why.dsn)
			err_dsn(e, ERR_TEMP, "4.3.0", "%s", why.text);
	}
	fd_close(&new_fd);
	fd_close(&maildir);
	return ok;
}
