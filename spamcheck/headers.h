/* headers - one pass over the header of a message: which fields it has, and what is wrong with it. */
#ifndef SPAMCHECK_HEADERS_H
#define SPAMCHECK_HEADERS_H

#include "base/sv.h"
#include "rules.h"

#define HEADERS_MAX 1000    /* fields looked at: no honest message has a tenth of it */
#define HEADER_LINE_MAX 998 /* RFC 5322 2.1.1 */

enum header_id {
	HEADER_FROM,
	HEADER_SENDER,
	HEADER_REPLY_TO,
	HEADER_TO,
	HEADER_CC,
	HEADER_BCC,
	HEADER_MESSAGE_ID,
	HEADER_IN_REPLY_TO,
	HEADER_REFERENCES,
	HEADER_SUBJECT,
	HEADER_DATE,
	HEADER_MIME_VERSION,
	HEADER_CONTENT_TYPE,
	HEADER_CONTENT_ENCODING,
	HEADER_CONTENT_DISPOSITION,
	HEADER_X_MAILER,
	HEADER_USER_AGENT,
	HEADER_LIST_ID,
	HEADER_KNOWN
};

struct headers {
	struct sv value[HEADER_KNOWN]; /* of the first one, as it stands, folded; p NULL: not there */
	unsigned count[HEADER_KNOWN];
	size_t body; /* offset of the body */
};

/* Fills *ret, adds the findings about the header's lines. */
void headers_read(struct sv msg, bool smtputf8, struct headers *ret, struct findings *f);
/* Adds the findings about the fields (RFC 5322 3.6). `now_secs`: when it came. */
void headers_check(const struct headers *h, uint64_t now_secs, struct findings *f);

#endif
