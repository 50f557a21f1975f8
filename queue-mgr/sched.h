/* sched - which delivery is next. No I/O, no clock.
 *
 * A delivery waits in the flow of its sender, within its destination (a mailbox, later a domain). Destinations with work and room
 * take turns, in each of them the senders take turns, one delivery a turn: a bulk job delays a single message by one turn. Urgent
 * mail (MT-PRIORITY above 0), fresh mail, retries and bulk mail (below 0) have rings of their own, taken 8:4:1:1, so that all go
 * on; a destination with urgent mail goes before those without, but not always. So does one with mail of a sender who has little
 * waiting (SCHED_LIGHT), wherever it goes: a bulk job to ten thousand domains does not delay the single message to one more. How
 * many deliveries a destination may have at once grows by 1/N with each success and shrinks by 1/N with each failure.
 *
 * Each agent has a lane of its own: a destination's key says which (sched_dest()), so that neither's destinations keep those of the
 * other from their turn.
 *
 * What waits is either a unit (one recipient of an open message) or the entry of a closed file, which its taker opens. Entries with
 * dest 0 have several destinations: they wait apart, their taker opens the file and puts in its units. */
#ifndef QUEUE_SCHED_H
#define QUEUE_SCHED_H

#include "index.h"

struct flow;
struct unit { /* embedded in what is to be delivered */
	uint32_t dest, sender;
	/* the scheduler's own */
	struct unit *prev, *next;
	struct flow *flow; /* NULL: not waiting */
};

enum lane { LANE_LOCAL, LANE_REMOTE, LANE_COUNT };
static inline enum lane sched_lane(uint32_t dest) { return (dest & 1) != 0 ? LANE_REMOTE : LANE_LOCAL; }
uint32_t sched_dest(enum lane lane, uint32_t hash); /* a key, never 0 */

enum ring { RING_URGENT, RING_FRESH, RING_RETRY, RING_BULK, RING_COUNT };
enum sched_end { SCHED_SUCCESS, SCHED_FAILURE, SCHED_NEITHER };

struct pick {
	struct unit *unit; /* NULL: an entry */
	uint32_t slot;     /* of the entry */
	uint32_t dest;
};

struct sched;
struct window {
	unsigned start, max;
};
struct sched *sched_new(struct index *ix, const struct window window[LANE_COUNT]);
void sched_free(struct sched *s);

void sched_put(struct sched *s, struct unit *u, enum ring ring);
void sched_withdraw(struct sched *s, struct unit *u);                 /* it no longer waits; harmless when it does not */
void sched_put_entry(struct sched *s, uint32_t slot, enum ring ring); /* IDLE becomes WAITING */
bool sched_has_closed(const struct sched *s, uint32_t dest, uint32_t sender, enum ring ring); /* closed entries of that flow wait */

#define SCHED_LIGHT 10 /* waiting deliveries of a sender, in all */
/* The next delivery of a lane; it counts against its destination until sched_done(). An entry is IDLE again. false: none may start.
 */
bool sched_next(struct sched *s, enum lane lane, struct pick *ret);
bool sched_next_light(struct sched *s, enum lane lane, struct pick *ret); /* the same, not of bulk jobs */
bool sched_next_of(struct sched *s, uint32_t dest, struct pick *ret);     /* the same, for this destination */
bool sched_next_many(struct sched *s, uint32_t *ret_slot);                /* an entry with several destinations; does not count */
void sched_done(struct sched *s, uint32_t dest, enum sched_end end);
size_t sched_units(const struct sched *s);               /* units that wait */
size_t sched_waiting(const struct sched *s);             /* units and entries that wait */
bool sched_ready(const struct sched *s, enum lane lane); /* sched_next() would give one */
bool sched_ready_light(const struct sched *s, enum lane lane);
unsigned sched_window(const struct sched *s, uint32_t dest); /* how many it may have at once */
unsigned sched_busy(const struct sched *s, uint32_t dest);
size_t sched_waiting_for(const struct sched *s, uint32_t dest); /* units and entries */

/* Whatever its window: no more than this at once, 0 none at all; SCHED_UNCAPPED takes it back. */
#define SCHED_UNCAPPED UINT32_MAX
void sched_cap(struct sched *s, uint32_t dest, unsigned cap);
/* Takes out what would be next, without counting it: of a destination that is not to be tried. false: nothing waits. */
bool sched_withdraw_next(struct sched *s, uint32_t dest, struct pick *ret);

#endif
