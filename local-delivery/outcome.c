#include "agent.h"

#include <stdarg.h>

/* Foreign bytes (a path, resolve's text) go into queue-mgr's log and maybe into a bounce: they stay one line of text. */
bool outcome(struct deliver_res *res, enum deliver_status status, const char *dsn, const char *fmt, ...)
{
	struct err e;
	char text[sizeof res->text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(&e, ERR_TEMP, "%s", text); /* escapes */
	res->status = status;
	snprintf(res->dsn, sizeof res->dsn, "%s", *dsn ? dsn : "4.3.0");
	snprintf(res->text, sizeof res->text, "%s", e.text);
	return false;
}

void delivered_to(struct deliver_res *res, const char *home, const char *path)
{
	struct err where;
	err_set(&where, ERR_NONE, "%s/%s", home, path); /* escapes, and cuts what is too long for a log line */
	snprintf(res->where, sizeof res->where, "%s", where.text);
}

void delivered(struct deliver_res *res, const char *home, const char *path)
{
	res->status = DELIVERED;
	snprintf(res->dsn, sizeof res->dsn, "2.0.0");
	delivered_to(res, home, path);
	res->text[0] = '\0';
}
