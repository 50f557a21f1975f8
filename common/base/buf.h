/* buf - byte buffer with a hard limit. The only growable string in the tree.
 *
 * Every buffer states at birth how large hostile input may make it. An append that would pass the limit changes
 * nothing and sets `over`, which sticks until buf_reset(): chain appends freely, check once. When malloc itself fails
 * the process's out-of-memory handler runs (oom_set; smtpd: a static 421, then exit); it is never an error value.
 * Pointers into a buffer die at the next append. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/sv.h"

#include <stdarg.h>

struct buf {
	char *data;
	size_t len, cap, max;
	bool over;
};

/* clang-format off */
#define BUF_INIT(limit) { .max = (limit) }
/* clang-format on */
void buf_init(struct buf *b, size_t limit);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_putsv(struct buf *b, struct sv s);
void buf_putf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_putvf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_fill(struct buf *b, char c, size_t n);
/* n writable bytes at the end, or NULL and `over`. Whoever wrote there calls buf_grew() to claim them, or some, or 0. */
char *buf_room(struct buf *b, size_t n) MUST_CHECK;
void buf_grew(struct buf *b, size_t n);
void buf_drop(struct buf *b, size_t n);      /* removes the first n bytes */
void buf_cut(struct buf *b, size_t len);     /* shortens to len */
bool buf_ok(const struct buf *b) MUST_CHECK; /* false: some append did not fit */
const char *buf_str(const struct buf *b);    /* NUL-terminated, never NULL */
struct sv buf_sv(const struct buf *b);
void buf_reset(struct buf *b); /* empty; keeps memory, clears `over` */
void buf_free(struct buf *b);  /* may be used again afterwards */

/* What happens when malloc fails anywhere in base: `handler` must not return. Default: a line on stderr, _exit(71). */
void oom_set(void (*handler)(void));
void *mem_new(size_t n);           /* zeroed; never NULL */
void *mem_grow(void *p, size_t n); /* realloc; never NULL */
char *mem_dup(struct sv s);        /* NUL-terminated copy; never NULL */

#endif
