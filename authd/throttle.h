/* throttle - failures of authentication are remembered per account and per network (/24, /64): answers come later and later, and in
 * the end no attempt is looked at for a while. In memory (and counters.h), bounded; time is passed in.
 *
 * A stranger must not be able to lock out the owner of an account: from a network that the account was used from before, only the
 * failures of that network count. Nor do programs that try the same old password again and again: those count once. */
#ifndef AUTHD_THROTTLE_H
#define AUTHD_THROTTLE_H

#include "base/buf.h"
#include "net/addr.h"

struct throttle_limits {
	uint64_t delay_ms;     /* of the answer to a first failure */
	uint64_t failures_max; /* per account; five times as many per network */
	uint64_t lock_ms;      /* and how long failures are remembered */
};

struct throttle_client {
	const char *account; /* as claimed; "" not known (EXTERNAL) */
	struct addr addr;
	bool trusted; /* its network is not counted: a webmail host, a NAT of ours */
};

struct throttle;
struct throttle *throttle_new(const struct throttle_limits *limits);
void throttle_free(struct throttle *t);
/* true: do not even look; *ret_left_secs how long still. */
bool throttle_locked(struct throttle *t, const struct throttle_client *c, uint64_t now_ms, uint64_t *ret_left_secs);
/* Counts a failure; returns for how long to hold the answer back. `password`: what was tried, empty for none; it is not kept. */
uint64_t throttle_failed(struct throttle *t, const struct throttle_client *c, struct sv password, uint64_t now_ms);
/* For counters.h. Time goes on while nobody counts: each moment is written by the clock on the wall. */
struct throttle_now {
	uint64_t ms, secs; /* of now_ms, and Unix time */
};
/* One entry more as a line; false: that was all. The last password is not in it: only a process that ended knows its key. */
bool throttle_save_next(const struct throttle *t, size_t *cursor, struct throttle_now now, struct buf *out);
bool throttle_load(struct throttle *t, struct sv line, struct throttle_now now) MUST_CHECK; /* false: damaged */
void throttle_passed(struct throttle *t, const struct throttle_client *c, uint64_t now_ms);

#endif
