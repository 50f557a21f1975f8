#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789abcdef";

void base64_put(struct buf *out, struct sv bytes)
{
	for (size_t i = 0; i < bytes.n; i += 3) {
		struct sv part = sv_sub(bytes, i, 3);
		unsigned char b[3] = { 0 };
		char c[4];
		memcpy(b, part.p, part.n);
		c[0] = digits[b[0] >> 2];
		c[1] = digits[(b[0] & 3) << 4 | b[1] >> 4];
		c[2] = part.n > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=';
		c[3] = part.n > 2 ? digits[b[2] & 63] : '=';
		buf_put(out, c, sizeof c);
	}
}

/* By arithmetic and not by a table: passwords are among what is decoded. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which `pad` at the end are '='. */
static bool decode_group(const char *p, unsigned pad, struct buf *out)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < 4; i++) {
		int v = i < 4 - pad ? value_of(p[i]) : 0;
		if (v < 0)
			return false;
		bits = bits << 6 | (unsigned)v;
	}
	if (bits & ((1u << (8 * pad)) - 1)) /* bits that no byte takes must be 0: RFC 4648 3.5 */
		return false;
	const char b[3] = { (char)(bits >> 16), (char)(bits >> 8), (char)bits };
	buf_put(out, b, 3 - pad);
	return true;
}

bool base64_decode(struct sv text, struct buf *out)
{
	size_t before = out->len;
	bool ok = text.n % 4 == 0;
	for (size_t i = 0; ok && i < text.n; i += 4) {
		const char *p = text.p + i;
		bool last = i + 4 == text.n;
		unsigned pad = last && p[3] == '=' ? (p[2] == '=' ? 2 : 1) : 0;
		ok = decode_group(p, pad, out);
	}
	ok = ok && buf_ok(out);
	if (!ok)
		buf_cut(out, before);
	return ok;
}

void hex_put(struct buf *out, struct sv bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		buf_putc(out, hex[(unsigned char)bytes.p[i] >> 4]);
		buf_putc(out, hex[bytes.p[i] & 15]);
	}
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	if (ascii_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct sv text, void *dst, size_t size)
{
	unsigned char *to = dst;
	if (text.n != 2 * size)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (hex_value(text.p[i]) < 0)
			return false;
	for (size_t i = 0; i < size; i++)
		to[i] = (unsigned char)(hex_value(text.p[2 * i]) << 4 | hex_value(text.p[2 * i + 1]));
	return true;
}
