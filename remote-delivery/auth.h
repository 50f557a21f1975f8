/* auth - authenticates to a smarthost (RFC 4954): SCRAM-SHA-256, PLAIN or LOGIN. */
#ifndef REMOTE_AUTH_H
#define REMOTE_AUTH_H

#include "peer.h"

/* As the route's user, if it has one. Never in the clear but over the loopback. ERR_TEMP: the admin has to mend it. */
bool authenticate(struct peer *p, const struct peer_options *o, struct err *e) MUST_CHECK;

#endif
