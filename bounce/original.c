/* The original message: how much of it goes back, and what must be known of it before. */
#include "report.h"

#include "base/fd.h"
#include "mail/hdr.h"
#include "spool/spool.h"

#define HEADER_MAX 65536 /* what is returned of a header without end */
#define CHUNK 65536
#define REPORT_EXTRA (1u << 20) /* of a report, besides the message */

uint64_t original_max(const struct bounce_req *req, uint64_t full_max, uint64_t message_max)
{
	uint64_t room = message_max - MIN(message_max / 4, (uint64_t)REPORT_EXTRA);
	bool failed = req->kind == BOUNCE_FAILED || req->kind == BOUNCE_DOUBLE || req->kind == BOUNCE_HELD;
	if (!failed || req->ret == SPOOL_RET_HDRS)
		return 0;
	return MIN(room, req->ret == SPOOL_RET_FULL ? UINT64_MAX : full_max);
}

static void scan(struct sv text, bool *eight_bit) { *eight_bit = *eight_bit || !sv_is_ascii(text); }

static bool scan_rest(struct original *o, uint64_t at, struct err *e)
{
	char chunk[CHUNK];
	uint64_t end = o->from + o->len;
	size_t n;
	while (at < end && !o->eight_bit) {
		if (!fd_pread(o->file, chunk, (size_t)MIN(end - at, sizeof chunk), (off_t)at, &n, e))
			return false;
		if (n == 0)
			return err_set(e, ERR_TEMP, "the queue file is shorter than it should be");
		scan((struct sv){ chunk, n }, &o->eight_bit);
		at += n;
	}
	return true;
}

/* For References: only what is certainly a message identifier goes into a header line of ours. */
static void take_message_id(struct sv header, struct original *o)
{
	struct hdr_field field;
	if (!hdr_find(header, "Message-ID", &field))
		return;
	struct sv id = sv_trim(field.value);
	bool ok = id.n > 2 && sv_starts(id, SV("<")) && sv_ends(id, SV(">")) && sv_is_ascii(id) && !sv_has_ctl(id) &&
		  sv_chr(id, ' ') < 0;
	if (!ok || !sv_copy(id, o->message_id, sizeof o->message_id))
		o->message_id[0] = '\0';
}

/* RFC 3282: what the sender reads, or writes. */
static void take_language(struct sv header, struct original *o)
{
	struct hdr_field field;
	if (hdr_find(header, "Accept-Language", &field))
		o->language = language_of_field(field.value);
	if (!o->language && hdr_find(header, "Content-Language", &field))
		o->language = language_of_field(field.value);
}

bool original_look(int file, uint64_t offset, uint64_t size, uint64_t full_max, struct original *ret, struct err *e)
{
	struct original o = { .file = file, .from = offset, .len = size - offset, .whole = size - offset <= full_max };
	struct buf header = BUF_INIT(HEADER_MAX);
	size_t room = (size_t)MIN(size - offset, HEADER_MAX), n;
	char *p = buf_room(&header, room);
	BUG_IF(offset > size || (room > 0 && !p));
	bool ok = fd_pread(file, p, room, (off_t)offset, &n, e);
	if (ok) {
		buf_grew(&header, n);
		struct sv text = sv_sub(buf_sv(&header), 0, hdr_body(buf_sv(&header)));
		scan(text, &o.eight_bit);
		o.utf8_header = o.eight_bit && sv_is_utf8(text);
		take_message_id(text, &o);
		take_language(text, &o);
		o.len = o.whole ? o.len : text.n;
		ok = scan_rest(&o, o.from + text.n, e);
	}
	buf_free(&header);
	if (ok)
		*ret = o;
	return ok;
}

bool original_read(const struct original *o, uint64_t *at, char *dst, size_t max, size_t *ret_n, struct err *e)
{
	size_t n = 0, want = (size_t)MIN(o->len - *at, max);
	if (!fd_pread(o->file, dst, want, (off_t)(o->from + *at), &n, e))
		return false;
	if (n < want)
		return err_set(e, ERR_TEMP, "the queue file is shorter than it should be");
	for (size_t i = 0; i < n; i++)
		if (dst[i] == '\r' || dst[i] == '\0')
			dst[i] = dst[i] == '\r' ? ' ' : '?';
	*at += n;
	*ret_n = n;
	return true;
}
