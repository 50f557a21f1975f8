/* Finding messages on disk. */
#include "base/fd.h"
#include "postern_spam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define DEPTH_MAX 8 /* directories within directories */

struct find {
	bool (*on)(const struct found_mail *m, void *arg);
	void *arg;
	struct err *e;
	bool stopped;
};

static void found(struct find *f, int fd, size_t from, size_t to)
{
	struct found_mail m = { fd, from, to - from };
	if (to > from && !f->stopped)
		f->stopped = !f->on(&m, f->arg);
}

/* mbox: a message begins below each `From ` line that follows an empty one; that empty line belongs to neither. */
static void split_mbox(struct find *f, int fd, struct sv text)
{
	static const char mark[] = "\n\nFrom ";
	size_t at = 0;
	while (at < text.n && !f->stopped) {
		struct sv rest = sv_skip(text, at);
		ptrdiff_t line_end = sv_chr(rest, '\n'), next = sv_find(rest, SV("\n\nFrom "));
		size_t from = line_end < 0 ? text.n : at + (size_t)line_end + 1;
		size_t to = next < 0 ? text.n : at + (size_t)next + 1;
		found(f, fd, from, to);
		at = next < 0 ? text.n : at + (size_t)next + sizeof mark - sizeof "From ";
	}
}

static bool take_file(struct find *f, int fd, const char *name)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(f->e, ERR_TEMP, "%s", name);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return true;
	/* Mapped for this look alone: spamcheck reads what it gets with pread. */
	char *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(f->e, ERR_TEMP, "map %s", name);
	struct sv text = { p, (size_t)st.st_size };
	if (sv_starts(text, SV("From ")))
		split_mbox(f, fd, text);
	else
		found(f, fd, 0, text.n);
	munmap(p, (size_t)st.st_size);
	return true;
}

static bool take_at(struct find *f, int dirfd, const char *name, unsigned depth);

static bool take_dir(struct find *f, int fd, const char *name, unsigned depth)
{
	DIR *d = fdopendir(fd);
	bool ok = true;
	if (!d) {
		close(fd);
		return err_sys(f->e, ERR_TEMP, "read %s", name);
	}
	for (struct dirent *entry; ok && !f->stopped && (entry = readdir(d));)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tmp") != 0)
			ok = take_at(f, fd, entry->d_name, depth + 1);
	closedir(d);
	return ok;
}

static bool take_at(struct find *f, int dirfd, const char *name, unsigned depth)
{
	struct stat st;
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
	if (fd < 0 && depth > 0 && (errno == ENOENT || errno == ELOOP))
		return true; /* a Maildir changes while it is read; links could lead in circles */
	if (fd < 0)
		return err_sys(f->e, ERR_PERM, "%s", name);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (depth < DEPTH_MAX)
			return take_dir(f, fd, name, depth);
		close(fd);
		return true;
	}
	bool ok = take_file(f, fd, name);
	close(fd);
	return ok;
}

bool found_each(const char *path, bool (*on)(const struct found_mail *m, void *arg), void *arg, struct err *e)
{
	struct find f = { .on = on, .arg = arg, .e = e };
	return take_at(&f, AT_FDCWD, path, 0);
}
