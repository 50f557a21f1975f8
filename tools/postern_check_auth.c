/* postern check: the user data base, from outside: authd owns it, and reads it whole when it starts. */
#include "base/fd.h"
#include "postern_check.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTH_USER "postern-auth"
#define DB_HEAD 36 /* Berkeley DB's first page: magic at 12, page size at 20, last page at 32, in the order of this machine */
#define DB_BTREE_MAGIC 0x053162u

static bool owner(const struct check *c, uid_t *ret)
{
	const struct passwd *pw = c->t->cfg->unprivileged ? NULL : getpwnam(AUTH_USER);
	*ret = pw ? pw->pw_uid : geteuid();
	return pw || c->t->cfg->unprivileged; /* no such user: said already */
}

static void check_rights(struct check *c, const char *path, const struct stat *st)
{
	uid_t uid;
	if (owner(c, &uid) && st->st_uid != uid)
		check_add(c, CHECK_ERROR, path, 0, "belongs to uid %u, not to %u, as whom authd runs: nobody can log in; chown it",
			(unsigned)st->st_uid, (unsigned)uid);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		check_add(c, CHECK_ERROR, path, 0, "mode %04o lets others in: authd will not use it; chmod %04o",
			(unsigned)(st->st_mode & 07777), (unsigned)(st->st_mode & 0700));
}

static uint32_t number_at(const unsigned char *p)
{
	uint32_t n;
	memcpy(&n, p, sizeof n);
	return n;
}

/* While authd runs its latest pages may not be in the file: then it is no shorter than the first page. */
static void check_content(struct check *c, const char *path, int fd, const struct stat *st)
{
	unsigned char head[DB_HEAD];
	size_t n;
	struct err e = { 0 };
	if (!fd_pread(fd, head, sizeof head, 0, &n, &e)) {
		check_add(c, CHECK_ERROR, path, 0, "%s", e.text);
		return;
	}
	uint64_t page = n == sizeof head ? number_at(head + 20) : 0;
	if (n < sizeof head || number_at(head + 12) != DB_BTREE_MAGIC || (uint64_t)st->st_size < page)
		check_add(c, CHECK_ERROR, path, 0, "is damaged: nobody can log in; restore the directory from a backup");
	else if ((uint64_t)st->st_size < page * (number_at(head + 32) + 1ull))
		check_add(c, CHECK_WARNING, path, 0, "is shorter than it says: unless authd is running, it was truncated");
}

void check_auth(struct check *c)
{
	char path[4200];
	struct stat st;
	snprintf(path, sizeof path, "%s/auth", c->t->cfg->global.state_directory);
	if (lstat(path, &st) < 0) {
		if (errno != ENOENT) /* authd makes it */
			check_add(c, CHECK_ERROR, path, 0, "%s", strerror(errno));
		return;
	}
	check_rights(c, path, &st);
	snprintf(path, sizeof path, "%s/auth/users.db", c->t->cfg->global.state_directory);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno != ENOENT)
			check_add(c, CHECK_ERROR, path, 0, "%s", strerror(errno));
	} else {
		check_rights(c, path, &st);
		check_content(c, path, fd, &st);
	}
	fd_close(&fd);
}
