/* body - a message while it comes in: dots or chunks removed, measured, kept in memory until it is too long for that. No I/O. */
#ifndef SMTPD_BODY_H
#define SMTPD_BODY_H

#include "base/buf.h"
#include "smtp/smtp.h"

#define BODY_MEMORY_MAX (1024 * 1024 - 1) /* longer ones go into the lent file as they come (DESIGN D7); - 1: body_put_front() */
#define BODY_PIECE (256 * 1024)           /* written at once when streaming */

struct body {
	struct smtp_dot dot;
	struct buf mem; /* not yet written; all of the message when it is not streamed */
	uint64_t len;   /* of the message with LF line ends, what was written included */
	uint32_t crc;   /* of what was written */
	uint64_t written;
	bool streamed, dropping;
};

void body_init(struct body *b);
void body_start(struct body *b, enum smtp_form form); /* a new message; memory of an unusually long one is given back */
void body_free(struct body *b);
/* Decodes input until it is used up, the end was seen (b->dot.done) or there is a piece to write (body_full); returns bytes used.
 */
size_t body_feed(struct body *b, struct sv in);
void body_end(struct body *b); /* it came in chunks, and the last one was there: b->dot.done */
bool body_full(const struct body *b);
void body_wrote(struct body *b);             /* mem is in the file: sums it up and empties it */
void body_drop(struct body *b);              /* the message will be refused: keep nothing from here on */
void body_put_front(struct body *b, char c); /* while all of it is in memory */
uint64_t body_wire(const struct body *b);    /* its size by RFC 1870: with CRLF, without the doubled dots */
uint32_t body_crc(const struct body *b);

#endif
