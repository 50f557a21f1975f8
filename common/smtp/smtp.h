/* smtp - syntax of SMTP for server and client alike: command lines, parameters, replies, the dot. No I/O, no policy. */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "base/buf.h"
#include "base/err.h"

/* A command line without its line end, cut into verb and argument (trimmed at the end). RFC 5321 4.1.1. */
void smtp_split(struct sv line, struct sv *ret_verb, struct sv *ret_arg);
/* The next `KEYWORD[=value]` (RFC 5321 4.1.2 esmtp-param) off *rest; value.p is NULL without `=`. false: none left; *ret_bad true:
 * not of that form. */
bool smtp_param(struct sv *rest, struct sv *ret_key, struct sv *ret_value, bool *ret_bad);

/* A reply: "250 2.1.0 text" lines. `text` may hold \n: several lines, each with code and dsn (RFC 2034 4). Bytes outside
 * SP..~ and UTF-8 become '?', long lines are split at 512: a reply can never be broken by what is in it. */
void smtp_reply(struct buf *out, int code, const char *dsn, const char *text);
void smtp_replyf(struct buf *out, int code, const char *dsn, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Parses one reply line of a server: code, more to come, text after it. Anything else: false. */
bool smtp_reply_line(struct sv line, int *ret_code, bool *ret_more, struct sv *ret_text) MUST_CHECK;
bool smtp_dsn(struct sv text, char dst[12]); /* an enhanced code at its beginning ("5.1.1"), copied */

/* A message, receiving: takes raw bytes as they come, gives the message with LF line ends. A lone CR or LF never ends a line of the
 * protocol; each is counted and passed on as it is (a lone LF stays LF: what to do is policy). NUL bytes are counted. Any cutting
 * gives the same result.
 *   SMTP_DATA    dots removed. Strict: only CRLF "." CRLF ends it.
 *   SMTP_CHUNKS  of BDAT (RFC 3030): no dots; smtp_dot_end() says where it ends.
 *   SMTP_BINARY  the same with BODY=BINARYMIME: up to and with the first empty line as above, from there on kept byte by byte and
 *                nothing in it counted but 8-bit bytes. So header lines are as everywhere, and the way back is exact. */
enum smtp_form { SMTP_DATA, SMTP_CHUNKS, SMTP_BINARY };
struct smtp_dot {
	enum smtp_form form;
	unsigned state;
	bool done;
	uint64_t bare_cr, bare_lf, nul, eight_bit;
	uint64_t crlf; /* line ends so far, each of which became one byte: RFC 1870 counts two */
};
void smtp_dot_init(struct smtp_dot *d, enum smtp_form form);
/* Consumes from `in` until it is used up, the end was seen (d->done), or `out_max` bytes were produced; returns how many bytes of
 * `in` it used and the number written to out (out may not overlap in). */
size_t smtp_dot_read(struct smtp_dot *d, struct sv in, char *out, size_t out_max, size_t *ret_out);
void smtp_dot_end(struct smtp_dot *d); /* after the last chunk: d->done; a CR at the very end was alone */
/* Sending: LF becomes CRLF, dots are doubled; smtp_dot_end() appends what ends the message (CRLF first when the last line has
 * none). */
struct smtp_stuff {
	bool mid_line, last_cr;
};
void smtp_stuff(struct smtp_stuff *s, struct sv in, struct buf *out);
void smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
