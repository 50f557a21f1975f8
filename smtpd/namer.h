/* namer - the client's name by reverse DNS: asked for when it connects, read when it is first wanted, so that nobody waits for a
 * greeting because of it. */
#ifndef SMTPD_NAMER_H
#define SMTPD_NAMER_H

#include "link.h"
#include "net/addr.h"

struct namer {
	struct link link; /* of its own: answers to other questions do not stand in line behind a slow name server */
	uint64_t wait_ms; /* since the connection; 0: names are not looked up */
	uint64_t until_ms;
	bool waiting; /* an answer is to come */
	bool failed;
	char name[256];
	uint64_t keep_ms;            /* for a client that comes again at once */
	char address[ADDR_TEXT_MAX]; /* whose name that is, "": nobody's */
	uint64_t known_ms;           /* since when */
};

void namer_start(struct namer *n, const struct addr *client);
/* "": it has none that can be believed. NULL: no answer came in time, or DNS had none. */
const char *namer_name(struct namer *n);

#endif
