/* heap - the timers of a loop, the one due first at the top. The timers are the callers'. */
#ifndef EVENT_HEAP_H
#define EVENT_HEAP_H

#include "event/ev.h"

struct ev_heap {              /* all zero: empty */
	struct ev_timer **at; /* at[0] is due first; a timer's `place` is its index + 1 */
	size_t len, cap;
};

void ev_heap_set(struct ev_heap *h, struct ev_timer *t, uint64_t due_ms); /* puts in or moves */
void ev_heap_remove(struct ev_heap *h, struct ev_timer *t);               /* harmless when not in it */
struct ev_timer *ev_heap_first(const struct ev_heap *h);                  /* NULL: empty */
void ev_heap_free(struct ev_heap *h);

#endif
