#include "counters.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FILE_NAME "counters"
#define NEW_NAME "counters.new"
#define CHUNK 65536
#define LINE_MAX_BYTES 600 /* a key of 300, seven numbers of 20 */

/* --- out ------------------------------------------------------------------------------------------------------------------ */

static bool flush(int fd, struct buf *out, size_t from, struct err *e)
{
	if (out->len < from)
		return true;
	bool ok = fd_write_all(fd, out->data, out->len, e);
	buf_reset(out);
	return ok;
}

static bool write_all(int fd, const struct throttle *t, const struct budgets *b, struct throttle_now now, struct err *e)
{
	struct buf out = BUF_INIT(CHUNK + LINE_MAX_BYTES);
	size_t cursor = 0;
	bool ok = true;
	while (ok && throttle_save_next(t, &cursor, now, &out))
		ok = flush(fd, &out, CHUNK, e);
	cursor = 0;
	while (ok && budget_save_next(b, &cursor, now.secs, &out))
		ok = flush(fd, &out, CHUNK, e);
	ok = ok && flush(fd, &out, 1, e);
	buf_free(&out);
	return ok;
}

bool counters_save(int dirfd, const struct throttle *t, const struct budgets *b, struct throttle_now now, struct err *e)
{
	int fd = openat(dirfd, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "create " NEW_NAME);
	bool ok = write_all(fd, t, b, now, e);
	fd_close(&fd);
	if (ok && renameat(dirfd, NEW_NAME, dirfd, FILE_NAME) < 0)
		ok = err_sys(e, ERR_TEMP, "rename " NEW_NAME);
	return ok;
}

/* --- in ------------------------------------------------------------------------------------------------------------------- */

static bool take_line(struct throttle *t, struct budgets *b, struct sv line, struct throttle_now now)
{
	struct sv kind;
	if (!sv_cut(&line, ' ', &kind) || !line.p || sv_has_ctl(line) || !sv_is_utf8(line))
		return false;
	return sv_eqs(kind, "failures") ? throttle_load(t, line, now) : sv_eqs(kind, "budget") && budget_load(b, line, now.secs);
}

bool counters_load(int dirfd, struct throttle *t, struct budgets *b, struct throttle_now now, uint64_t *ret_damaged, struct err *e)
{
	char line[LINE_MAX_BYTES];
	int fd = openat(dirfd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	*ret_damaged = 0;
	if (!f) {
		bool none = fd < 0 && errno == ENOENT;
		fd_close(&fd);
		return none || err_sys(e, ERR_TEMP, "open " FILE_NAME);
	}
	while (fgets(line, sizeof line, f)) {
		struct sv text = sv_of(line);
		text.n -= text.n > 0 && text.p[text.n - 1] == '\n';
		*ret_damaged += !take_line(t, b, text, now);
	}
	bool ok = !ferror(f) || err_sys(e, ERR_TEMP, "read " FILE_NAME);
	fclose(f);
	return ok;
}
