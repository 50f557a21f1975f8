#include "content.h"

#include "base/fd.h"

#define CHUNK 32768

static bool read_chunk(const struct order *o, uint64_t at, char *dst, size_t *ret, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	size_t want = (size_t)MIN((uint64_t)CHUNK, r->size - at);
	if (!fd_pread(r->file, dst, want, (off_t)at, ret, e))
		return false;
	return *ret == want || err_dsn(e, ERR_TEMP, "4.3.0", "the queue file is shorter than it was");
}

/* RFC 5322 2.1: the head ends at the first empty line. */
static void measure(struct order *o, struct sv s, char *last, bool *in_head)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c & 0x80) {
			o->eight_bit = true;
			o->eight_bit_head = o->eight_bit_head || *in_head;
		}
		if (c == '\n') {
			o->wire_size += *last != '\r'; /* becomes CRLF */
			if (*last == '\n')
				*in_head = false;
		}
		*last = c;
	}
	o->wire_size += s.n;
}

bool content_measure(struct order *o, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	char chunk[CHUNK], last = '\0';
	bool in_head = true;
	size_t n;
	o->wire_size = 0;
	o->eight_bit = o->eight_bit_head = false;
	for (uint64_t at = r->offset; at < r->size; at += n) {
		if (!read_chunk(o, at, chunk, &n, e))
			return false;
		measure(o, (struct sv){ chunk, n }, &last, &in_head);
	}
	return true;
}

bool content_send(struct peer *p, const struct order *o, bool *ret_unread, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	struct buf out = BUF_INIT(2 * CHUNK + 8);
	struct smtp_stuff stuff = { 0 };
	char chunk[CHUNK];
	size_t n;
	bool ok = true;
	*ret_unread = false;
	for (uint64_t at = r->offset; ok && at < r->size; at += n) {
		if (!read_chunk(o, at, chunk, &n, e)) {
			*ret_unread = true;
			ok = false;
			break;
		}
		buf_reset(&out);
		smtp_stuff(&stuff, (struct sv){ chunk, n }, &out);
		BUG_IF(!buf_ok(&out));
		ok = conn_put(&p->c, buf_sv(&out), e);
	}
	buf_reset(&out);
	smtp_stuff_end(&stuff, &out);
	ok = ok && conn_put(&p->c, buf_sv(&out), e) && conn_flush(&p->c, e);
	buf_free(&out);
	return ok;
}
