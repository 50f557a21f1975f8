/* Header fields: walking, finding, unfolding, encoded words. Address lists and parameters have files of their own. */
#include "mail/hdr.h"

/* The line at `at` with its end. */
static struct sv line_at(struct sv msg, size_t at)
{
	struct sv rest = sv_skip(msg, at);
	ptrdiff_t lf = sv_chr(rest, '\n');

	return lf < 0 ? rest : sv_sub(rest, 0, (size_t)lf + 1);
}

static struct sv without_end(struct sv line)
{
	if (sv_ends(line, SV("\n")))
		line.n--;
	if (sv_ends(line, SV("\r")))
		line.n--;
	return line;
}

/* RFC 5322 2.2: printable ASCII up to the colon; 4.5.3 allows blanks before it. */
static bool split_name(struct sv line, struct sv *ret_name)
{
	size_t n = 0, end;

	while (n < line.n && line.p[n] > ' ' && line.p[n] <= '~' && line.p[n] != ':')
		n++;
	for (end = n; end < line.n && (line.p[end] == ' ' || line.p[end] == '\t'); end++)
		;
	if (n == 0 || end == line.n || line.p[end] != ':')
		return false;
	*ret_name = sv_sub(line, 0, n);
	return true;
}

bool hdr_next(struct sv msg, size_t *at, struct hdr_field *ret, bool *ret_broken)
{
	struct sv line = line_at(msg, *at), name;
	size_t len = line.n;

	if (ret_broken)
		*ret_broken = false;
	if (without_end(line).n == 0) {
		*at += line.n;
		return false;
	}
	if (!split_name(line, &name)) {
		if (ret_broken)
			*ret_broken = true;
		return false;
	}
	for (;;) {
		struct sv more = line_at(msg, *at + len);
		if (more.n == 0 || (more.p[0] != ' ' && more.p[0] != '\t'))
			break;
		len += more.n;
	}
	ret->whole = sv_sub(msg, *at, len);
	ret->name = name;
	ret->value = without_end(sv_skip(ret->whole, (size_t)sv_chr(ret->whole, ':') + 1));
	*at += len;
	return true;
}

size_t hdr_body(struct sv msg)
{
	struct hdr_field f;
	size_t at = 0;

	while (hdr_next(msg, &at, &f, NULL))
		;
	return at;
}

bool hdr_find(struct sv msg, const char *name, struct hdr_field *ret)
{
	struct hdr_field f;
	size_t at = 0;

	while (hdr_next(msg, &at, &f, NULL)) {
		if (sv_ieqs(f.name, name)) {
			*ret = f;
			return true;
		}
	}
	return false;
}

unsigned hdr_count(struct sv msg, const char *name)
{
	struct hdr_field f;
	size_t at = 0;
	unsigned n = 0;

	while (hdr_next(msg, &at, &f, NULL))
		n += sv_ieqs(f.name, name);
	return n;
}

void hdr_unfold(struct sv value, struct buf *out)
{
	value = sv_trim(value);
	while (value.n) {
		ptrdiff_t lf = sv_chr(value, '\n');
		struct sv line = lf < 0 ? value : sv_sub(value, 0, (size_t)lf + 1);
		buf_putsv(out, lf < 0 ? line : without_end(line));
		value = sv_skip(value, line.n);
	}
}

/* --- RFC 2047 ------------------------------------------------------------------------------------------------------------ */

#define WORD_BYTES_MAX 45 /* "=?UTF-8?B?" + 60 + "?=" is 72: within the 75 of RFC 2047 2, a multiple of 3 */

static void put_base64(struct sv in, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; in.n; in = sv_skip(in, 3)) {
		const unsigned char *p = (const unsigned char *)in.p;
		unsigned v = (unsigned)p[0] << 16 | (in.n > 1 ? (unsigned)p[1] << 8 : 0) | (in.n > 2 ? p[2] : 0u);
		buf_putc(out, digits[v >> 18]);
		buf_putc(out, digits[v >> 12 & 63]);
		buf_putc(out, in.n > 1 ? digits[v >> 6 & 63] : '=');
		buf_putc(out, in.n > 2 ? digits[v & 63] : '=');
	}
}

static bool passes_plain(struct sv s) { return sv_is_ascii(s) && !sv_has_ctl(s) && sv_find(s, SV("=?")) < 0; }

/* As many whole characters as one encoded word takes (RFC 2047 5: none is split), what is no text replaced. */
static size_t fill_word(struct sv *in, char word[WORD_BYTES_MAX])
{
	size_t n = 0;

	while (in->n) {
		size_t len = sv_print_len(*in), add = len ? len : 1;
		if (n + add > WORD_BYTES_MAX)
			break;
		memcpy(word + n, len ? in->p : "?", add);
		n += add;
		*in = sv_skip(*in, add);
	}
	return n;
}

void hdr_encode_word(struct sv utf8, struct buf *out)
{
	char word[WORD_BYTES_MAX];
	const char *between = "";

	if (passes_plain(utf8)) {
		buf_putsv(out, utf8);
		return;
	}
	while (utf8.n) {
		size_t n = fill_word(&utf8, word);
		buf_puts(out, between);
		buf_puts(out, "=?UTF-8?B?");
		put_base64((struct sv){ word, n }, out);
		buf_puts(out, "?=");
		between = "\n ";
	}
}
