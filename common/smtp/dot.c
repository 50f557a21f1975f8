/* Receiving a message: DATA (RFC 5321 4.5.2), BDAT (RFC 3030). Long runs without a CR are copied whole: the byte-wise part sees
 * only line ends. */
#include "smtp/smtp.h"

enum { AT_START, AT_DOT, AT_DOT_CR, IN_LINE, AT_CR, AT_EMPTY_CR, RAW };

void smtp_dot_init(struct smtp_dot *d, enum smtp_form form) { *d = (struct smtp_dot){ .form = form, .state = AT_START }; }

/* Bytes that are passed on as they are: up to the next CR, of which IN_LINE knows nothing. */
static size_t copy_run(struct smtp_dot *d, const char *p, size_t n, char *out)
{
	const char *cr = memchr(p, '\r', n);
	size_t run = cr ? (size_t)(cr - p) : n;
	for (const char *at = p; (at = memchr(at, '\n', run - (size_t)(at - p))); at++)
		d->bare_lf++;
	memcpy(out, p, run);
	return run;
}

static void count_nul(struct smtp_dot *d, struct sv used)
{
	for (const char *at = used.p; used.n && (at = memchr(at, 0, used.n - (size_t)(at - used.p))); at++)
		d->nul++;
}

static void count_eight_bit(struct smtp_dot *d, struct sv used)
{
	size_t i = 0;
	for (uint64_t w; i + sizeof w <= used.n; i += sizeof w) {
		memcpy(&w, used.p + i, sizeof w);
		w = (w >> 7) & 0x0101010101010101u;
		d->eight_bit += w * 0x0101010101010101u >> 56;
	}
	for (; i < used.n; i++)
		d->eight_bit += (uint8_t)used.p[i] >> 7;
}

/* One step at byte c, outside of runs. Returns how many bytes went to out (0 or 1); *ret_used says whether c is used up. */
static size_t step(struct smtp_dot *d, char c, char *out, bool *ret_used)
{
	*ret_used = true;
	switch (d->state) {
	case AT_START:
		d->state = d->form == SMTP_DATA ? (c == '.' ? AT_DOT : IN_LINE) : (c == '\r' ? AT_EMPTY_CR : IN_LINE);
		*ret_used = d->state != IN_LINE;
		return 0;
	case AT_DOT: /* the dot itself is dropped, whatever follows */
		d->state = c == '\r' ? AT_DOT_CR : IN_LINE;
		*ret_used = c == '\r';
		return 0;
	case AT_DOT_CR:
		if (c == '\n') {
			d->done = true;
			return 0;
		}
		break;
	case IN_LINE: /* only a CR comes here */
		d->state = AT_CR;
		return 0;
	case AT_EMPTY_CR:
	case AT_CR:
		if (c == '\n') {
			d->state = d->state == AT_EMPTY_CR && d->form == SMTP_BINARY ? RAW : AT_START;
			d->crlf++;
			*out = '\n';
			return 1;
		}
		break;
	}
	d->bare_cr++; /* the CR before c was alone */
	d->state = c == '\r' ? AT_CR : IN_LINE;
	*ret_used = c == '\r';
	*out = '\r';
	return 1;
}

size_t smtp_dot_read(struct smtp_dot *d, struct sv in, char *out, size_t out_max, size_t *ret_out)
{
	size_t used = 0, made = 0, lines = 0; /* lines: how much of the input was not raw */
	while (used < in.n && made < out_max && !d->done) {
		if (d->state == RAW) {
			size_t n = MIN(in.n - used, out_max - made);
			memcpy(out + made, in.p + used, n);
			used += n;
			made += n;
			continue;
		}
		if (d->state == IN_LINE && in.p[used] != '\r') {
			size_t n = copy_run(d, in.p + used, MIN(in.n - used, out_max - made), out + made);
			used += n;
			made += n;
		} else {
			bool taken;
			made += step(d, in.p[used], out + made, &taken);
			used += taken;
		}
		lines = used;
	}
	count_nul(d, sv_sub(in, 0, lines));
	count_eight_bit(d, sv_sub(in, 0, used));
	*ret_out = made;
	return used;
}

void smtp_dot_end(struct smtp_dot *d)
{
	d->bare_cr += d->state == AT_CR || d->state == AT_EMPTY_CR;
	d->done = true;
}
