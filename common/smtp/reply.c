/* Replies: written so that no text can break one, read with nothing taken for granted. */
#include "smtp/smtp.h"

#include "base/num.h"

#define REPLY_LINE_MAX 512  /* RFC 5321 4.5.3.1.5, CRLF included */
#define REPLY_TEXT_MAX 4096 /* of smtp_replyf(): every caller's text is bounded far below */

/* The longest piece of `line` that fits into `room` bytes: whole characters, cut at a blank where there is one. */
static size_t piece_len(struct sv line, size_t room)
{
	if (line.n <= room)
		return line.n;
	ptrdiff_t blank = sv_rchr(sv_sub(line, 0, room + 1), ' ');
	if (blank > 0)
		return (size_t)blank;
	size_t n = 0;
	for (;;) {
		size_t len = MAX(sv_utf8_len(sv_skip(line, n)), 1);
		if (n + len > room)
			return n;
		n += len;
	}
}

static void put_text(struct buf *out, struct sv s)
{
	while (s.n > 0) {
		size_t len = sv_print_len(s);
		if (len > 0)
			buf_put(out, s.p, len);
		else
			buf_putc(out, '?');
		s = sv_skip(s, MAX(len, 1));
	}
}

static void put_line(struct buf *out, int code, bool more, const char *dsn, struct sv text)
{
	buf_putf(out, "%03d%c%s%s", code, more ? '-' : ' ', dsn, *dsn && text.n > 0 ? " " : "");
	put_text(out, text);
	buf_puts(out, "\r\n");
}

void smtp_reply(struct buf *out, int code, const char *dsn, const char *text)
{
	size_t room = REPLY_LINE_MAX - strlen("250 ") - strlen(dsn) - strlen(" \r\n");
	struct sv rest = sv_of(text), line;
	while (sv_cut(&rest, '\n', &line)) {
		for (;;) {
			size_t n = piece_len(line, room);
			struct sv piece = sv_sub(line, 0, n);
			line = sv_skip(line, n < line.n && line.p[n] == ' ' ? n + 1 : n);
			put_line(out, code, line.n > 0 || rest.p, dsn, piece);
			if (line.n == 0)
				break;
		}
	}
}

void smtp_replyf(struct buf *out, int code, const char *dsn, const char *fmt, ...)
{
	struct buf text = BUF_INIT(REPLY_TEXT_MAX);
	va_list ap;
	va_start(ap, fmt);
	buf_putvf(&text, fmt, ap);
	va_end(ap);
	smtp_reply(out, code, dsn, buf_str(&text));
	buf_free(&text);
}

/* RFC 5321 4.2: three digits, of which the first says how it went; a client must take codes that it does not know (4.3.2). */
static bool code_of(struct sv s, int *ret)
{
	uint64_t code;
	if (!num_u64(s, 200, 599, &code))
		return false;
	*ret = (int)code;
	return true;
}

bool smtp_reply_line(struct sv line, int *ret_code, bool *ret_more, struct sv *ret_text)
{
	int code;
	if (sv_ends(line, SV("\n")))
		line.n--;
	if (sv_ends(line, SV("\r")))
		line.n--;
	if (line.n < 3 || !code_of(sv_sub(line, 0, 3), &code))
		return false;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	*ret_code = code;
	*ret_more = line.n > 3 && line.p[3] == '-';
	*ret_text = sv_skip(line, 4);
	return true;
}

/* RFC 3463 2: class "." subject "." detail. */
bool smtp_dsn(struct sv text, char dst[12])
{
	struct sv rest = text, code, part;
	if (!sv_word(&rest, &code) || code.p != text.p || code.n > 9)
		return false;
	rest = code;
	for (int i = 0; i < 3; i++) {
		uint64_t n;
		if (!sv_cut(&rest, '.', &part) || !num_u64(part, 0, 999, &n) || (part.n > 1 && part.p[0] == '0'))
			return false;
		if (i == 0 && n != 2 && n != 4 && n != 5)
			return false;
	}
	return !rest.p && sv_copy(code, dst, 12);
}
