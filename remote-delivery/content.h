/* content - the message itself, from queue-mgr's descriptor by pread alone (its offset is shared). */
#ifndef REMOTE_CONTENT_H
#define REMOTE_CONTENT_H

#include "order.h"
#include "peer.h"

/* Reads it once: its size on the wire, and whether it holds bytes above 127. ERR_TEMP: it cannot be read. */
bool content_measure(struct order *o, struct err *e) MUST_CHECK;
/* For a host that takes 7 bits only: o->seven. ERR_PERM: it cannot be converted; ERR_TEMP: it cannot be read. */
bool content_convert(struct order *o, struct err *e) MUST_CHECK;
/* Behind a 354: dots doubled, line ends made CRLF, and the final dot; or, o->binary, the o->wire_size bytes of a BDAT. *ret_unread:
 * the file failed, not the peer. */
bool content_send(struct peer *p, const struct order *o, bool *ret_unread, struct err *e) MUST_CHECK;

#endif
