/* rules - what can be found in a message, and what each finding weighs.
 *
 * The table is the whole policy: a check only says `findings_add(f, RULE_X)`. Points are hundredths, as in the configuration.
 * Findings about form alone add up to FORM_POINTS_MAX at most, so that with the default scores no message is refused for its
 * form; what that takes off is named FORM_LIMIT. */
#ifndef SPAMCHECK_RULES_H
#define SPAMCHECK_RULES_H

#include "base/buf.h"

#define FORM_POINTS_MAX 900    /* form alone stays below the default spam_reject_score, 15 */
#define FINDINGS_TEXT_MAX 2000 /* every rule at once fits */

enum rule_id {
	RULE_GTUBE,
	RULE_BAYES_00,
	RULE_BAYES_05,
	RULE_BAYES_20,
	RULE_BAYES_40,
	RULE_BAYES_50,
	RULE_BAYES_60,
	RULE_BAYES_80,
	RULE_BAYES_95,
	RULE_BAYES_99,
	RULE_MISSING_FROM,
	RULE_MULTIPLE_FROM,
	RULE_INVALID_FROM,
	RULE_MISSING_DATE,
	RULE_INVALID_DATE,
	RULE_DATE_IN_PAST,
	RULE_DATE_IN_FUTURE,
	RULE_MISSING_MESSAGE_ID,
	RULE_INVALID_MESSAGE_ID,
	RULE_MISSING_TO,
	RULE_MISSING_SUBJECT,
	RULE_DUPLICATE_HEADER,
	RULE_HEADER_8BIT,
	RULE_HEADER_BAD_UTF8,
	RULE_HEADER_CONTROL,
	RULE_HEADER_LONG_LINE,
	RULE_BROKEN_HEADER,
	RULE_TOO_MANY_HEADERS,
	RULE_NUL_BYTE,
	RULE_MIME_BAD_VERSION,
	RULE_MIME_NO_VERSION,
	RULE_MIME_BAD_TYPE,
	RULE_MIME_BAD_BOUNDARY,
	RULE_MIME_NO_PARTS,
	RULE_MIME_UNCLOSED,
	RULE_MIME_TOO_DEEP,
	RULE_MIME_TOO_MANY_PARTS,
	RULE_MIME_BAD_ENCODING,
	RULE_MIME_ENCODED_PARTS,
	RULE_MIME_UNKNOWN_CHARSET,
	RULE_MIME_8BIT_AS_7BIT,
	RULE_HTML_ONLY,
	RULE_PROGRAM_ATTACHED,
	RULE_SCAN_LIMIT,
	RULE_COUNT
};

enum rule_kind {
	RULE_KIND_CONTENT, /* what the message says: counts in full */
	RULE_KIND_FORM,    /* how it is built: counts up to FORM_POINTS_MAX */
	RULE_KIND_ARRIVAL, /* form too, but a submitted message may lack it: not held against our own users (RFC 6409 8) */
};

struct rule {
	const char *name;
	int points;
	enum rule_kind kind;
	const char *help; /* one line, as in postern-spamcheck(8) */
};
extern const struct rule spam_rules[RULE_COUNT];

struct findings {
	uint64_t hit; /* a bit for each rule */
};

void findings_add(struct findings *f, enum rule_id id);
bool findings_has(const struct findings *f, enum rule_id id);
void findings_forgive_submitted(struct findings *f); /* the sender is one of us: drops RULE_KIND_ARRIVAL */
int findings_score(const struct findings *f);        /* hundredths */
/* "NAME=0.5,OTHER=2" in the order of the table; sep between them; nothing when there is no finding. */
void findings_text(const struct findings *f, char sep, struct buf *out);

#define SCORE_TEXT_MAX 24
const char *score_text(int hundredths, char dst[SCORE_TEXT_MAX]); /* "-1.5", "0.25", "1000". Returns dst */

#endif
