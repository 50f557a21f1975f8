/* Small forms for people. */
#include "text.h"

#include "base/sv.h"

const char *text_date(uint64_t unix_secs, char dst[TEXT_DATE_MAX])
{
	time_t at = (time_t)unix_secs;
	struct tm tm;
	if (unix_secs == 0 || !localtime_r(&at, &tm) || strftime(dst, TEXT_DATE_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(dst, TEXT_DATE_MAX, "-");
	return dst;
}

/* Length of a printable character at s, 0 for what is none. C1 controls (U+0080 to U+009F) command terminals too. */
static size_t printable(struct sv s)
{
	unsigned char c = (unsigned char)s.p[0];
	if (c < 0x80)
		return c >= ' ' && c != 0x7f;
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (n > s.n || !sv_is_utf8(sv_sub(s, 0, n)) || (c == 0xc2 && (unsigned char)s.p[1] < 0xa0))
		return 0;
	return n;
}

const char *text_clean(const char *s, char dst[TEXT_LINE_MAX])
{
	struct sv rest = sv_of(s);
	size_t len = 0;
	while (rest.n > 0 && len + 4 < TEXT_LINE_MAX) {
		size_t n = printable(rest);
		if (n > 0)
			memcpy(dst + len, rest.p, n);
		else
			dst[len] = '?';
		len += MAX(n, 1);
		rest = sv_skip(rest, MAX(n, 1));
	}
	dst[len] = '\0';
	return dst;
}

size_t text_width(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}
