/* The report: header, text for people, text for programs, and what introduces the original. */
#include "report.h"

#include "base/clock.h"
#include "mail/date.h"

#define PEOPLE_MAX (256 * 1024)
#define PEOPLE_SHOWN 50        /* recipients that the text for people names */
#define STATUS_MAX (32u << 20) /* 50,000 recipients (recipients_max) of some 600 bytes */
#define TEXT_WIDTH 76

/* --- pieces --- */
/* Foreign text within a line of ours: nothing in it ends the line. ascii: RFC 3464 fields are 7-bit. */
static void put_clean(struct buf *out, const char *text, bool ascii)
{
	struct sv rest = sv_of(text);
	while (rest.n) {
		size_t n = sv_print_len(rest);
		if (n == 0 || (ascii && n > 1))
			buf_putc(out, (unsigned char)rest.p[0] <= ' ' ? ' ' : '?');
		else
			buf_put(out, rest.p, n);
		rest = sv_skip(rest, n ? n : 1);
	}
}

/* Words of `text`, each line indented, at most TEXT_WIDTH wide where the words allow it. */
static void put_wrapped(struct buf *out, const char *indent, const char *text)
{
	struct buf clean = BUF_INIT(4096);
	size_t width = 0;
	struct sv rest, word;
	put_clean(&clean, text, false);
	rest = buf_sv(&clean);
	while (sv_word(&rest, &word)) {
		bool first = width == 0;
		if (!first && width + 1 + word.n > TEXT_WIDTH) {
			buf_putc(out, '\n');
			width = 0;
		}
		buf_puts(out, width == 0 ? indent : " ");
		width += (width == 0 ? strlen(indent) : 1) + word.n;
		buf_putsv(out, word);
	}
	if (width > 0)
		buf_putc(out, '\n');
	buf_free(&clean);
}

static uint32_t code_point(struct sv c)
{
	uint32_t v = (unsigned char)c.p[0] & (c.n == 2 ? 0x1fu : c.n == 3 ? 0x0fu : 0x07u);
	for (size_t i = 1; i < c.n; i++)
		v = v << 6 | ((unsigned char)c.p[i] & 0x3f);
	return v;
}

/* RFC 3464 2.3.1 and 2.3.2; an address that is not ASCII as utf-8-addr-xtext (RFC 6533 3), which is. */
static void put_address(struct buf *out, const char *field, const char *address)
{
	struct sv rest = sv_of(address);
	bool ascii = sv_is_ascii(rest);
	buf_putf(out, "%s: %s; ", field, ascii ? "rfc822" : "utf-8");
	if (ascii) {
		put_clean(out, address, true);
		rest.n = 0;
	}
	for (size_t n; rest.n; rest = sv_skip(rest, n ? n : 1)) {
		n = sv_utf8_len(rest);
		if (n > 1)
			buf_putf(out, "\\x{%X}", code_point(sv_sub(rest, 0, n)));
		else if (n == 0 || rest.p[0] <= ' ' || rest.p[0] == 0x7f || rest.p[0] == '\\' || rest.p[0] == '+' ||
			 rest.p[0] == '=')
			buf_putf(out, "\\x{%X}", (unsigned)(unsigned char)rest.p[0]);
		else
			buf_putc(out, rest.p[0]);
	}
	buf_putc(out, '\n');
}

static bool dsn_ok(const char *dsn)
{
	struct sv rest = sv_of(dsn), part;
	int parts = 0;
	for (; sv_cut(&rest, '.', &part); parts++)
		if (part.n == 0 || part.n > 3 || strspn(part.p, "0123456789") < part.n)
			return false;
	return parts == 3 && (dsn[0] == '4' || dsn[0] == '5') && dsn[1] == '.';
}

/* --- recipients --- */
bool report_init(struct report *r, const struct bounce_req *req, const char *hostname, struct err *e)
{
	struct maddr to;
	char postmaster[MADDR_DOMAIN_MAX + 16];
	snprintf(postmaster, sizeof postmaster, "postmaster@%s", hostname);
	const char *who = req->kind == BOUNCE_DOUBLE ? postmaster : req->sender;
	if (!maddr_parse(sv_of(who), MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &to, e)) {
		err_add(e, "who should get the report");
		return false;
	}
	*r = (struct report){
		.req = *req, .hostname = hostname, .to = to, .people = BUF_INIT(PEOPLE_MAX), .status = BUF_INIT(STATUS_MAX)
	};
	/* 128 random bits that did not exist when the original was written: it cannot hold them. "=_" occurs in no encoding (RFC
	 * 2045 6.7) */
	snprintf(r->boundary, sizeof r->boundary, "=_%016llx%016llx", (unsigned long long)rnd_u64(), (unsigned long long)rnd_u64());
	snprintf(r->message_id, sizeof r->message_id, "report.%s.%016llx", req->id, (unsigned long long)rnd_u64());
	return true;
}

void report_free(struct report *r)
{
	buf_free(&r->people);
	buf_free(&r->status);
}

static void add_for_people(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn)
{
	struct buf line = BUF_INIT(4096);
	bool renamed = *rcpt->orig && strcmp(rcpt->orig, rcpt->rcpt) != 0;
	buf_puts(&r->people, "\n  <");
	put_clean(&r->people, renamed ? rcpt->orig : rcpt->rcpt, false);
	buf_puts(&r->people, ">\n");
	if (renamed) {
		buf_putf(&line, "which leads to %s", rcpt->rcpt);
		put_wrapped(&r->people, "    ", buf_str(&line));
		buf_reset(&line);
	}
	buf_putf(&line, "%s%s%s (%s)", *rcpt->where ? rcpt->where : "", *rcpt->where ? " said: " : "",
		*rcpt->text ? rcpt->text : "no reason is known", dsn);
	put_wrapped(&r->people, "    ", buf_str(&line));
	put_wrapped(&r->people, "    ", advice_for(dsn));
	buf_free(&line);
}

static void add_for_programs(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn)
{
	struct buf *out = &r->status;
	bool delayed = r->req.kind == BOUNCE_DELAYED;
	char date[DATE_TEXT_MAX];
	buf_putc(out, '\n');
	if (*rcpt->orig)
		put_address(out, "Original-Recipient", rcpt->orig);
	put_address(out, "Final-Recipient", rcpt->rcpt);
	buf_putf(out, "Action: %s\nStatus: %s\n", delayed ? "delayed" : "failed", dsn);
	if (*rcpt->where) {
		buf_puts(out, "Remote-MTA: dns; ");
		put_clean(out, rcpt->where, true);
		buf_putc(out, '\n');
	}
	buf_puts(out, *rcpt->where ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-postern; ");
	put_clean(out, rcpt->text, true);
	buf_putc(out, '\n');
	if (delayed && r->req.expires > 0)
		buf_putf(out, "Will-Retry-Until: %s\n", date_text(r->req.expires, date));
}

bool report_add(struct report *r, const struct bounce_rcpt *rcpt, struct err *e)
{
	const char *dsn = dsn_ok(rcpt->dsn) ? rcpt->dsn : r->req.kind == BOUNCE_DELAYED ? "4.0.0" : "5.0.0";
	if (r->recipients++ < PEOPLE_SHOWN)
		add_for_people(r, rcpt, dsn);
	add_for_programs(r, rcpt, dsn);
	if (buf_ok(&r->status) && buf_ok(&r->people))
		return true;
	return err_set(e, ERR_LIMIT, "a report on so many recipients is too long");
}

/* --- the whole --- */
static const struct {
	const char *subject, *intro;
} kinds[] = {
	[BOUNCE_FAILED] = { "Your message could not be delivered", "could not be delivered to:" },
	[BOUNCE_DELAYED] = { "Your message is delayed", "has not been delivered yet to:" },
	[BOUNCE_DOUBLE] = { "A delivery report could not be delivered", "could not be delivered either. It was for:" },
};

static void put_header(const struct report *r, const struct original *o, uint64_t now_secs, struct buf *out)
{
	char text[MADDR_TEXT_MAX + 1], date[DATE_TEXT_MAX];
	buf_putf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\nTo: <%s>\n", r->hostname, maddr_text(&r->to, text));
	buf_putf(out, "Subject: %s\nDate: %s\n", kinds[r->req.kind].subject, date_text(now_secs, date));
	buf_putf(out, "Message-ID: <%s@%s>\n", r->message_id, r->hostname);
	if (*o->message_id)
		buf_putf(out, "In-Reply-To: %s\nReferences: %s\n", o->message_id, o->message_id);
	/* RFC 3834 5: so that no vacation program answers */
	buf_puts(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n");
	buf_putf(out, "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"%s\"\n", r->boundary);
	if (report_eight_bit(r, o))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_puts(out, "\nThis is a delivery report in MIME format.\n");
}

static void put_part(const struct report *r, const char *description, const char *type, bool eight_bit, struct buf *out)
{
	buf_putf(out, "\n--%s\nContent-Description: %s\nContent-Type: %s\n", r->boundary, description, type);
	if (eight_bit)
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_putc(out, '\n');
}

static void put_people(const struct report *r, const struct original *o, struct buf *out)
{
	char arrived[DATE_TEXT_MAX], until[DATE_TEXT_MAX], line[400];
	put_part(r, "What happened", "text/plain; charset=utf-8", !sv_is_ascii(buf_sv(&r->people)), out);
	buf_putf(out, "This is the mail system of %s.\n\n", r->hostname);
	snprintf(line, sizeof line, "%s of %s %s", r->req.kind == BOUNCE_DOUBLE ? "A delivery report" : "Your message",
		date_text(r->req.arrived, arrived), kinds[r->req.kind].intro);
	put_wrapped(out, "", line);
	buf_putsv(out, buf_sv(&r->people));
	if (r->recipients > PEOPLE_SHOWN)
		buf_putf(out, "\n  and %zu more, named in the part for programs below.\n", r->recipients - PEOPLE_SHOWN);
	buf_putc(out, '\n');
	if (r->req.kind == BOUNCE_DELAYED) {
		snprintf(line, sizeof line,
			"You need not do anything, and need not send it again: it will be tried until %s. If it cannot be "
			"delivered by then, you "
			"will be told.",
			r->req.expires ? date_text(r->req.expires, until) : "it expires");
		put_wrapped(out, "", line);
	} else
		put_wrapped(out, "", "It will not be tried again.");
	snprintf(line, sizeof line, "Below follow a part for programs and %s. If you need help, write to postmaster@%s.",
		o->whole ? "the message itself" : "the header of the message", r->hostname);
	put_wrapped(out, "", line);
}

static void put_programs(const struct report *r, struct buf *out)
{
	char date[DATE_TEXT_MAX];
	put_part(r, "The same for programs", "message/delivery-status", false, out);
	buf_putf(out, "Reporting-MTA: dns; %s\nX-Postern-Queue-ID: %s\n", r->hostname, r->req.id);
	if (r->req.arrived > 0)
		buf_putf(out, "Arrival-Date: %s\n", date_text(r->req.arrived, date));
	buf_putsv(out, buf_sv(&r->status));
}

void report_head(const struct report *r, const struct original *o, uint64_t now_secs, struct buf *out)
{
	/* RFC 6522 1, RFC 6533 6: the global forms for headers in UTF-8 */
	const char *type = o->whole ? (o->utf8_header ? "message/global" : "message/rfc822")
				    : (o->utf8_header ? "message/global-headers" : "text/rfc822-headers");
	put_header(r, o, now_secs, out);
	put_people(r, o, out);
	put_programs(r, out);
	put_part(r, o->whole ? "The message" : "Header of the message", type, o->eight_bit, out);
}

void report_tail(const struct report *r, struct buf *out) { buf_putf(out, "\n--%s--\n", r->boundary); }

bool report_eight_bit(const struct report *r, const struct original *o)
{
	return o->eight_bit || r->to.utf8 || !sv_is_ascii(buf_sv(&r->people));
}
