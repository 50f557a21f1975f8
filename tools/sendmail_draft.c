/* The message from standard input. */
#include "sendmail_draft.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>

#define CHUNK (64 * 1024)

static void put_char(struct line_filter *f, char c, struct buf *out)
{
	buf_putc(out, c);
	f->mid_line = c != '\n';
	f->eight_bit = f->eight_bit || (c & 0x80);
}

/* What was held back turned out to be text. */
static void put_held(struct line_filter *f, struct buf *out)
{
	if (f->dot)
		put_char(f, '.', out);
	if (f->cr)
		put_char(f, '\r', out);
	f->dot = f->cr = false;
}

void line_filter(struct line_filter *f, struct sv in, struct buf *out)
{
	for (size_t i = 0; i < in.n && !f->done; i++) {
		char c = in.p[i];
		if (c == '\n') {
			f->done = f->dot;
			f->cr = false; /* CRLF is one line end */
			if (!f->done)
				put_char(f, '\n', out);
			continue;
		}
		if (c == '.' && f->dot_ends && !f->mid_line && !f->dot && !f->cr) {
			f->dot = true;
			continue;
		}
		if (c == '\r' && !f->cr) {
			f->cr = true;
			continue;
		}
		put_held(f, out);
		if (c == '\r')
			f->cr = true;
		else
			put_char(f, c, out);
	}
}

void line_filter_end(struct line_filter *f, struct buf *out)
{
	if (!f->done && f->dot && !f->cr)
		f->dot = false; /* a lone dot without a line end ends it too */
	if (!f->done)
		put_held(f, out);
}

/* --- the file --- */
static int open_unnamed(struct err *e)
{
	static const char *const dirs[] = { "/var/tmp", "/tmp" };
	for (size_t i = 0; i < COUNT(dirs); i++) {
		int fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
	}
	return fd_memfd("sendmail", e); /* better than to refuse */
}

static bool pass_on(struct draft *s, struct buf *out, uint64_t max, struct err *e)
{
	s->size += out->len;
	if (s->size > max)
		return err_set(e, ERR_LIMIT, "the message is larger than message_max_size, %llu bytes", (unsigned long long)max);
	bool ok = fd_write_all(s->fd, buf_str(out), out->len, e);
	buf_reset(out);
	return ok;
}

static bool copy_input(int in, struct line_filter *f, uint64_t max, struct draft *s, struct err *e)
{
	struct buf out = BUF_INIT(2 * CHUNK);
	char *chunk = mem_new(CHUNK);
	ssize_t n = 0;
	bool ok = true;
	while (ok && !f->done) {
		n = read(in, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		line_filter(f, (struct sv){ chunk, (size_t)n }, &out);
		ok = pass_on(s, &out, max, e);
	}
	if (ok && n < 0)
		ok = err_sys(e, ERR_TEMP, "read the message");
	line_filter_end(f, &out);
	ok = ok && pass_on(s, &out, max, e);
	free(chunk);
	buf_free(&out);
	return ok;
}

bool draft_read(int in, bool dot_ends, uint64_t max, struct draft *ret, struct err *e)
{
	struct line_filter f = { .dot_ends = dot_ends };
	struct draft s = { .fd = open_unnamed(e) };
	if (s.fd < 0)
		return false;
	if (!copy_input(in, &f, max, &s, e)) {
		fd_close(&s.fd);
		return false;
	}
	s.eight_bit = f.eight_bit;
	*ret = s;
	return true;
}

void draft_close(struct draft *s) { fd_close(&s->fd); }
