/* The table of rules. Points of form are low on purpose: honest programs send ill-formed mail too, and the classifier learns
 * which forms go with spam on this site. */
#include "rules.h"

#define CONTENT RULE_KIND_CONTENT
#define FORM RULE_KIND_FORM
#define ARRIVAL RULE_KIND_ARRIVAL

const struct rule spam_rules[RULE_COUNT] = {
	[RULE_GTUBE] = { "GTUBE", 100000, CONTENT, "The body holds the generic test for unsolicited bulk email." },
	[RULE_BAYES_00] = { "BAYES_00", -200, CONTENT, "The classifier sees ham: below 1% spam." },
	[RULE_BAYES_05] = { "BAYES_05", -100, CONTENT, "The classifier sees 1 to 5% spam." },
	[RULE_BAYES_20] = { "BAYES_20", -50, CONTENT, "The classifier sees 5 to 20% spam." },
	[RULE_BAYES_40] = { "BAYES_40", 0, CONTENT, "The classifier sees 20 to 40% spam." },
	[RULE_BAYES_50] = { "BAYES_50", 0, CONTENT, "The classifier cannot tell: 40 to 60%." },
	[RULE_BAYES_60] = { "BAYES_60", 100, CONTENT, "The classifier sees 60 to 80% spam." },
	[RULE_BAYES_80] = { "BAYES_80", 200, CONTENT, "The classifier sees 80 to 95% spam." },
	[RULE_BAYES_95] = { "BAYES_95", 400, CONTENT, "The classifier sees 95 to 99% spam." },
	[RULE_BAYES_99] = { "BAYES_99", 600, CONTENT, "The classifier sees spam: above 99%." },
	[RULE_MISSING_FROM] = { "MISSING_FROM", 150, FORM, "No From field (RFC 5322 3.6 asks for one)." },
	[RULE_MULTIPLE_FROM] = { "MULTIPLE_FROM", 150, FORM, "More than one From field: readers differ in which they show." },
	[RULE_INVALID_FROM] = { "INVALID_FROM", 100, FORM, "The From field holds no address." },
	[RULE_MISSING_DATE] = { "MISSING_DATE", 50, ARRIVAL, "No Date field (RFC 5322 3.6 asks for one)." },
	[RULE_INVALID_DATE] = { "INVALID_DATE", 80, FORM, "The Date field is no date." },
	[RULE_DATE_IN_PAST] = { "DATE_IN_PAST", 30, FORM, "Dated more than a week before it came." },
	[RULE_DATE_IN_FUTURE] = { "DATE_IN_FUTURE", 150, FORM, "Dated more than a day after it came." },
	[RULE_MISSING_MESSAGE_ID] = { "MISSING_MESSAGE_ID", 50, ARRIVAL, "No Message-ID field." },
	[RULE_INVALID_MESSAGE_ID] = { "INVALID_MESSAGE_ID", 50, FORM, "The Message-ID is not of the form <left@right>." },
	[RULE_MISSING_TO] = { "MISSING_TO", 20, ARRIVAL, "None of To, Cc and Bcc." },
	[RULE_MISSING_SUBJECT] = { "MISSING_SUBJECT", 20, FORM, "No Subject field." },
	[RULE_DUPLICATE_HEADER] = { "DUPLICATE_HEADER", 100, FORM,
		"A field that may stand once only stands there again (RFC 5322 3.6)." },
	[RULE_HEADER_8BIT] = { "HEADER_8BIT", 80, FORM, "Raw 8-bit bytes in the header of a message sent without SMTPUTF8." },
	[RULE_HEADER_BAD_UTF8] = { "HEADER_BAD_UTF8", 80, FORM, "Sent with SMTPUTF8, but the header is not UTF-8 (RFC 6532)." },
	[RULE_HEADER_CONTROL] = { "HEADER_CONTROL", 100, FORM, "Control characters in the header." },
	[RULE_HEADER_LONG_LINE] = { "HEADER_LONG_LINE", 50, FORM, "A header line of more than 998 bytes (RFC 5322 2.1.1)." },
	[RULE_BROKEN_HEADER] = { "BROKEN_HEADER", 150, FORM, "A line in the header that is neither a field nor its continuation." },
	[RULE_TOO_MANY_HEADERS] = { "TOO_MANY_HEADERS", 100, FORM, "More than 1,000 header fields; the rest was not looked at." },
	[RULE_NUL_BYTE] = { "NUL_BYTE", 200, FORM, "A NUL byte in the message (RFC 5322 forbids it)." },
	[RULE_MIME_BAD_VERSION] = { "MIME_BAD_VERSION", 50, FORM, "MIME-Version is not 1.0 (RFC 2045 4)." },
	[RULE_MIME_NO_VERSION] = { "MIME_NO_VERSION", 30, FORM, "Has parts or an encoding, but no MIME-Version." },
	[RULE_MIME_BAD_TYPE] = { "MIME_BAD_TYPE", 80, FORM, "A Content-Type that is not of the form type/subtype." },
	[RULE_MIME_BAD_BOUNDARY] = { "MIME_BAD_BOUNDARY", 150, FORM, "A multipart without a usable boundary (RFC 2046 5.1.1)." },
	[RULE_MIME_NO_PARTS] = { "MIME_NO_PARTS", 100, FORM, "A multipart whose boundary never comes." },
	[RULE_MIME_UNCLOSED] = { "MIME_UNCLOSED", 50, FORM, "A multipart without its final boundary." },
	[RULE_MIME_TOO_DEEP] = { "MIME_TOO_DEEP", 300, FORM,
		"Parts within parts deeper than 50; the innermost was read as it stands." },
	[RULE_MIME_TOO_MANY_PARTS] = { "MIME_TOO_MANY_PARTS", 200, FORM, "More than 1,000 parts; the rest was not decoded." },
	[RULE_MIME_BAD_ENCODING] = { "MIME_BAD_ENCODING", 100, FORM, "A Content-Transfer-Encoding that nobody knows." },
	[RULE_MIME_ENCODED_PARTS] = { "MIME_ENCODED_PARTS", 100, FORM,
		"A multipart or message that is itself base64 or the like (RFC 2045 6.4)." },
	[RULE_MIME_UNKNOWN_CHARSET] = { "MIME_UNKNOWN_CHARSET", 20, FORM, "Text in a character set that is not known here." },
	[RULE_MIME_8BIT_AS_7BIT] = { "MIME_8BIT_AS_7BIT", 30, FORM, "8-bit text that is declared, or by default, 7bit." },
	[RULE_HTML_ONLY] = { "HTML_ONLY", 20, FORM, "HTML text without a plain form of it." },
	[RULE_PROGRAM_ATTACHED] = { "PROGRAM_ATTACHED", 250, FORM,
		"An attachment that runs when it is opened (.exe, .scr, .js ...)." },
	[RULE_SCAN_LIMIT] = { "SCAN_LIMIT", 0, FORM, "Longer than what is looked at; says nothing against it." },
};

_Static_assert(RULE_COUNT <= 64, "struct findings has a bit for each rule");

void findings_add(struct findings *f, enum rule_id id) { f->hit |= (uint64_t)1 << id; }

bool findings_has(const struct findings *f, enum rule_id id) { return (f->hit >> id) & 1; }

void findings_forgive_submitted(struct findings *f)
{
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (spam_rules[i].kind == RULE_KIND_ARRIVAL)
			f->hit &= ~((uint64_t)1 << i);
}

static int form_points(const struct findings *f)
{
	int sum = 0;
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (findings_has(f, i) && spam_rules[i].kind != RULE_KIND_CONTENT)
			sum += spam_rules[i].points;
	return sum;
}

int findings_score(const struct findings *f)
{
	int sum = MIN(form_points(f), FORM_POINTS_MAX);
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (findings_has(f, i) && spam_rules[i].kind == RULE_KIND_CONTENT)
			sum += spam_rules[i].points;
	return sum;
}

static void put_one(const char *name, int points, char sep, size_t start, struct buf *out)
{
	char text[SCORE_TEXT_MAX];
	if (out->len > start)
		buf_putc(out, sep);
	buf_puts(out, name);
	buf_putc(out, '=');
	buf_puts(out, score_text(points, text));
}

void findings_text(const struct findings *f, char sep, struct buf *out)
{
	size_t start = out->len;
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (findings_has(f, i))
			put_one(spam_rules[i].name, spam_rules[i].points, sep, start, out);
	int over = form_points(f) - FORM_POINTS_MAX;
	if (over > 0)
		put_one("FORM_LIMIT", -over, sep, start, out);
}

const char *score_text(int hundredths, char dst[SCORE_TEXT_MAX])
{
	unsigned n = hundredths < 0 ? 0u - (unsigned)hundredths : (unsigned)hundredths;
	const char *sign = hundredths < 0 ? "-" : "";
	if (n % 100 == 0)
		snprintf(dst, SCORE_TEXT_MAX, "%s%u", sign, n / 100);
	else if (n % 10 == 0)
		snprintf(dst, SCORE_TEXT_MAX, "%s%u.%u", sign, n / 100, n % 100 / 10);
	else
		snprintf(dst, SCORE_TEXT_MAX, "%s%u.%02u", sign, n / 100, n % 100);
	return dst;
}
