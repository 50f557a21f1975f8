/* retry - when a message is tried again, and how long at all. No I/O; time and randomness come in. */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include "config/cfg.h"

/* Pause after the n-th failed attempt (n >= 1): retry_min * 2^(n-1), at most retry_max, then 12% more or less by `random`. At
 * least 1. */
uint32_t retry_pause(const struct cfg_queue *cfg, uint32_t n, uint64_t random);
/* A time that was read from a name, as it counts now: at most the longest pause away, for the clock may have been wrong. */
uint32_t retry_due(const struct cfg_queue *cfg, uint32_t due, uint32_t now);
/* The time of the attempt after which it is returned. A bounce (null sender) has a lifetime of its own. */
uint64_t retry_expires(const struct cfg_queue *cfg, uint64_t arrived, bool bounce);
bool retry_warn(const struct cfg_queue *cfg, uint64_t arrived, uint64_t now); /* late enough for a delay warning */

#endif
