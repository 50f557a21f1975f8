/* xtext - RFC 3461 section 4: printable form of parameter values and of odd bytes in queue files. */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buf.h"

void xtext_encode(struct sv in, struct buf *out);
bool xtext_decode(struct sv in, struct buf *out) MUST_CHECK; /* false: not xtext, or decodes to a control byte */

#endif
