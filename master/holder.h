/* holder - whose is a port that we cannot have? */
#ifndef MASTER_HOLDER_H
#define MASTER_HOLDER_H

#include "net/addr.h"

#define HOLDER_MAX 40

/* "exim4[812]" for the process that listens where `at` would; "" when there is none, or none that we may look at. Returns dst. */
const char *port_holder(const struct addr *at, char dst[HOLDER_MAX]);

#endif
