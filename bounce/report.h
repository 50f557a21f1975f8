/* report - composing a delivery report (RFC 3464 in an RFC 6522 multipart/report): pure, LF line ends, no descriptors but the
 * original.
 *
 * original_look(); report_init(); report_add() for each recipient; report_head(); then the original's bytes; then report_tail(). */
#ifndef BOUNCE_REPORT_H
#define BOUNCE_REPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/msg_queue.h"
#include "language.h"
#include "mail/maddr.h"

#define BOUNDARY_LEN 34 /* "=_" and 32 hexadecimal digits */

struct report {
	struct bounce_req req; /* its descriptor stays the caller's */
	const char *hostname;
	const struct language *language;
	struct maddr to;   /* who gets it */
	bool utf8;         /* who reads UTF-8 in header fields: programs get it too (RFC 6533) */
	struct buf people; /* the recipients, for people (the first ones) */
	struct buf status; /* the recipients, for programs (all) */
	size_t recipients;
	char boundary[BOUNDARY_LEN + 1];
	char message_id[64]; /* left part of the report's own */
};

/* What of the original message is returned. */
struct original {
	int file;           /* pread only; the caller's */
	uint64_t from, len; /* the part that is returned */
	bool whole;         /* else its header */
	bool eight_bit;
	bool utf8_header;
	char message_id[300];            /* with <>; "" when it has none that can be quoted */
	const struct language *language; /* its sender's; NULL: not known */
};

/* language NULL is English. ERR_PERM: the address that should get the report is none. */
bool report_init(struct report *r, const struct bounce_req *req, const char *hostname, const struct language *language,
	struct err *e) MUST_CHECK;
bool report_add(struct report *r, const struct bounce_rcpt *rcpt, struct err *e) MUST_CHECK; /* ERR_LIMIT: too many */
void report_free(struct report *r);
/* The length up to which a message goes back whole: what its sender asked for (RFC 3461 4.3), or full_max. Only failures return
 * text (RFC 3461 6.2); a report must not pass message_max itself. */
uint64_t original_max(const struct bounce_req *req, uint64_t full_max, uint64_t message_max);
bool original_look(int file, uint64_t offset, uint64_t size, uint64_t full_max, struct original *ret, struct err *e) MUST_CHECK;
/* Copies up to `max` bytes at *at of the returned part to dst, made fit for SMTP: a lone CR is a blank, NUL a question mark. */
bool original_read(const struct original *o, uint64_t *at, char *dst, size_t max, size_t *ret_n, struct err *e) MUST_CHECK;
void report_head(const struct report *r, const struct original *o, uint64_t now_secs, struct buf *out);
void report_tail(const struct report *r, struct buf *out);
bool report_eight_bit(const struct report *r, const struct original *o);
bool report_smtputf8(const struct report *r); /* it is to be sent so */
#define REPORT_HEAD_MAX (40u << 20)

/* people.c: the text for people. dsn is a good status code. */
void people_add(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn);
void people_put(const struct report *r, const struct original *o, struct buf *out);
/* programs.c: the fields for programs (RFC 3464 2.2, 2.3). */
void programs_add(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn);
void programs_put(const struct report *r, struct buf *out);
bool programs_global(const struct report *r); /* it holds UTF-8: message/global-delivery-status */
/* Foreign text within a line of ours: nothing in it ends the line. ascii: what is not becomes '?'. */
void report_put_clean(struct buf *out, const char *text, bool ascii);

#endif
