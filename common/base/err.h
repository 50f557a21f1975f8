/* err - one error type. A function that can fail returns bool and fills struct err; outputs stay untouched.
 *
 * All setters return false, so that `return err_set(...)` reads well. `e` may be NULL: then nothing is kept.
 * `text` says what to do, in words that may be shown to an admin; it holds no newline and foreign bytes in it are
 * escaped. `dsn` is an enhanced status code (RFC 3463), empty when none applies. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/defs.h"

enum err_kind {
	ERR_NONE,
	ERR_TEMP,  /* try again later */
	ERR_PERM,  /* will not get better: bounce, refuse, fix the configuration */
	ERR_PEER,  /* the peer broke the protocol or is gone: drop it */
	ERR_LIMIT, /* a named bound was passed: refuse for now */
};

struct err {
	enum err_kind kind;
	int sys; /* errno, or 0 */
	char dsn[12];
	char text[300];
};

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_dsn(struct err *e, enum err_kind kind, const char *dsn, const char *fmt, ...) PRINTF_LIKE(4, 5);
bool err_sys(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4); /* ": strerror(errno)" is added */
void err_add(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3); /* puts context in front: "CONTEXT: text" */
void err_clear(struct err *e);

#endif
