#include "base/err.h"
#include "base/sv.h"

#include <errno.h>
#include <stdarg.h>

/* Foreign bytes reach a text only through %s, %c and the like, so the whole text is escaped: what is not printable becomes
 * \xHH. Backslashes stay, or err_add() would escape a text twice. */
static void store(char *dst, size_t size, struct sv text)
{
	size_t at = 0;

	while (text.n) {
		size_t len = sv_print_len(text), need = len ? len : 4;
		if (at + need >= size)
			break;
		if (len)
			memcpy(dst + at, text.p, len);
		else
			snprintf(dst + at, 5, "\\x%02x", (unsigned char)text.p[0]);
		at += need;
		text = sv_skip(text, len ? len : 1);
	}
	dst[at] = '\0';
}

static void format(struct err *e, const char *dsn, const char *fmt, va_list ap, const char *tail)
{
	char raw[2 * sizeof(e->text)];
	size_t len;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	len = strlen(raw);
	if (tail)
		snprintf(raw + len, sizeof(raw) - len, ": %s", tail);
	store(e->text, sizeof(e->text), sv_of(raw));
	store(e->dsn, sizeof(e->dsn), sv_of(dsn));
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	e->kind = kind;
	e->sys = 0;
	va_start(ap, fmt);
	format(e, "", fmt, ap, NULL);
	va_end(ap);
	return false;
}

bool err_dsn(struct err *e, enum err_kind kind, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	e->kind = kind;
	e->sys = 0;
	va_start(ap, fmt);
	format(e, dsn, fmt, ap, NULL);
	va_end(ap);
	return false;
}

bool err_sys(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	if (!e)
		return false;
	e->kind = kind;
	e->sys = sys;
	va_start(ap, fmt);
	format(e, "", fmt, ap, strerror(sys));
	va_end(ap);
	return false;
}

void err_add(struct err *e, const char *fmt, ...)
{
	struct err old;
	va_list ap;

	if (!e)
		return;
	old = *e;
	va_start(ap, fmt);
	format(e, old.dsn, fmt, ap, old.text);
	va_end(ap);
}

void err_clear(struct err *e)
{
	if (e)
		*e = (struct err){ .kind = ERR_NONE };
}
