/* hdr - header fields of a message in memory (RFC 5322 2.2): finding, walking, composing. No descriptors. */
#ifndef MAIL_HDR_H
#define MAIL_HDR_H

#include "base/buf.h"
#include "base/err.h"

struct hdr_field {
	struct sv name;  /* without colon */
	struct sv value; /* raw, folded, without the final line end */
	struct sv whole; /* the lines, with their line ends */
};

/* Walks the fields from *at (0 at first); lines end with LF or CRLF. false at the end of the header (then *at is the offset of the
 * body, past the empty line, or msg.n). A line that is no field and no continuation ends the header there with *ret_broken true
 * (ret_broken may be NULL). */
bool hdr_next(struct sv msg, size_t *at, struct hdr_field *ret, bool *ret_broken);
size_t hdr_body(struct sv msg);                                        /* offset of the body */
bool hdr_find(struct sv msg, const char *name, struct hdr_field *ret); /* the first with that name */
unsigned hdr_count(struct sv msg, const char *name);
void hdr_unfold(struct sv value, struct buf *out); /* line ends removed, leading blank trimmed */
/* All addresses in an address-list value: groups, comments, quoted names, routes (RFC 5322 3.4). Calls on() with each addr-spec as
 * text; false when the syntax is beyond repair (what was found so far was reported). */
bool hdr_addresses(struct sv value, void (*on)(struct sv addr_spec, void *arg), void *arg) MUST_CHECK;
/* RFC 2047 encoded-words decoded to UTF-8 is spamcheck's work (GMime), not ours. */
/* As RFC 2047 B words of at most 75 bytes, folded with "\n "; plain printable ASCII passes unfolded. Whatever is no UTF-8 text
 * (control characters too) becomes '?': the result is always one field. */
void hdr_encode_word(struct sv utf8, struct buf *out);

/* Content-Type and the like (RFC 2045 5.1, RFC 2231): the value before the first ';' and one parameter. */
bool hdr_param(struct sv value, const char *name, struct buf *ret) MUST_CHECK;
struct sv hdr_token(struct sv value);

#endif
