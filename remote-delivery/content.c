#include "content.h"

#include "base/fd.h"
#include "mail/hdr.h"

#define CHUNK 32768
#define HEAD_MAX (256 * 1024) /* what is looked for in a header must be in its first bytes */

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
			o->wire_size += *last != '\r' && (*in_head || !o->binary); /* becomes CRLF */
			if (*last == '\n')
				*in_head = false;
		}
		*last = c;
	}
	o->wire_size += s.n;
}

/* RFC 8689 5: `TLS-Required: No` sets the receiver's own demands aside; with REQUIRETLS it means nothing. */
static bool wants_arrival(const struct order *o, struct sv head)
{
	struct hdr_field f;
	return !o->options.requiretls && hdr_find(head, "TLS-Required", &f) && sv_ieqs(sv_trim(f.value), "No");
}

static bool read_head(struct order *o, struct buf *head, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	char chunk[CHUNK];
	size_t n;
	for (uint64_t at = r->offset; at < r->size && head->len + CHUNK <= HEAD_MAX; at += n) {
		if (!read_chunk(o, at, chunk, &n, e))
			return false;
		buf_put(head, chunk, n);
		if (sv_find(buf_sv(head), SV("\n\n")) >= 0)
			break;
	}
	return true;
}

static bool measure_all(struct order *o, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	char chunk[CHUNK], last = '\0';
	bool in_head = true;
	size_t n;
	for (uint64_t at = r->offset; at < r->size; at += n) {
		if (!read_chunk(o, at, chunk, &n, e))
			return false;
		measure(o, (struct sv){ chunk, n }, &last, &in_head);
	}
	return true;
}

bool content_measure(struct order *o, struct err *e)
{
	struct buf head = BUF_INIT(HEAD_MAX);
	o->wire_size = 0;
	o->eight_bit = o->eight_bit_head = false;
	o->binary = o->options.body == SPOOL_BODY_BINARYMIME;
	bool ok = read_head(o, &head, e) && measure_all(o, e);
	o->arrive = ok && wants_arrival(o, buf_sv(&head));
	buf_free(&head);
	return ok;
}

static uint64_t with_crlf(const struct buf *text)
{
	uint64_t n = text->len;
	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

/* SIZE wants to be known before the first byte is sent (RFC 1870 6): the conversion is done once for its length alone. */
static bool measure_seven(struct order *o, struct seven *s, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	struct buf out = BUF_INIT(SEVEN_OUT_MAX(CHUNK));
	char chunk[CHUNK];
	size_t n;
	bool ok = true;
	o->seven_size = 0;
	for (uint64_t at = r->offset; ok && at < r->size; at += n) {
		ok = read_chunk(o, at, chunk, &n, e);
		buf_reset(&out);
		if (ok)
			seven_write(s, (struct sv){ chunk, n }, &out);
		o->seven_size += with_crlf(&out);
	}
	buf_reset(&out);
	seven_written(s, &out);
	o->seven_size += with_crlf(&out);
	buf_free(&out);
	return ok;
}

bool content_convert(struct order *o, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	struct seven *s = seven_new();
	char chunk[CHUNK];
	size_t n;
	bool ok = true;
	for (uint64_t at = r->offset; ok && at < r->size; at += n) {
		ok = read_chunk(o, at, chunk, &n, e);
		if (ok)
			seven_scan(s, (struct sv){ chunk, n });
	}
	ok = ok && seven_scanned(s, e) && measure_seven(o, s, e);
	if (ok)
		o->seven = s;
	else
		seven_free(s);
	return ok;
}

struct sending {
	struct peer *p;
	const struct order *o;
	struct smtp_stuff stuff;
	struct buf seven, wire;
	bool in_head; /* binary */
	char last;
};

/* docs/QUEUE.md 2: the header has LF, what follows is what came. */
static bool send_binary(struct sending *s, struct sv piece, struct err *e)
{
	buf_reset(&s->wire);
	while (s->in_head && piece.n > 0) {
		ptrdiff_t lf = sv_chr(piece, '\n');
		size_t n = lf < 0 ? piece.n : (size_t)lf;
		char before = n > 0 ? piece.p[n - 1] : s->last;
		buf_put(&s->wire, piece.p, n);
		s->last = lf < 0 ? before : '\n';
		s->in_head = lf < 0 || before != '\n';
		if (lf >= 0)
			buf_puts(&s->wire, before == '\r' ? "\n" : "\r\n");
		piece = sv_skip(piece, lf < 0 ? n : n + 1);
	}
	buf_putsv(&s->wire, piece);
	BUG_IF(!buf_ok(&s->wire));
	return conn_put(&s->p->c, buf_sv(&s->wire), e);
}

static bool send_text(struct sending *s, struct sv text, struct err *e)
{
	buf_reset(&s->wire);
	smtp_stuff(&s->stuff, text, &s->wire);
	BUG_IF(!buf_ok(&s->wire));
	return conn_put(&s->p->c, buf_sv(&s->wire), e);
}

static bool send_piece(struct sending *s, struct sv piece, struct err *e)
{
	if (s->o->binary)
		return send_binary(s, piece, e);
	if (!s->o->seven)
		return send_text(s, piece, e);
	buf_reset(&s->seven);
	seven_write(s->o->seven, piece, &s->seven);
	BUG_IF(!buf_ok(&s->seven));
	return send_text(s, buf_sv(&s->seven), e);
}

static bool send_end(struct sending *s, struct err *e)
{
	if (s->o->seven) {
		buf_reset(&s->seven);
		seven_written(s->o->seven, &s->seven);
		if (!send_text(s, buf_sv(&s->seven), e))
			return false;
	}
	buf_reset(&s->wire);
	if (!s->o->binary)
		smtp_stuff_end(&s->stuff, &s->wire);
	return conn_put(&s->p->c, buf_sv(&s->wire), e) && conn_flush(&s->p->c, e);
}

bool content_send(struct peer *p, const struct order *o, bool *ret_unread, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	struct sending s = { .in_head = true,
		.p = p,
		.o = o,
		.seven = BUF_INIT(SEVEN_OUT_MAX(CHUNK)),
		.wire = BUF_INIT(2 * SEVEN_OUT_MAX(CHUNK) + 8) };
	char chunk[CHUNK];
	size_t n;
	bool ok = true;
	*ret_unread = false;
	for (uint64_t at = r->offset; ok && at < r->size; at += n) {
		*ret_unread = !read_chunk(o, at, chunk, &n, e);
		ok = !*ret_unread && send_piece(&s, (struct sv){ chunk, n }, e);
	}
	ok = ok && send_end(&s, e);
	buf_free(&s.seven);
	buf_free(&s.wire);
	return ok;
}
