/* language - the words of a report for people. A language is one table; what is between braces is filled in:
 * {host} this system, {date} of the message, {until} when we give up, {n} a number, {where} another host, {to} an address. */
#ifndef BOUNCE_LANGUAGE_H
#define BOUNCE_LANGUAGE_H

#include "base/buf.h"
#include "ipc/msg_queue.h"

enum advice { /* what a layman may make of an enhanced status code: advice.c says of which */
	ADVICE_NO_MAILBOX,
	ADVICE_NO_DOMAIN,
	ADVICE_BAD_ADDRESS,
	ADVICE_MOVED,
	ADVICE_TAKES_NO_MAIL,
	ADVICE_ADDRESS,
	ADVICE_MAILBOX_OFF,
	ADVICE_MAILBOX_FULL,
	ADVICE_MAILBOX_LIMIT,
	ADVICE_MAILBOX,
	ADVICE_TOO_LARGE,
	ADVICE_SYSTEM,
	ADVICE_NO_ANSWER,
	ADVICE_NO_ROUTE,
	ADVICE_LOOP,
	ADVICE_TOO_LATE,
	ADVICE_NETWORK,
	ADVICE_PROTOCOL,
	ADVICE_UTF8,
	ADVICE_FORM,
	ADVICE_POLICY,
	ADVICE_NONE,
	ADVICE_COUNT
};

struct language {
	const char *tag; /* RFC 5646, the primary part */
	const char *subject[BOUNCE_KINDS];
	const char *hello;
	const char *intro[BOUNCE_KINDS]; /* the recipients follow */
	const char *end[BOUNCE_KINDS];
	const char *leads_to, *said, *no_reason;
	const char *delivered, *relayed, *expanded;
	const char *more; /* recipients that the text does not name */
	const char *whole, *header;
	const char *until_expiry; /* {until} when it is not known */
	const char *advice[ADVICE_COUNT];
};

extern const struct language language_en, language_de, language_fr;
/* By the first of the tags of an Accept-Language or Content-Language field (RFC 3282) that there is a table for; NULL: none. */
const struct language *language_of_field(struct sv value);
/* Of the parameter bounce_language, enum cfg_language; NULL for auto. */
const struct language *language_named(int language);
/* `words` with what is in braces replaced: "host=..." pairs, NULL-terminated. */
struct language_fill {
	const char *name, *value;
};
void language_fill(const char *words, const struct language_fill *fill, struct buf *out);
enum advice advice_for(const char *dsn);

#endif
