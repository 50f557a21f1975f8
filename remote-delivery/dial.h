/* dial - connects to the first address that answers: a dead address delays the next by DIAL_STEP_MS only (RFC 8305 5). */
#ifndef REMOTE_DIAL_H
#define REMOTE_DIAL_H

#include "base/err.h"
#include "config/cfg.h"
#include "net/addr.h"

#define DIAL_STEP_MS 250

/* Tries addr[0..n) in order, overlapping. `source`: local addresses to bind to, by family (may be NULL). `wake`: readable ends it
 * (ERR_TEMP, EINTR); -1 none. *ret_fd is connected and non-blocking. ERR_TEMP: the text names the last address that failed. */
bool dial(const struct addr *addr, size_t n, const struct cfg_list *source, uint64_t timeout_ms, int wake, int *ret_fd,
	struct addr *ret_addr, struct err *e) MUST_CHECK;

#endif
