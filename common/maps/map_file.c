/* Tables made from a text file: held in memory, read again when the file changes. What the text means is the kind's. */
#include "base/fd.h"
#include "maps/driver.h"

#include <fcntl.h>

struct file {
	const struct map_file_kind *kind;
	char *path;
	void *content;          /* the last good one */
	struct map_stamp stamp; /* of the last version looked at, good or faulty: a faulty one is parsed once */
};

bool map_file_read(const char *path, struct buf *text, struct map_stamp *ret_stamp, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* never waits for a pipe's writer */
	bool ok = (fd >= 0 && fstat(fd, &st) == 0) || err_sys(e, ERR_TEMP, "read %s", path);

	if (ok && !S_ISREG(st.st_mode))
		ok = err_set(e, ERR_PERM, "%s is not a regular file", path);
	if (ok) {
		*ret_stamp = map_stamp_of(&st); /* as of before the reading: a write meanwhile is seen next time */
		ok = fd_read_file(fd, text, e);
		if (!ok)
			err_add(e, "read %s", path);
	}
	fd_close(&fd);
	return ok;
}

/* NULL on failure. */
static void *load(const struct file *f, enum map_form form, struct map_stamp *ret_stamp, struct err *e)
{
	struct buf text = BUF_INIT(MAP_TEXT_MAX);
	void *content = map_file_read(f->path, &text, ret_stamp, e) ? f->kind->parse(buf_sv(&text), form, f->path, e) : NULL;

	buf_free(&text);
	return content;
}

bool map_file_open(struct map *m, const struct map_file_kind *kind, const char *path, struct err *e)
{
	if (path[0] != '/')
		return err_set(e, ERR_PERM, "table %s: the path must be absolute", m->spec);
	struct file *f = m->state = mem_new(sizeof(*f));
	f->kind = kind;
	f->path = mem_dup(sv_of(path));
	f->content = load(f, m->form, &f->stamp, e);
	return f->content;
}

void map_file_close(struct map *m)
{
	struct file *f = m->state;

	if (f->content)
		f->kind->free(f->content);
	free(f->path);
	free(f);
}

void *map_file_content(const struct map *m) { return ((const struct file *)m->state)->content; }

void map_file_refresh(struct map *m)
{
	struct file *f = m->state;
	struct stat st;

	if (stat(f->path, &st) < 0) {
		f->stamp = (struct map_stamp){ 0 }; /* whatever comes back is new */
		err_sys(&m->fault, ERR_TEMP, "read %s", f->path);
		return;
	}
	struct map_stamp now = map_stamp_of(&st);
	if (map_stamp_same(&now, &f->stamp))
		return;
	void *fresh = load(f, m->form, &now, &m->fault);
	if (fresh) {
		f->kind->free(f->content);
		f->content = fresh;
		err_clear(&m->fault);
	} else if (m->fault.kind == ERR_TEMP) {
		now = (struct map_stamp){ 0 }; /* not read: try again in a second */
	}
	f->stamp = now;
}
