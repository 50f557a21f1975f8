#include "base/sv.h"

struct sv sv_of(const char *s)
{
	if (!s)
		return (struct sv){ NULL, 0 };
	return (struct sv){ s, strlen(s) };
}

bool sv_eq(struct sv a, struct sv b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

bool sv_ieq(struct sv a, struct sv b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool sv_eqs(struct sv a, const char *s) { return sv_eq(a, sv_of(s)); }
bool sv_ieqs(struct sv a, const char *s) { return sv_ieq(a, sv_of(s)); }

int sv_cmp(struct sv a, struct sv b)
{
	size_t n = MIN(a.n, b.n);
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

bool sv_starts(struct sv s, struct sv prefix) { return s.n >= prefix.n && sv_eq(sv_sub(s, 0, prefix.n), prefix); }
bool sv_istarts(struct sv s, struct sv prefix) { return s.n >= prefix.n && sv_ieq(sv_sub(s, 0, prefix.n), prefix); }
bool sv_ends(struct sv s, struct sv suffix) { return s.n >= suffix.n && sv_eq(sv_skip(s, s.n - suffix.n), suffix); }
bool sv_iends(struct sv s, struct sv suffix) { return s.n >= suffix.n && sv_ieq(sv_skip(s, s.n - suffix.n), suffix); }

struct sv sv_skip(struct sv s, size_t n)
{
	if (s.n == 0)
		return s;
	n = MIN(n, s.n);
	return (struct sv){ s.p + n, s.n - n };
}

struct sv sv_sub(struct sv s, size_t from, size_t len)
{
	s = sv_skip(s, from);
	s.n = MIN(s.n, len);
	return s;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct sv sv_trim(struct sv s)
{
	while (s.n && is_blank(s.p[0]))
		s = sv_skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

ptrdiff_t sv_chr(struct sv s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t sv_rchr(struct sv s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t sv_find(struct sv s, struct sv what)
{
	if (what.n == 0)
		return 0;
	const char *at = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
	return at ? at - s.p : -1;
}

bool sv_cut(struct sv *rest, char sep, struct sv *ret_part)
{
	if (!rest->p)
		return false;
	ptrdiff_t at = sv_chr(*rest, sep);
	if (at < 0) {
		*ret_part = *rest;
		*rest = (struct sv){ NULL, 0 };
		return true;
	}
	*ret_part = sv_sub(*rest, 0, (size_t)at);
	*rest = sv_skip(*rest, (size_t)at + 1);
	return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

bool sv_word(struct sv *rest, struct sv *ret_word)
{
	size_t from = 0, to;

	while (from < rest->n && is_space(rest->p[from]))
		from++;
	for (to = from; to < rest->n && !is_space(rest->p[to]);)
		to++;
	if (from == to) {
		*rest = sv_skip(*rest, from);
		return false;
	}
	*ret_word = sv_sub(*rest, from, to - from);
	*rest = sv_skip(*rest, to);
	return true;
}

bool sv_copy(struct sv s, char *dst, size_t dst_size)
{
	if (s.n >= dst_size || sv_chr(s, '\0') >= 0)
		return false;
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

bool sv_is_ascii(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

/* RFC 3629 section 4: the second byte has a narrower range after E0 (overlong), ED (surrogates), F0 (overlong) and F4
 * (beyond U+10FFFF). */
size_t sv_utf8_len(struct sv s)
{
	if (s.n == 0)
		return 0;
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	if (p[0] == 0xed)
		hi = 0x9f;
	if (p[0] == 0xf0)
		lo = 0x90;
	if (p[0] == 0xf4)
		hi = 0x8f;
	if (s.n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool sv_is_utf8(struct sv s)
{
	while (s.n) {
		size_t len = sv_utf8_len(s);
		if (len == 0)
			return false;
		s = sv_skip(s, len);
	}
	return true;
}

bool sv_has_ctl(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

size_t sv_print_len(struct sv s)
{
	size_t len = sv_utf8_len(s);

	if (len == 1 && ((unsigned char)s.p[0] < 0x20 || s.p[0] == 0x7f))
		return 0;
	/* U+0080..U+009F: terminals take these for escape sequences */
	if (len == 2 && (unsigned char)s.p[0] == 0xc2 && (unsigned char)s.p[1] < 0xa0)
		return 0;
	return len;
}
