/* Sending DATA (RFC 5321 4.5.2). */
#include "smtp/smtp.h"

void smtp_stuff(struct smtp_stuff *s, struct sv in, struct buf *out)
{
	while (in.n > 0) {
		if (!s->mid_line && in.p[0] == '.')
			buf_putc(out, '.');
		ptrdiff_t lf = sv_chr(in, '\n');
		size_t n = lf < 0 ? in.n : (size_t)lf;
		bool cr = n > 0 ? in.p[n - 1] == '\r' : s->last_cr; /* the line end is CRLF already */
		buf_put(out, in.p, n);
		if (lf >= 0) {
			buf_puts(out, cr ? "\n" : "\r\n");
			n++;
		}
		s->mid_line = lf < 0;
		s->last_cr = lf < 0 && cr;
		in = sv_skip(in, n);
	}
}

void smtp_stuff_end(struct smtp_stuff *s, struct buf *out)
{
	if (s->mid_line)
		buf_puts(out, "\r\n");
	buf_puts(out, ".\r\n");
	*s = (struct smtp_stuff){ 0 };
}
