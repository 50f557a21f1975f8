#include "body.h"

#include "base/crc32c.h"

#define KEEP_MAX (64 * 1024) /* memory kept for the next message */

void body_init(struct body *b)
{
	*b = (struct body){ .mem = BUF_INIT(BODY_MEMORY_MAX + 1) };
	smtp_dot_init(&b->dot, SMTP_DATA);
}

void body_start(struct body *b, enum smtp_form form)
{
	struct buf mem = b->mem;
	if (mem.cap > KEEP_MAX)
		buf_free(&mem);
	buf_reset(&mem);
	body_init(b);
	b->mem = mem;
	b->dot.form = form;
}

void body_free(struct body *b) { buf_free(&b->mem); }

static size_t mem_max(const struct body *b) { return b->streamed ? BODY_PIECE : BODY_MEMORY_MAX; }

bool body_full(const struct body *b) { return b->mem.len == mem_max(b); }

size_t body_feed(struct body *b, struct sv in)
{
	size_t used = 0;
	while (used < in.n && !b->dot.done && !body_full(b)) {
		size_t made, room = MIN(in.n - used + 1, mem_max(b) - b->mem.len); /* + 1: a CR held back by the reader */
		char *to = buf_room(&b->mem, room);
		BUG_IF(!to);
		used += smtp_dot_read(&b->dot, sv_skip(in, used), to, room, &made);
		b->len += made;
		if (!b->dropping)
			buf_grew(&b->mem, made);
	}
	return used;
}

void body_end(struct body *b) { smtp_dot_end(&b->dot); }

void body_wrote(struct body *b)
{
	b->crc = crc32c(b->crc, b->mem.data, b->mem.len);
	b->written += b->mem.len;
	b->streamed = true;
	buf_reset(&b->mem);
}

void body_drop(struct body *b)
{
	b->dropping = true;
	buf_reset(&b->mem);
}

void body_put_front(struct body *b, char c)
{
	BUG_IF(b->streamed || b->dropping);
	buf_putc(&b->mem, c);
	memmove(b->mem.data + 1, b->mem.data, b->mem.len - 1);
	b->mem.data[0] = c;
	b->len++;
}

uint64_t body_wire(const struct body *b) { return b->len + b->dot.crlf; }

uint32_t body_crc(const struct body *b) { return crc32c(b->crc, b->mem.data, b->mem.len); }
