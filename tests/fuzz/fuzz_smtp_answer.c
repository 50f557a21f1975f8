/* What another server says: a whole session's replies are read within bounds, or refused; nothing of them can break a line. */
#include "remote-delivery/peer.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct source {
	const uint8_t *p;
	size_t n;
};

static ssize_t source_read(void *ctx, void *dst, size_t n)
{
	struct source *s = ctx;
	size_t len = MIN(n, MIN(s->n, 1 + s->n / 3)); /* in pieces */
	memcpy(dst, s->p, len);
	s->p += len;
	s->n -= len;
	return (ssize_t)len;
}

static ssize_t source_write(void *ctx UNUSED, const void *p UNUSED, size_t n) { return (ssize_t)n; }

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct conn_io io = { source_read, source_write };
	struct source s = { p, n };
	struct conn c;
	struct smtp_answer a;
	struct caps caps;
	struct err e;
	if (n > 300000)
		return 0;
	conn_init(&c, open("/dev/null", O_RDWR | O_CLOEXEC), -1);
	c.io = &io;
	c.io_ctx = &s;
	for (;;) {
		struct buf lines = BUF_INIT(1 << 20);
		bool ok = smtp_client_lines(&c, &a, &lines, &e);
		if (ok) {
			BUG_IF(a.code < 200 || a.code > 599 || !memchr(a.text, '\0', sizeof a.text) || sv_has_ctl(sv_of(a.text)) ||
				!buf_ok(&lines));
			caps_parse(buf_sv(&lines), &caps);
			BUG_IF(!memchr(caps.auth, '\0', sizeof caps.auth));
		}
		buf_free(&lines);
		if (!ok)
			break;
	}
	conn_close(&c);
	return 0;
}
