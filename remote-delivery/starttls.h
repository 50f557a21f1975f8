/* starttls - puts TLS under a connection, as `secure` demands. */
#ifndef REMOTE_STARTTLS_H
#define REMOTE_STARTTLS_H

#include "peer.h"

/* After EHLO. True: the session goes on, under TLS if *ret_started (EHLO comes again then), else in the clear as it may. False: *e;
 * with p->tls_failed another connection without TLS may do. o->attempt is filled in. */
bool starttls(struct peer *p, const struct peer_options *o, bool *ret_started, struct err *e) MUST_CHECK;

#endif
