#include "base/buf.h"

#define BUF_FIRST 64 /* smallest allocation: most lines of a protocol fit */

static void die_of_memory(void)
{
	static const char text[] = "out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(71);
	_exit(71); /* EX_OSERR */
}

static void (*oom_handler)(void) = die_of_memory;

void oom_set(void (*handler)(void)) { oom_handler = handler; }

static void *checked(void *p)
{
	if (!p) {
		oom_handler();
		die_of_memory(); /* the handler must not return */
	}
	return p;
}

void *mem_new(size_t n) { return checked(calloc(1, n ? n : 1)); }
void *mem_grow(void *p, size_t n) { return checked(realloc(p, n ? n : 1)); }

char *mem_dup(struct sv s)
{
	char *p = checked(malloc(s.n + 1));

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

/* Invariants: len <= max, and with data != NULL, len < cap and data[len] is NUL. */

void buf_init(struct buf *b, size_t limit) { *b = (struct buf)BUF_INIT(limit); }

static bool grow(struct buf *b, size_t n)
{
	if (b->over || n > b->max - b->len) {
		b->over = true;
		return false;
	}
	size_t need = b->len + n + 1, cap = MAX(b->cap, BUF_FIRST);
	while (cap < need)
		cap *= 2;
	cap = MIN(cap, b->max + 1);
	if (cap > b->cap) {
		b->data = mem_grow(b->data, cap);
		b->cap = cap;
	}
	return true;
}

/* A buffer that is `over` takes nothing more, so that what it holds stays a prefix of what was meant. */
char *buf_room(struct buf *b, size_t n)
{
	if ((n >= b->cap - b->len || b->over || !b->data) && !grow(b, n))
		return NULL;
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void buf_grew(struct buf *b, size_t n)
{
	if (!b->data && n == 0)
		return;
	BUG_IF(n >= b->cap - b->len);
	b->len += n;
	b->data[b->len] = '\0'; /* with n == 0 too: something was written to the room */
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0 || !(to = buf_room(b, n)))
		return;
	memcpy(to, p, n);
	b->len += n;
	to[n] = '\0';
}

void buf_putc(struct buf *b, char c)
{
	char *to = buf_room(b, 1);

	if (!to)
		return;
	to[0] = c;
	to[1] = '\0';
	b->len++;
}

void buf_puts(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }
void buf_putsv(struct buf *b, struct sv s) { buf_put(b, s.p, s.n); }

void buf_fill(struct buf *b, char c, size_t n)
{
	char *to;

	if (n == 0 || !(to = buf_room(b, n)))
		return;
	memset(to, c, n);
	buf_grew(b, n);
}

void buf_putvf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *to = b->data ? b->data + b->len : NULL;
	size_t room = b->over ? 0 : b->cap - b->len;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room ? to : NULL, room, fmt, ap);
	BUG_IF(n < 0);
	if ((size_t)n >= room) {
		if (room)
			*to = '\0'; /* what fitted is not there */
		to = buf_room(b, (size_t)n);
		if (to)
			vsnprintf(to, (size_t)n + 1, fmt, again);
	}
	if (to)
		buf_grew(b, b->over ? 0 : (size_t)n);
	va_end(again);
}

void buf_putf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_putvf(b, fmt, ap);
	va_end(ap);
}

void buf_drop(struct buf *b, size_t n)
{
	BUG_IF(n > b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len);
	b->data[b->len] = '\0';
}

void buf_cut(struct buf *b, size_t len)
{
	BUG_IF(len > b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

bool buf_ok(const struct buf *b) { return !b->over; }
const char *buf_str(const struct buf *b) { return b->data ? b->data : ""; }
struct sv buf_sv(const struct buf *b) { return (struct sv){ buf_str(b), b->len }; }

void buf_reset(struct buf *b)
{
	b->over = false;
	buf_cut(b, 0);
}

void buf_free(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}
