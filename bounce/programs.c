/* The fields for programs: RFC 3464, and RFC 6533 for addresses that are not ASCII. */
#include "report.h"

#include "mail/date.h"
#include "mail/xtext.h"

static const char *const actions[] = {
	[BOUNCE_ACTION_FAILED] = "failed",
	[BOUNCE_ACTION_DELAYED] = "delayed",
	[BOUNCE_ACTION_DELIVERED] = "delivered",
	[BOUNCE_ACTION_RELAYED] = "relayed",
	[BOUNCE_ACTION_EXPANDED] = "expanded",
};

static uint32_t code_point(struct sv c)
{
	uint32_t v = (unsigned char)c.p[0] & (c.n == 2 ? 0x1fu : c.n == 3 ? 0x0fu : 0x07u);
	for (size_t i = 1; i < c.n; i++)
		v = v << 6 | ((unsigned char)c.p[i] & 0x3f);
	return v;
}

/* RFC 6533 3: utf-8-addr-xtext, which is ASCII. */
static void put_utf8_xtext(struct buf *out, struct sv rest)
{
	for (size_t n; rest.n; rest = sv_skip(rest, n ? n : 1)) {
		n = sv_utf8_len(rest);
		if (n > 1)
			buf_putf(out, "\\x{%X}", code_point(sv_sub(rest, 0, n)));
		else if (n == 0 || rest.p[0] <= ' ' || rest.p[0] == 0x7f || strchr("\\+=", rest.p[0]))
			buf_putf(out, "\\x{%X}", (unsigned)(unsigned char)rest.p[0]);
		else
			buf_putc(out, rest.p[0]);
	}
}

/* RFC 3464 2.3.1 and 2.3.2. */
static void put_address(const struct report *r, struct buf *out, const char *field, const char *address)
{
	bool ascii = sv_is_ascii(sv_of(address));
	buf_putf(out, "%s: %s; ", field, ascii ? "rfc822" : "utf-8");
	if (ascii || r->utf8)
		report_put_clean(out, address, ascii);
	else
		put_utf8_xtext(out, sv_of(address));
	buf_putc(out, '\n');
}

/* ORCPT as the sender gave it, decoded (RFC 3461 6.3). One in UTF-8 has its own encoding (RFC 6533 3), which stays. */
static void put_orcpt(const struct report *r, struct buf *out, const char *orcpt)
{
	struct sv address = sv_of(orcpt), type;
	struct buf text = BUF_INIT(600);
	if (!sv_cut(&address, ';', &type) || address.n == 0)
		return;
	bool utf8 = sv_ieqs(type, "utf-8");
	if (utf8 || !xtext_decode(address, &text)) {
		buf_reset(&text);
		buf_putsv(&text, address);
	}
	buf_puts(out, "Original-Recipient: ");
	for (size_t i = 0; i < type.n; i++)
		buf_putc(out, ascii_alnum(type.p[i]) || type.p[i] == '-' ? ascii_lower(type.p[i]) : '?');
	buf_puts(out, "; ");
	if (utf8 && !r->utf8 && !sv_is_ascii(buf_sv(&text)))
		put_utf8_xtext(out, buf_sv(&text));
	else
		report_put_clean(out, buf_str(&text), !(utf8 && r->utf8));
	buf_putc(out, '\n');
	buf_free(&text);
}

/* RFC 3464 2.3.5: a name. What agents know may be "name[address]:port", "[address]:port", or the path of a socket, which is no name
 * and nobody's business. */
static void put_remote(struct buf *out, const char *where)
{
	char name[256];
	size_t n = where[0] == '[' ? strcspn(where, "]") + 1 : strcspn(where, "[ :");
	n = MIN(n, strlen(where));
	if (memchr(where, '/', n) != NULL || strncmp(where, "unix:", 5) == 0)
		return;
	buf_puts(out, "Remote-MTA: dns; ");
	if (sv_copy((struct sv){ where, n }, name, sizeof name))
		report_put_clean(out, name, true);
	buf_putc(out, '\n');
}

/* RFC 3464 2.3.6: the type says who speaks. Ours are the words about a host that does not answer. */
static bool is_reply(const char *text)
{
	struct sv digits = sv_sub(sv_of(text), 0, 3);
	return digits.n == 3 && strspn(digits.p, "0123456789") >= 3 && text[0] >= '2' && text[0] <= '5' &&
	       (text[3] == ' ' || text[3] == '\0');
}

/* A mailbox of ours is no MTA, and its path is nobody's business. */
static void put_reason(const struct report *r, const struct bounce_rcpt *rcpt, struct buf *out)
{
	if (rcpt->action == BOUNCE_ACTION_DELIVERED || rcpt->action == BOUNCE_ACTION_EXPANDED)
		return;
	if (*rcpt->where)
		put_remote(out, rcpt->where);
	if (!*rcpt->text)
		return;
	buf_puts(out, *rcpt->where && is_reply(rcpt->text) ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-postern; ");
	report_put_clean(out, rcpt->text, !r->utf8);
	buf_putc(out, '\n');
}

void programs_add(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn)
{
	struct buf *out = &r->status;
	char date[DATE_TEXT_MAX];
	buf_putc(out, '\n');
	if (*rcpt->orcpt)
		put_orcpt(r, out, rcpt->orcpt);
	put_address(r, out, "Final-Recipient", rcpt->rcpt);
	buf_putf(out, "Action: %s\nStatus: %s\n", actions[rcpt->action], dsn);
	put_reason(r, rcpt, out);
	if (rcpt->tried > 0)
		buf_putf(out, "Last-Attempt-Date: %s\n", date_text(rcpt->tried, date));
	buf_putf(out, "Final-Log-ID: %s\n", r->req.id);
	if (rcpt->action == BOUNCE_ACTION_DELAYED && r->req.expires > 0)
		buf_putf(out, "Will-Retry-Until: %s\n", date_text(r->req.expires, date));
}

void programs_put(const struct report *r, struct buf *out)
{
	char date[DATE_TEXT_MAX];
	if (*r->req.envid) {
		buf_puts(out, "Original-Envelope-Id: ");
		report_put_clean(out, r->req.envid, true);
		buf_putc(out, '\n');
	}
	buf_putf(out, "Reporting-MTA: dns; %s\n", r->hostname);
	if (r->req.arrived > 0)
		buf_putf(out, "Arrival-Date: %s\n", date_text(r->req.arrived, date));
	buf_putsv(out, buf_sv(&r->status));
}

bool programs_global(const struct report *r) { return !sv_is_ascii(buf_sv(&r->status)); }
