/* base64 - RFC 4648 section 4, strict: one form for each value, so that what decodes encodes to the same text. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_put(struct buf *out, struct sv bytes);
/* Appends the bytes. false, and nothing appended: a byte outside the alphabet (blanks and line ends too), wrong padding, bits left
 * over, or no room in `out` (its `over` is set then). */
bool base64_decode(struct sv text, struct buf *out) MUST_CHECK;

void hex_put(struct buf *out, struct sv bytes);                     /* lower case */
bool hex_decode(struct sv text, void *dst, size_t size) MUST_CHECK; /* exactly 2 * size digits of either case */

#endif
