/* link - a connection to another service that is kept, and made anew when it broke. */
#ifndef SMTPD_LINK_H
#define SMTPD_LINK_H

#include "ipc/ipc.h"

struct link {
	bool (*connect)(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e);
	void *arg; /* the service's context; tests give a socket pair */
	const char *endpoint;
	int fd; /* -1: not connected */
};

bool link_open(struct link *l, uint64_t wait_ms, struct err *e) MUST_CHECK; /* harmless when open */
void link_drop(struct link *l);
/* Sends without waiting; what cannot be sent closes the link, so that the other side looks for itself (DESIGN 4). */
bool link_note(struct link *l, const struct ipc_desc *d, const void *msg, struct err *e) MUST_CHECK;

#endif
