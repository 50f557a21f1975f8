/* postern check: users, directories, homes, the kernel, and who may send where. */
#include "mail/srs.h"
#include "postern_check.h"
#include "base/paths.h"
#include "mailbox/dotforward.h"
#include "service/sandbox.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define HOMES_MAX 100000
#define NAMES_SHOWN 5

static unsigned line_of(const struct check *c, const char *param)
{
	unsigned line = 0;
	return cfg_was_set(c->t->cfg, param, &line) ? line : 0;
}

/* --- who may send where --- */
void check_relaying(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	const struct cfg_nets *nets = &cfg->global.trusted_networks;
	static const struct addr loopback = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };
	if (nets->n == 0)
		check_add(
			c, CHECK_NOTE, c->t->conf, 0, "relaying: no client may send to other domains (trusted_networks is empty)");
	else
		check_add(c, CHECK_NOTE, c->t->conf, line_of(c, "trusted_networks"),
			"relaying: clients in %zu network%s may send to any domain", nets->n, nets->n == 1 ? "" : "s");
	for (size_t i = 0; i < nets->n; i++)
		if (addr_net_has(&nets->item[i], &loopback))
			check_add(c, CHECK_WARNING, c->t->conf, line_of(c, "trusted_networks"),
				"trusted_networks holds the loopback: whatever runs or is forwarded on this host, web applications "
				"and proxies included, may relay");
	for (size_t i = 0; i < cfg->relays.len; i++) {
		const struct cfg_relay *r = VEC_AT(&cfg->relays, struct cfg_relay, i);
		for (size_t k = 0; k < r->domains.n && r->accept_from == CFG_ACCEPT_ANYONE; k++)
			check_add(c, CHECK_NOTE, c->t->conf, r->line,
				"relaying: mail for %.100s is accepted from anybody ([relay %s])", r->domains.item[k], r->name);
	}
}

/* --- users and groups --- */
static void check_users(struct check *c)
{
	bool missing = false;
	for (const struct svc_entry *s = svc_catalog; s->name; s++) {
		if (!s->user || getpwnam(s->user))
			continue;
		missing = true;
		check_add(c, CHECK_ERROR, NULL, 0, "there is no user %s, as whom %s runs", s->user, s->program);
	}
	if (missing)
		check_add(c, CHECK_NOTE, NULL, 0, "`systemd-sysusers` or %s/create-users makes the users", POSTERN_LIBEXECDIR);
	if (!getgrnam(c->t->cfg->global.admin_group))
		check_add(c, CHECK_WARNING, c->t->conf, line_of(c, "admin_group"),
			"admin_group = %s: there is no such group; only root may use the queue", c->t->cfg->global.admin_group);
}

/* --- directories --- */
/* The directory itself, or the nearest one above it that exists. */
static bool nearest(const char *path, char *dst, size_t size, struct stat *st)
{
	snprintf(dst, size, "%s", path);
	while (stat(dst, st) < 0) {
		char *slash = strrchr(dst, '/');
		if (errno != ENOENT || !slash)
			return false;
		slash[slash == dst ? 1 : 0] = '\0';
	}
	return true;
}

static void check_dir(struct check *c, const char *param, const char *path, mode_t forbidden)
{
	char at[4096];
	struct stat st;
	if (path[0] != '/')
		return; /* said already */
	if (!nearest(path, at, sizeof at, &st))
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, param), "%s = %s: %s", param, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, param), "%s = %s: %s is not a directory", param, path, at);
	else if (strcmp(at, path) == 0 && (st.st_mode & forbidden))
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, param), "%s = %s: mode %04o lets others in: chmod %04o", param,
			path, (unsigned)(st.st_mode & 07777), (unsigned)(st.st_mode & 07777 & ~forbidden));
	else if (strcmp(at, path) != 0 && access(at, W_OK) < 0)
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, param), "%s = %s: does not exist, and cannot be made in %s (%s)",
			param, path, at, strerror(errno));
}

static void check_room(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	char at[4096];
	struct stat st;
	struct statvfs v;
	if (!nearest(cfg->global.queue_directory, at, sizeof at, &st) || statvfs(at, &v) < 0)
		return;
	uint64_t bytes = (uint64_t)v.f_bavail * v.f_frsize;
	if (bytes < cfg->queue.queue_free_min)
		check_add(c, CHECK_ERROR, NULL, 0, "%s has %llu MiB free, less than queue_free_min: new mail gets 452", at,
			(unsigned long long)(bytes >> 20));
	if (v.f_files > 0 && v.f_favail < cfg->queue.queue_free_inodes_min)
		check_add(c, CHECK_ERROR, NULL, 0, "%s has %llu inodes free, less than queue_free_inodes_min: new mail gets 452",
			at, (unsigned long long)v.f_favail);
}

static void check_log(struct check *c)
{
	const char *log = c->t->cfg->log.log_file;
	char dir[4096];
	if (log[0] != '/')
		return;
	snprintf(dir, sizeof dir, "%s", log);
	char *slash = strrchr(dir, '/');
	slash[slash == dir ? 1 : 0] = '\0';
	check_dir(c, "log_file", dir, 0); /* master makes it */
}

static void check_password_file(struct check *c)
{
	const char *path = c->t->cfg->remote.relay_password_file;
	struct stat st;
	if (path[0] == '\0')
		return;
	if (stat(path, &st) < 0)
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, "relay_password_file"), "relay_password_file = %s: %s", path,
			strerror(errno));
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || (st.st_uid != 0 && st.st_uid != geteuid()))
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, "relay_password_file"),
			"relay_password_file = %s: must be root's alone (chown root, chmod 600)", path);
}

/* Who has the key makes us send mail to whom he likes. */
static void check_srs_key(struct check *c)
{
	char path[4200];
	struct stat st;
	struct srs_keys keys;
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/" SRS_KEY_FILE, c->t->cfg->global.state_directory);
	if (!c->t->cfg->global.srs || (lstat(path, &st) < 0 && errno == ENOENT)) /* master makes it */
		return;
	if (lstat(path, &st) < 0)
		check_add(c, CHECK_ERROR, path, 0, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || (st.st_uid != 0 && st.st_uid != geteuid()))
		check_add(c, CHECK_ERROR, path, 0,
			"must be root's alone (chown root, chmod 600); if others had it: postern srs rotate");
	else if (access(path, R_OK) == 0 && !srs_keys_load(c->t->cfg->global.state_directory, &keys, &e))
		check_add(c, CHECK_ERROR, path, 0, "%s", e.text);
}

void check_system(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	char facilities[200];
	if (cfg->unprivileged)
		check_add(c, CHECK_NOTE, NULL, 0,
			"checked as an ordinary user: Postern would run under this uid alone, with virtual mailboxes only");
	else
		check_users(c);
	check_dir(c, "queue_directory", cfg->global.queue_directory, S_IRWXO);
	check_dir(c, "runtime_directory", cfg->global.runtime_directory, S_IWOTH | S_IWGRP);
	check_dir(c, "state_directory", cfg->global.state_directory, S_IWOTH);
	check_srs_key(c);
	check_room(c);
	check_log(c);
	check_password_file(c);
	sandbox_facilities(facilities, sizeof facilities);
	check_add(c, CHECK_NOTE, NULL, 0, "kernel: %s", facilities);
}

/* --- homes --- */
struct homes {
	struct check *c;
	uint64_t queue_mount;
	size_t renamed, copied;
	char copied_names[200];
};

/* A rename works within one mount only (DESIGN D6). */
static bool mount_of(const char *path, uint64_t *ret)
{
	struct statx sx;
	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
		return false;
	*ret = sx.stx_mnt_id;
	return true;
}

/* By his user and his own group: root, who asks, may read all. */
static bool reads(const struct passwd *pw, const struct stat *st)
{
	if (st->st_uid == pw->pw_uid)
		return (st->st_mode & S_IRUSR) != 0;
	return (st->st_mode & S_IROTH) != 0 || ((st->st_mode & S_IRGRP) != 0 && st->st_gid == pw->pw_gid);
}

static void look_for_forward(struct homes *h, const struct passwd *pw)
{
	const struct mbx_user user = { .uid = pw->pw_uid, .gid = pw->pw_gid, .home = pw->pw_dir, .maildir = "" };
	const struct cfg_global *g = &h->c->t->cfg->global;
	struct dotforward_self self = { .user = pw->pw_name, .delimiter = g->recipient_delimiter };
	struct dotforward f;
	struct buf text = BUF_INIT(DOTFORWARD_SIZE_MAX);
	struct stat st;
	struct err e;
	bool there = false;
	char path[4096];
	if (!maddr_join(sv_of(pw->pw_name), sv_of(g->origin), &self.rcpt))
		return;
	snprintf(path, sizeof path, "%s/.forward", pw->pw_dir);
	if (!h->c->t->cfg->local.dot_forward || lstat(path, &st) < 0 || (geteuid() != 0 && access(path, R_OK) < 0))
		return;
	bool ok =
		dotforward_read(&user, ".forward", &text, &there, &e) && (!there || dotforward_parse(buf_sv(&text), &self, &f, &e));
	if (ok && there)
		dotforward_free(&f);
	if (ok && there && !reads(pw, &st))
		ok = err_set(&e, ERR_TEMP, "the user may not read it");
	if (!ok)
		check_add(h->c, CHECK_WARNING, path, 0, "mail for %s stays in the queue: %s", pw->pw_name, e.text);
	buf_free(&text);
}

static void look_at_home(struct homes *h, const struct passwd *pw)
{
	uint64_t mount;
	struct stat st;
	if (stat(pw->pw_dir, &st) < 0)
		return; /* service accounts without a home are usual */
	if (st.st_uid != pw->pw_uid && strcmp(pw->pw_dir, "/") != 0)
		check_add(h->c, CHECK_WARNING, pw->pw_dir, 0, "home of %s, belongs to uid %u: mail for %s is deferred", pw->pw_name,
			(unsigned)st.st_uid, pw->pw_name);
	look_for_forward(h, pw);
	if (!mount_of(pw->pw_dir, &mount))
		return;
	if (mount == h->queue_mount) {
		h->renamed++;
		return;
	}
	size_t len = strlen(h->copied_names);
	if (h->copied++ < NAMES_SHOWN)
		snprintf(h->copied_names + len, sizeof h->copied_names - len, "%s%s", len > 0 ? ", " : "", pw->pw_name);
}

static void tell_homes(const struct homes *h)
{
	if (h->renamed > 0)
		check_add(h->c, CHECK_NOTE, NULL, 0, "homes of %zu user%s are on the queue's mount: delivered by rename",
			h->renamed, h->renamed == 1 ? "" : "s");
	if (h->copied > 0)
		check_add(h->c, CHECK_NOTE, NULL, 0,
			"homes of %zu user%s are on another mount than queue_directory: delivered by copy (%s%s)", h->copied,
			h->copied == 1 ? "" : "s", h->copied_names, h->copied > NAMES_SHOWN ? ", ..." : "");
}

void check_homes(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	struct homes h = { .c = c };
	char at[4096];
	struct stat st;
	uint64_t base_mount;
	const struct passwd *pw;
	if (!nearest(cfg->global.queue_directory, at, sizeof at, &st) || !mount_of(at, &h.queue_mount))
		return;
	if (cfg->global.virtual_base[0] != '\0' && mount_of(cfg->global.virtual_base, &base_mount))
		check_add(c, CHECK_NOTE, NULL, 0, "virtual mailboxes are delivered by %s",
			base_mount == h.queue_mount ? "rename" : "copy: virtual_base is on another mount than queue_directory");
	if (!cfg->resolve.system_users)
		return;
	setpwent();
	for (size_t i = 0; i < HOMES_MAX && (pw = getpwent()); i++)
		if (pw->pw_uid >= cfg->global.min_uid && pw->pw_uid != 65534)
			look_at_home(&h, pw);
	endpwent();
	tell_homes(&h);
}
