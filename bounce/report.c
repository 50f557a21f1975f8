/* The report as a whole: its header, its parts, and what introduces the original. */
#include "report.h"

#include "base/clock.h"
#include "mail/date.h"
#include "mail/hdr.h"

#define PEOPLE_MAX (256 * 1024)
#define STATUS_MAX (32u << 20) /* 50,000 recipients (recipients_max) of some 600 bytes */

void report_put_clean(struct buf *out, const char *text, bool ascii)
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

bool report_init(
	struct report *r, const struct bounce_req *req, const char *hostname, const struct language *language, struct err *e)
{
	struct maddr to;
	char postmaster[MADDR_DOMAIN_MAX + 16];
	snprintf(postmaster, sizeof postmaster, "postmaster@%s", hostname);
	const char *who = req->kind == BOUNCE_DOUBLE || req->kind == BOUNCE_HELD ? postmaster : req->sender;
	if (!maddr_parse(sv_of(who), MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &to, e)) {
		err_add(e, "who should get the report");
		return false;
	}
	*r = (struct report){ .req = *req,
		.hostname = hostname,
		.language = language ? language : &language_en,
		.to = to,
		.utf8 = to.utf8 || req->smtputf8,
		.people = BUF_INIT(PEOPLE_MAX),
		.status = BUF_INIT(STATUS_MAX) };
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

static bool dsn_ok(const char *dsn, const char *classes)
{
	struct sv rest = sv_of(dsn), part;
	int parts = 0;
	for (; sv_cut(&rest, '.', &part); parts++)
		if (part.n == 0 || part.n > 3 || strspn(part.p, "0123456789") < part.n)
			return false;
	return parts == 3 && strchr(classes, dsn[0]) && dsn[1] == '.';
}

/* RFC 3463: what failed at last may have failed for now each time. */
static const char *status_of(const struct bounce_rcpt *rcpt)
{
	switch ((enum bounce_action)rcpt->action) {
	case BOUNCE_ACTION_FAILED:
		return dsn_ok(rcpt->dsn, "45") ? rcpt->dsn : "5.0.0";
	case BOUNCE_ACTION_DELAYED:
		return dsn_ok(rcpt->dsn, "45") ? rcpt->dsn : "4.0.0";
	case BOUNCE_ACTION_DELIVERED:
	case BOUNCE_ACTION_RELAYED:
	case BOUNCE_ACTION_EXPANDED:
		break;
	}
	return dsn_ok(rcpt->dsn, "2") ? rcpt->dsn : "2.0.0";
}

bool report_add(struct report *r, const struct bounce_rcpt *rcpt, struct err *e)
{
	const char *dsn = status_of(rcpt);
	people_add(r, rcpt, dsn);
	programs_add(r, rcpt, dsn);
	if (buf_ok(&r->status) && buf_ok(&r->people))
		return true;
	return err_set(e, ERR_LIMIT, "a report on so many recipients is too long");
}

/* RFC 6522 3: the report-type is the subtype of the part for programs. */
static const char *report_type(const struct report *r) { return programs_global(r) ? "global-delivery-status" : "delivery-status"; }

static void put_header(const struct report *r, const struct original *o, uint64_t now_secs, struct buf *out)
{
	char text[MADDR_TEXT_MAX + 1], date[DATE_TEXT_MAX];
	buf_putf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\nTo: <%s>\nSubject: ", r->hostname, maddr_text(&r->to, text));
	hdr_encode_word(sv_of(r->language->subject[r->req.kind]), out);
	buf_putf(out, "\nDate: %s\nMessage-ID: <%s@%s>\n", date_text(now_secs, date), r->message_id, r->hostname);
	if (*o->message_id)
		buf_putf(out, "In-Reply-To: %s\nReferences: %s\n", o->message_id, o->message_id);
	/* RFC 3834 5: so that no vacation program answers */
	buf_puts(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n");
	buf_putf(out, "Content-Type: multipart/report; report-type=%s;\n\tboundary=\"%s\"\n", report_type(r), r->boundary);
	if (report_eight_bit(r, o))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
	buf_puts(out, "\nThis is a delivery report in MIME format.\n");
}

static void put_part(const struct report *r, const char *description, const char *type, bool eight_bit, struct buf *out)
{
	buf_putf(out, "\n--%s\nContent-Description: %s\nContent-Type: %s\n", r->boundary, description, type);
	if (eight_bit)
		buf_puts(out, "Content-Transfer-Encoding: 8bit\n");
}

static void put_people(const struct report *r, const struct original *o, struct buf *out)
{
	struct buf text = BUF_INIT(2 * PEOPLE_MAX);
	people_put(r, o, &text);
	put_part(r, "What happened", "text/plain; charset=utf-8", !sv_is_ascii(buf_sv(&text)), out);
	buf_putf(out, "Content-Language: %s\n\n", r->language->tag);
	buf_putsv(out, buf_sv(&text));
	buf_free(&text);
}

void report_head(const struct report *r, const struct original *o, uint64_t now_secs, struct buf *out)
{
	char type[64];
	put_header(r, o, now_secs, out);
	put_people(r, o, out);
	snprintf(type, sizeof type, "message/%s", report_type(r));
	put_part(r, "The same for programs", type, programs_global(r), out);
	buf_putc(out, '\n');
	programs_put(r, out);
	/* RFC 6522 1, RFC 6533 6: the global forms for headers in UTF-8 */
	put_part(r, o->whole ? "The message" : "Header of the message",
		o->whole ? (o->utf8_header ? "message/global" : "message/rfc822")
			 : (o->utf8_header ? "message/global-headers" : "text/rfc822-headers"),
		o->eight_bit, out);
	buf_putc(out, '\n');
}

void report_tail(const struct report *r, struct buf *out) { buf_putf(out, "\n--%s--\n", r->boundary); }

/* The words of a language may be, and of the text for people only the recipients are written yet. */
bool report_eight_bit(const struct report *r, const struct original *o)
{
	return o->eight_bit || r->to.utf8 || r->language != &language_en || !sv_is_ascii(buf_sv(&r->people)) || programs_global(r);
}

bool report_smtputf8(const struct report *r) { return r->to.utf8 || programs_global(r); }
