#include "place.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(2);
}

static void make_dir(struct place *p, const char *name, bool of_user)
{
	must(mkdirat(p->base_fd, name, of_user ? 0700 : 0755) == 0, name);
	if (of_user)
		place_chown(p, p->base_fd, name, p->user.uid);
}

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, name);
	return fd;
}

void place_init(struct place *p)
{
	static const char *const parts[] = { "home", "home/Maildir", "home/Maildir/tmp", "home/Maildir/new", "home/Maildir/cur" };
	*p = (struct place){ .root = geteuid() == 0 };
	snprintf(p->base, sizeof p->base, "/var/tmp/postern-unit-XXXXXX");
	must(mkdtemp(p->base) != NULL && chmod(p->base, 0755) == 0, "mkdtemp");
	snprintf(p->home, sizeof p->home, "%s/home", p->base);
	p->user = (struct mbx_user){ .uid = p->root ? PLACE_USER : geteuid(),
		.gid = p->root ? PLACE_USER : getegid(),
		.home = p->home,
		.maildir = "Maildir" };
	p->base_fd = open_dir(AT_FDCWD, p->base);
	make_dir(p, "queue", false);
	for (size_t i = 0; i < COUNT(parts); i++)
		make_dir(p, parts[i], true);
	p->queue_fd = open_dir(p->base_fd, "queue");
	p->home_fd = open_dir(p->base_fd, "home");
}

void place_free(struct place *p)
{
	fd_close(&p->queue_fd);
	fd_close(&p->home_fd);
	fd_close(&p->base_fd);
	place_clear(AT_FDCWD, p->base);
}

void place_put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
	fd_close(&fd);
}

void place_chown(const struct place *p, int dir, const char *name, uid_t uid)
{
	if (p->root)
		must(fchownat(dir, name, uid, uid, AT_SYMLINK_NOFOLLOW) == 0, name);
}

const char *place_get(int dir, const char *name)
{
	static struct buf text = BUF_INIT(1 << 20);
	struct err e;
	buf_reset(&text);
	if (!fd_read_path(dir, name, &text, &e))
		buf_reset(&text);
	return buf_str(&text);
}

bool place_has(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

unsigned place_count(int dir, const char *sub)
{
	DIR *d = fdopendir(open_dir(dir, sub));
	unsigned n = 0;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

void place_clear(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		unlinkat(dir, name, 0);
		return;
	}
	for (struct dirent *entry; (entry = readdir(d)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			place_clear(fd, entry->d_name);
	closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}
