#include "mail/xtext.h"

/* RFC 3461 4: xchar is any character from "!" to "~" but "+" and "=". */
static bool is_xchar(char c) { return c >= '!' && c <= '~' && c != '+' && c != '='; }

void xtext_encode(struct sv in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (is_xchar(in.p[i]))
			buf_putc(out, in.p[i]);
		else
			buf_putf(out, "+%02X", (unsigned char)in.p[i]);
	}
}

static int hex_digit(char c)
{
	if (ascii_digit(c))
		return c - '0';
	c = ascii_lower(c); /* RFC 3461 writes upper case only; some do not */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte off the front of *in; -1: not xtext, or a control byte. */
static int decode_byte(struct sv *in)
{
	char c = in->p[0];
	int hi, lo, byte;

	*in = sv_skip(*in, 1);
	if (c != '+')
		return is_xchar(c) ? c : -1;
	if (in->n < 2 || (hi = hex_digit(in->p[0])) < 0 || (lo = hex_digit(in->p[1])) < 0)
		return -1;
	*in = sv_skip(*in, 2);
	byte = hi * 16 + lo;
	return byte < ' ' || byte == 0x7f ? -1 : byte;
}

bool xtext_decode(struct sv in, struct buf *out)
{
	size_t before = out->len;

	while (in.n) {
		int byte = decode_byte(&in);
		if (byte < 0) {
			buf_cut(out, before);
			return false;
		}
		buf_putc(out, (char)byte);
	}
	if (buf_ok(out))
		return true;
	buf_cut(out, before);
	return false;
}
