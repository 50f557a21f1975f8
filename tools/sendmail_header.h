/* sendmail_header - the header of a submitted message: recipients out of it, what is missing into it. No I/O. */
#ifndef SENDMAIL_HEADER_H
#define SENDMAIL_HEADER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "mail/maddr.h"

#define RECIPIENTS_MAX 50000 /* the largest recipients_max */

/* A set of addresses in the order of their coming. */
struct recipients {
	struct vec list; /* of char[MADDR_TEXT_MAX + 1] */
	struct hmap *seen;
};
void recipients_init(struct recipients *r);
void recipients_free(struct recipients *r);
const char *recipients_at(const struct recipients *r, size_t i);
/* Adds all addresses in an address list, header syntax: "a@b.example, Name <c@d.example>, group: e;". */
bool recipients_add(struct recipients *r, struct sv list, struct err *e) MUST_CHECK;

struct header_wants {
	bool recipients;        /* -t: collect them */
	const char *from;       /* for a missing From: an address */
	const char *full_name;  /* "" for none */
	const char *message_id; /* for a missing Message-ID: with its brackets */
	uint64_t now;           /* Unix time, for a missing Date */
};
#define HEADER_MAX (1024 * 1024)
/* msg: the message, or at least its whole header (LF line ends). ret_head: the new header with its empty line; *ret_body: where the
 * body begins in msg. Bcc, Resent-Bcc and Return-Path are removed, as is a first line `From ...` (mbox). Resent-* recipients
 * replace the others when there are any (RFC 5322 3.6.6). */
bool header_rewrite(struct sv msg, const struct header_wants *w, struct recipients *r, struct buf *ret_head, size_t *ret_body,
	struct err *e) MUST_CHECK;
/* A display name as it may stand in front of an address (RFC 5322 3.2.5, RFC 2047). */
void header_phrase(const char *name, struct buf *out);

#endif
