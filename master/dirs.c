#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"
#include "mail/srs.h"
#include "service/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Missing parents are root's and may be read. */
static bool make_parents(const char *path, struct err *e)
{
	struct sv all = sv_of(path);
	for (size_t at = 1; at < all.n; at++) {
		char part[PATH_MAX];
		if (path[at] != '/')
			continue;
		if (!sv_copy(sv_sub(all, 0, at), part, sizeof(part)))
			return err_set(e, ERR_PERM, "path %.100s... is too long", path);
		mode_t mask = umask(022);
		bool ok = mkdir(part, 0755) == 0 || errno == EEXIST;
		umask(mask);
		if (!ok)
			return err_sys(e, ERR_PERM, "create directory %s", part);
	}
	return true;
}

/* One that exists is taken as it is, except for its owner: a daemon could not work in another's. */
static bool make(const char *path, mode_t mode, const char *user, bool unprivileged, struct err *e)
{
	uid_t uid = unprivileged ? geteuid() : 0;
	gid_t gid = unprivileged ? getegid() : 0;
	struct stat st;
	if (user && !unprivileged && !priv_lookup(user, &uid, &gid, e))
		return false;
	if (!make_parents(path, e))
		return false;
	bool made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST)
		return err_sys(e, ERR_PERM, "create directory %s", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "open directory %s", path);
	bool ok = true;
	if (made && ((!unprivileged && fchown(fd, uid, gid) < 0) || fchmod(fd, mode) < 0))
		ok = err_sys(e, ERR_PERM, "set owner and mode of %s", path);
	else if (!made && user && (fstat(fd, &st) < 0 || st.st_uid != uid))
		ok = err_set(e, ERR_PERM, "%s belongs to uid %u: it must belong to %s", path, (unsigned)st.st_uid,
			unprivileged ? "you" : user);
	fd_close(&fd);
	return ok;
}

/* An existing log directory is the admin's affair: /var/log is root's. */
static bool make_log_dir(const struct cfg *cfg, struct err *e)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(cfg->log.log_file, '/');
	struct stat st;
	if (cfg->log.log_file[0] != '/' || slash == cfg->log.log_file)
		return true;
	if (!sv_copy((struct sv){ cfg->log.log_file, (size_t)(slash - cfg->log.log_file) }, dir, sizeof(dir)))
		return err_set(e, ERR_PERM, "log_file: the path is too long");
	return stat(dir, &st) == 0 || make(dir, 0755, "postern-log", cfg->unprivileged, e);
}

static bool write_key(int dir, const char *name, struct err *e)
{
	unsigned char key[16];
	char text[2 * sizeof(key) + 2], *at = text;
	rnd_bytes(key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		at += snprintf(at, 3, "%02x", key[i]);
	*at++ = '\n';
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)(sizeof(text) - 1) && fsync(fd) == 0;
	if (!ok)
		err_sys(e, ERR_PERM, "write %s", name);
	secret_wipe(key, sizeof(key));
	secret_wipe(text, sizeof(text));
	fd_close(&fd);
	return ok;
}

/* The key of rewritten senders is made once, whole or not at all. Daemons read it while they are root. */
static bool make_srs_key(const struct cfg *cfg, struct err *e)
{
	static const char aside[] = SRS_KEY_FILE ".new";
	struct stat st;
	if (!cfg->global.srs)
		return true;
	int dir = open(cfg->global.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, ERR_PERM, "open directory %s", cfg->global.state_directory);
	bool ok = fstatat(dir, SRS_KEY_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!ok) {
		ok = write_key(dir, aside, e);
		if (ok && renameat(dir, aside, dir, SRS_KEY_FILE) < 0)
			ok = err_sys(e, ERR_PERM, "rename to %s", SRS_KEY_FILE);
	}
	fd_close(&dir);
	return ok;
}

bool dirs_make(const struct cfg *cfg, struct err *e)
{
	const struct cfg_global *g = &cfg->global;
	char spam[PATH_MAX], auth[PATH_MAX], tls[PATH_MAX];
	if (snprintf(spam, sizeof(spam), "%s/spam", g->state_directory) >= (int)sizeof(spam) ||
		snprintf(auth, sizeof(auth), "%s/auth", g->state_directory) >= (int)sizeof(auth) ||
		snprintf(tls, sizeof(tls), "%s/tls-policy", g->state_directory) >= (int)sizeof(tls))
		return err_set(e, ERR_PERM, "state_directory: the path is too long");
	return make(g->runtime_directory, 0711, NULL, cfg->unprivileged, e) &&
	       make(g->queue_directory, 0700, "postern-queue", cfg->unprivileged, e) &&
	       make(g->state_directory, 0755, NULL, cfg->unprivileged, e) &&
	       make(spam, 0700, "postern-spam", cfg->unprivileged, e) && make(auth, 0700, "postern-auth", cfg->unprivileged, e) &&
	       make(tls, 0700, "postern-tls", cfg->unprivileged, e) && make_log_dir(cfg, e) && make_srs_key(cfg, e);
}

bool dirs_lock(const char *path, const char *what, int *ret_fd, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*ret_fd = fd;
		return true;
	}
	if (errno == EWOULDBLOCK)
		err_set(e, ERR_LIMIT, "another postern-master is running on the %s %s (see `postern status`)", what, path);
	else
		err_sys(e, ERR_PERM, "lock %s", path);
	fd_close(&fd);
	return false;
}

bool dirs_check_users(const struct cfg *cfg, struct err *e)
{
	uid_t uid;
	gid_t gid;
	for (const struct svc_entry *s = svc_catalog; s->name; s++)
		if (s->user && !priv_lookup(s->user, &uid, &gid, e))
			return false;
	for (const struct svc_endpoint *ep = svc_endpoints; ep->name; ep++)
		if (ep->group && strcmp(ep->group, "postern-adm") != 0 && !priv_lookup_group(ep->group, &gid, e))
			return false;
	return priv_lookup_group(cfg->global.admin_group, &gid, e);
}
