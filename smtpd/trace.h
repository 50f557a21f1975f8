/* trace - the header lines that we put on top of a message: what a Received line says, what a local submission lacks. No I/O. */
#ifndef SMTPD_TRACE_H
#define SMTPD_TRACE_H

#include "session.h"

#define TRACE_PROTOCOL_MAX 16
/* How the message came: RFC 3848, RFC 6531 4.3. */
const char *trace_protocol(const struct session *s, char dst[TRACE_PROTOCOL_MAX]);
/* What stands between "Received: " and " id ": RFC 5321 4.4. */
void trace_received(const struct session *s, struct buf *out);
/* Content of our X-Postern line, empty for none: only what a later delivery will use. */
void trace_postern(const struct session *s, struct buf *out);
/* Appends Date, From and Message-ID that a message of a local program lacks (RFC 6409 8). */
void trace_complete(const struct session *s, uint64_t unix_secs, struct buf *out);
bool trace_has_header(struct sv message);

#endif
