/* Composing the header of a queue file (DESIGN D4): what stands before the message. */
#include "spool/spool.h"
#include "spool/form.h"

#include "base/crc32c.h"
#include "mail/date.h"

#define ROOM_NAME "X-Postern-Room:"
#define ROOM_LEAST (sizeof(ROOM_NAME "\n") - 1)
#define ROOM_LINE 76 /* RFC 5322 2.1.1: lines of at most 78 */

/* Text that we put into a header line as it is: no line may begin in it unless it is folded. */
static bool line_ok(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c == '\n' ? (i + 1 == text.n || text.p[i + 1] != '\t') : ((c < ' ' && c != '\t') || c == 0x7f))
			return false;
	}
	return true;
}

/* RFC 3461 4.2: addr-type ";" xtext, without blanks. RFC 6533 adds UTF-8. */
static bool orcpt_ok(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n <= SPOOL_ORCPT_MAX;
}

static bool check(const struct spool_compose *c, struct err *e)
{
	if (c->n_rcpt == 0)
		return err_set(e, ERR_PERM, "a queue file needs a recipient");
	for (size_t i = 0; i < c->n_rcpt; i++)
		if (c->rcpt[i].addr.null || (c->rcpt[i].cls != CLASS_LOCAL && c->rcpt[i].cls != CLASS_REMOTE))
			return err_set(e, ERR_PERM, "recipient %zu of a queue file has no address or class", i);
	for (size_t i = 0; i < c->n_rcpt; i++)
		if (c->rcpt[i].orcpt && !orcpt_ok(sv_of(c->rcpt[i].orcpt)))
			return err_set(e, ERR_PERM, "recipient %zu of a queue file has an odd ORCPT", i);
	for (size_t i = 0; i < c->n_rcpt; i++)
		if (c->rcpt[i].status != 0 && strchr(SPOOL_STATUSES, c->rcpt[i].status) == NULL)
			return err_set(e, ERR_PERM, "recipient %zu of a queue file has an odd status", i);
	if (!line_ok(c->received) || !line_ok(c->for_text) || !line_ok(c->postern) || sv_find(c->received, SV(FORM_ID)) >= 0)
		return err_set(e, ERR_PERM, "text for a header line of a queue file holds a line end or control byte");
	if (c->postern.n >= sizeof(((struct spool_envelope *)0)->postern))
		return err_set(e, ERR_LIMIT, "X-Postern line too long");
	return true;
}

const char *const spool_notify_names[4] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };

/* ORCPT alone is of use only in a report. */
static bool spool_rcpt_asks(const struct spool_rcpt *r) { return r->notify != 0 || r->orcpt; }

static void put_rcpt(const struct spool_rcpt *r, size_t number, struct buf *out)
{
	char text[MADDR_TEXT_MAX + 1];
	buf_putf(out, FORM_TO "%c %s %zu %s", r->status != 0 ? r->status : SPOOL_TODO, r->cls == CLASS_LOCAL ? "local" : "remote",
		number, maddr_text(&r->addr, text));
	if (!r->orig.null)
		buf_putf(out, " %s", maddr_text(&r->orig, text));
	else if (spool_rcpt_asks(r))
		buf_puts(out, " <>");
	for (size_t i = 0; i < COUNT(spool_notify_names); i++)
		if (r->notify & (1u << i))
			buf_putf(out, "%s%s", r->notify & ((1u << i) - 1) ? "," : " notify=", spool_notify_names[i]);
	if (r->orcpt)
		buf_putf(out, " orcpt=%s", r->orcpt);
	buf_putc(out, '\n');
}

static void put_envelope(const struct spool_compose *c, bool plain, struct buf *out)
{
	char text[MADDR_TEXT_MAX + 1];
	buf_putf(out, FORM_PATH "<%s>\n", maddr_text(c->sender, text));
	if (plain) {
		if (!c->rcpt->orig.null)
			buf_putf(out, FORM_ORIG "%s\n", maddr_text(&c->rcpt->orig, text));
		buf_putf(out, FORM_DELIVERED "%s\n", maddr_text(&c->rcpt->addr, text));
		return;
	}
	for (size_t i = 0; i < c->n_rcpt; i++)
		put_rcpt(&c->rcpt[i], i, out);
	if (c->postern.n > 0) {
		buf_puts(out, FORM_POSTERN);
		buf_putsv(out, c->postern);
		buf_putc(out, '\n');
	}
}

/* RFC 5321 4.4: from, by, with, id, for; then the date. The mark is a comment behind the id. */
static void put_received(const struct spool_compose *c, struct buf *out, struct spool_marks *m)
{
	char date[DATE_TEXT_MAX];
	m->received_at = out->len;
	buf_puts(out, FORM_RECEIVED);
	buf_putsv(out, c->received);
	buf_putf(out, FORM_ID "%s" FORM_S, c->id.text);
	m->s_at = out->len;
	buf_fill(out, '0', FORM_S_DIGITS);
	buf_puts(out, FORM_C);
	m->c_at = out->len;
	buf_fill(out, '0', FORM_C_DIGITS);
	buf_putf(out, FORM_T "%c)", c->trust);
	if (c->for_text.n > 0) {
		buf_puts(out, "\n\tfor <");
		buf_putsv(out, c->for_text);
		buf_putc(out, '>');
	}
	buf_putf(out, ";\n\t%s\n", date_text(c->unix_secs, date));
}

/* One header field of exactly n bytes (at least ROOM_LEAST) that means nothing. */
static void put_room(char *dst, size_t n)
{
	size_t line = sizeof(ROOM_NAME) - 1;
	memcpy(dst, ROOM_NAME, line);
	for (size_t i = line; i + 1 < n; i++, line++) {
		/* Not where only the fold or the end would follow: a line of blanks alone is no continuation (RFC 5322 3.2.2). */
		if (line >= ROOM_LINE && n - i > 4) {
			memcpy(dst + i, "\n\t", 2);
			i += 2;
			line = 1;
		}
		dst[i] = '.';
	}
	dst[n - 1] = '\n';
}

bool spool_compose(
	const struct spool_compose *c, struct sv verdict, bool room, struct buf *out, struct spool_marks *ret, struct err *e)
{
	struct spool_marks m = { .plain = c->n_rcpt == 1 && c->rcpt->cls == CLASS_LOCAL && c->postern.n == 0 &&
					  !spool_rcpt_asks(c->rcpt) };
	if (!check(c, e))
		return false;
	buf_reset(out);
	put_envelope(c, m.plain, out);
	put_received(c, out, &m);
	if (room) {
		m.room_at = out->len;
		char *space = buf_room(out, SPOOL_ROOM);
		if (space != NULL) {
			put_room(space, SPOOL_ROOM);
			buf_grew(out, SPOOL_ROOM);
		}
	} else
		buf_putsv(out, verdict);
	m.header_len = out->len;
	if (!buf_ok(out))
		return err_dsn(e, ERR_LIMIT, "4.5.3", "the header of the queue file would pass %zu bytes", out->max);
	if (room)
		spool_fill_room(out, &m, verdict);
	*ret = m;
	return true;
}

/* The length of the first n whole fields of `lines` that take at most `most` bytes. */
static size_t whole_fields(struct sv lines, size_t most)
{
	size_t fit = 0;
	for (size_t i = 0; i < lines.n && i < most; i++)
		if (lines.p[i] == '\n' && (i + 1 == lines.n || (lines.p[i + 1] != ' ' && lines.p[i + 1] != '\t')))
			fit = i + 1;
	return fit;
}

void spool_fill_room(struct buf *header, const struct spool_marks *m, struct sv verdict)
{
	size_t room = m->header_len - m->room_at;
	size_t fit = whole_fields(verdict, room);
	while (fit != room && fit + ROOM_LEAST > room)
		fit = whole_fields(verdict, fit - 1);
	if (fit > 0)
		memcpy(header->data + m->room_at, verdict.p, fit);
	if (fit < room)
		put_room(header->data + m->room_at + fit, room - fit);
}

/* The CRC of the header with the status bytes taken as '0'. The digits of c still are. */
static uint32_t header_crc(const struct buf *header, const struct spool_marks *m)
{
	uint32_t crc = 0;
	size_t done = 0, at = 0;
	while (at < m->received_at) {
		const char *line = header->data + at;
		const char *end = memchr(line, '\n', m->received_at - at);
		if (sv_starts((struct sv){ line, m->received_at - at }, SV(FORM_TO))) {
			size_t status = at + FORM_TO_LEN;
			crc = crc32c(crc, header->data + done, status - done);
			crc = crc32c(crc, "0", 1);
			done = status + 1;
		}
		at = (size_t)(end - header->data) + 1;
	}
	return crc32c(crc, header->data + done, m->header_len - done);
}

void spool_seal(struct buf *header, const struct spool_marks *m, uint32_t body_crc, uint64_t body_len)
{
	char text[24];
	snprintf(text, sizeof(text), "%0*llu", FORM_S_DIGITS, (unsigned long long)(m->header_len + body_len));
	memcpy(header->data + m->s_at, text, FORM_S_DIGITS);
	memset(header->data + m->c_at, '0', FORM_C_DIGITS);
	uint32_t crc = crc32c_join(header_crc(header, m), body_crc, body_len);
	snprintf(text, sizeof(text), "%0*x", FORM_C_DIGITS, (unsigned)crc);
	memcpy(header->data + m->c_at, text, FORM_C_DIGITS);
}
