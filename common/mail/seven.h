/* seven - makes a message with 8-bit parts one of 7 bits, by quoted-printable (RFC 6152 3, RFC 2045 6.7). Pure, over a stream,
 * twice: once to look at all of it, once to write.
 *
 * Only parts that hold 8-bit bytes change; a message without MIME becomes text of charset unknown-8bit (RFC 1428). What a signature
 * covers is never changed: with 8-bit bytes there, as with such bytes in a part's header or in a part that calls itself base64, the
 * message cannot be converted. Lines end with LF or CRLF in the input, with LF in the output. */
#ifndef MAIL_SEVEN_H
#define MAIL_SEVEN_H

#include "base/buf.h"
#include "base/err.h"

struct seven;
struct seven *seven_new(void);
void seven_free(struct seven *s);
/* First all of the message through seven_scan(), in pieces of any size, and seven_scanned(): ERR_PERM when it cannot be done. */
void seven_scan(struct seven *s, struct sv piece);
bool seven_scanned(struct seven *s, struct err *e) MUST_CHECK;
/* Then the same bytes again; *out gets what is to be sent: for a piece at most SEVEN_OUT_MAX(its size), with what was kept before.
 */
#define SEVEN_LINE_MAX (1024u * 1024) /* longer lines cannot be converted */
#define SEVEN_OUT_MAX(n) (4 * ((n) + SEVEN_LINE_MAX))
void seven_write(struct seven *s, struct sv piece, struct buf *out);
void seven_written(struct seven *s, struct buf *out); /* the end; after it the same may be written once more */

#endif
