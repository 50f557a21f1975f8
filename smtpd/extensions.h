/* extensions - what EHLO offers: each extension only where it works in this session (by listener, TLS and account), and its
 * parameters are known only there. */
#ifndef SMTPD_EXTENSIONS_H
#define SMTPD_EXTENSIONS_H

#include "session.h"

enum extension {
	EXT_PIPELINING,
	EXT_SIZE,
	EXT_8BITMIME,
	EXT_CHUNKING,
	EXT_BINARYMIME,
	EXT_ENHANCEDSTATUSCODES,
	EXT_SMTPUTF8,
	EXT_STARTTLS,
	EXT_AUTH,
	EXT_DSN,
	EXT_REQUIRETLS,
	EXT_FUTURERELEASE,
	EXT_MT_PRIORITY,
	EXT_DELIVERBY,
	EXT_LIMITS,
	EXT_XVERP,
	EXT_XCLIENT,
	EXT_XFORWARDED,
	EXT_HELP,
	EXT_COUNT,
};

bool extension_works(const struct session *s, enum extension x);
/* "\nKEYWORD arguments" for each. */
void extensions_put(const struct session *s, struct buf *out);

#endif
