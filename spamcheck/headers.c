#include "headers.h"

#include "mail/date.h"
#include "mail/hdr.h"

#define DAY_SECS 86400u
#define DATE_PAST_SECS (7 * DAY_SECS) /* longer than any sane queue keeps a message */
#define DATE_FUTURE_SECS DAY_SECS     /* a wrong zone is not yet a forged date */
#define VALUE_MAX 8192                /* of a field that is taken apart here */

static const struct {
	struct sv name;
	bool unique; /* RFC 5322 3.6, RFC 2045 3 */
} known[HEADER_KNOWN] = {
	[HEADER_FROM] = { { "From", 4 }, false }, /* has a rule of its own */
	[HEADER_SENDER] = { { "Sender", 6 }, true },
	[HEADER_REPLY_TO] = { { "Reply-To", 8 }, true },
	[HEADER_TO] = { { "To", 2 }, true },
	[HEADER_CC] = { { "Cc", 2 }, true },
	[HEADER_BCC] = { { "Bcc", 3 }, true },
	[HEADER_MESSAGE_ID] = { { "Message-ID", 10 }, true },
	[HEADER_IN_REPLY_TO] = { { "In-Reply-To", 11 }, true },
	[HEADER_REFERENCES] = { { "References", 10 }, true },
	[HEADER_SUBJECT] = { { "Subject", 7 }, true },
	[HEADER_DATE] = { { "Date", 4 }, true },
	[HEADER_MIME_VERSION] = { { "MIME-Version", 12 }, true },
	[HEADER_CONTENT_TYPE] = { { "Content-Type", 12 }, true },
	[HEADER_CONTENT_ENCODING] = { { "Content-Transfer-Encoding", 25 }, true },
	[HEADER_CONTENT_DISPOSITION] = { { "Content-Disposition", 19 }, true },
	[HEADER_X_MAILER] = { { "X-Mailer", 8 }, false },
	[HEADER_USER_AGENT] = { { "User-Agent", 10 }, false },
	[HEADER_LIST_ID] = { { "List-Id", 7 }, false },
};

static void note_field(const struct hdr_field *field, struct headers *h)
{
	for (unsigned i = 0; i < HEADER_KNOWN; i++) {
		if (!sv_ieq(field->name, known[i].name))
			continue;
		if (h->count[i]++ == 0)
			h->value[i] = field->value;
		return;
	}
}

static void check_lines(struct sv whole, struct findings *f)
{
	struct sv line;
	while (sv_cut(&whole, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > HEADER_LINE_MAX)
			findings_add(f, RULE_HEADER_LONG_LINE);
	}
}

static void check_bytes(struct sv whole, bool smtputf8, struct findings *f)
{
	for (size_t i = 0; i < whole.n; i++) {
		unsigned char c = (unsigned char)whole.p[i];
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
			findings_add(f, RULE_HEADER_CONTROL);
			break;
		}
	}
	if (sv_is_ascii(whole))
		return;
	if (!smtputf8)
		findings_add(f, RULE_HEADER_8BIT);
	else if (!sv_is_utf8(whole))
		findings_add(f, RULE_HEADER_BAD_UTF8); /* RFC 6532 3.1 */
}

void headers_read(struct sv msg, bool smtputf8, struct headers *ret, struct findings *f)
{
	struct hdr_field field;
	size_t at = 0, fields = 0;
	bool broken = false;
	memset(ret, 0, sizeof(*ret));
	while (hdr_next(msg, &at, &field, &broken)) {
		if (++fields > HEADERS_MAX) {
			findings_add(f, RULE_TOO_MANY_HEADERS);
			at = hdr_body(msg);
			break;
		}
		note_field(&field, ret);
	}
	ret->body = at;
	struct sv head = sv_sub(msg, 0, at);
	check_lines(head, f);
	check_bytes(head, smtputf8, f);
	if (broken)
		findings_add(f, RULE_BROKEN_HEADER);
}

static void count_address(struct sv addr_spec, void *arg)
{
	(void)addr_spec;
	++*(unsigned *)arg;
}

static void check_from(const struct headers *h, struct findings *f)
{
	unsigned addresses = 0;
	if (h->count[HEADER_FROM] == 0) {
		findings_add(f, RULE_MISSING_FROM);
		return;
	}
	if (h->count[HEADER_FROM] > 1)
		findings_add(f, RULE_MULTIPLE_FROM);
	if (!hdr_addresses(h->value[HEADER_FROM], count_address, &addresses) || addresses == 0)
		findings_add(f, RULE_INVALID_FROM);
}

static void check_date(const struct headers *h, uint64_t now_secs, struct findings *f)
{
	uint64_t date = 0;
	struct buf text = BUF_INIT(VALUE_MAX);
	if (h->count[HEADER_DATE] == 0) {
		findings_add(f, RULE_MISSING_DATE);
		return;
	}
	hdr_unfold(h->value[HEADER_DATE], &text);
	if (!buf_ok(&text) || !date_parse(buf_sv(&text), &date))
		findings_add(f, RULE_INVALID_DATE);
	else if (date + DATE_PAST_SECS < now_secs)
		findings_add(f, RULE_DATE_IN_PAST);
	else if (date > now_secs + DATE_FUTURE_SECS)
		findings_add(f, RULE_DATE_IN_FUTURE);
	buf_free(&text);
}

/* RFC 5322 3.6.4, read mildly: one pair of brackets, something on both sides of an @, no blanks. */
static bool message_id_ok(struct sv value)
{
	struct sv id = sv_trim(value);
	if (id.n < 5 || id.p[0] != '<' || id.p[id.n - 1] != '>')
		return false;
	id = sv_sub(id, 1, id.n - 2);
	ptrdiff_t at = sv_rchr(id, '@');
	if (at <= 0 || (size_t)at + 1 == id.n)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (strchr(" \t\r\n<>", id.p[i])) /* a NUL is found too */
			return false;
	return true;
}

void headers_check(const struct headers *h, uint64_t now_secs, struct findings *f)
{
	check_from(h, f);
	check_date(h, now_secs, f);
	if (h->count[HEADER_MESSAGE_ID] == 0)
		findings_add(f, RULE_MISSING_MESSAGE_ID);
	else if (!message_id_ok(h->value[HEADER_MESSAGE_ID]))
		findings_add(f, RULE_INVALID_MESSAGE_ID);
	if (h->count[HEADER_TO] + h->count[HEADER_CC] + h->count[HEADER_BCC] == 0)
		findings_add(f, RULE_MISSING_TO);
	if (h->count[HEADER_SUBJECT] == 0)
		findings_add(f, RULE_MISSING_SUBJECT);
	for (unsigned i = 0; i < HEADER_KNOWN; i++)
		if (known[i].unique && h->count[i] > 1)
			findings_add(f, RULE_DUPLICATE_HEADER);
}
