/* score - the scoreboard of a pool: what each worker is doing, in memory that the leader and all workers share. Private to
 * service/.
 *
 * A worker writes its own slot only; counts are taken by looking at the slots, so a worker that is killed at any moment leaves
 * nothing to correct but its slot, which the leader clears when it reaps it. */
#ifndef SERVICE_SCORE_H
#define SERVICE_SCORE_H

#include "base/err.h"
#include "net/addr.h"

#include <signal.h>
#include <stdatomic.h>

enum score_state { SCORE_FREE, SCORE_STARTING, SCORE_IDLE, SCORE_BUSY, SCORE_LEAVING };

struct score {
	unsigned max;                   /* slots */
	size_t size;                    /* of the mapping */
	_Atomic bool asked;             /* some worker wrote to the leader's pipe, which has not looked yet */
	_Atomic uint64_t served;        /* clients, ever */
	_Atomic uint64_t full_ms;       /* when it was last logged that all workers are busy */
	_Atomic uint64_t *mark;         /* whom each slot serves; 0: nobody */
	_Atomic uint64_t *tag;          /* a second mark, whose meaning is the service's; 0: none */
	_Atomic uint64_t *still_ms;     /* since when its client does nothing of use; 0: it does, or it may stay anyway */
	volatile sig_atomic_t *refused; /* system call for which the sandbox ended it; 0: none */
	_Atomic uint8_t *state;         /* enum score_state */
};

struct score_counts {
	unsigned workers, idle, busy; /* idle includes those that are starting */
};

struct score *score_new(unsigned max, struct err *e); /* NULL on failure */
void score_free(struct score *s);
int score_take(struct score *s); /* a free slot, now STARTING; -1: none */
void score_clear(struct score *s, unsigned slot);
void score_set(struct score *s, unsigned slot, enum score_state state);
struct score_counts score_count(const struct score *s);
/* Counts clients of one IPv4 address or one IPv6 /64, which is what one customer has. The peer of a Unix
 * socket counts by its uid, where the caller put that into `ip` (4 bytes, network order); root is never counted. */
void score_mark(struct score *s, unsigned slot, const struct addr *client);
unsigned score_marked(const struct score *s, const struct addr *client);
unsigned score_marked_net(const struct score *s, const struct addr *client); /* of its IPv4 /24 or IPv6 /48 */
unsigned score_tagged(const struct score *s, uint64_t tag);
/* The busy slot whose client is still for longest, and before `before_ms`; -1: none. */
int score_stillest(const struct score *s, uint64_t before_ms);

#endif
