/* secure - the handshake with the client in hand. */
#ifndef SMTPD_SECURE_H
#define SMTPD_SECURE_H

#include "worker.h"

bool secure_is_implicit(const struct session *s); /* TLS from the first byte (RFC 8314 3.3) */
/* Within tls_timeout; the session is told. false: the connection is of no more use, and why was logged. */
bool secure_start(const struct worker *w, struct session *s, struct conn *c);

#endif
