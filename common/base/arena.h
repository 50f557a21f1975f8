/* arena - memory by lifetime: a session's, a transaction's. Freed as one; capped, because a peer can make it grow. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/sv.h"

struct arena;

struct arena *arena_new(size_t cap);
void *arena_alloc(struct arena *a, size_t n);  /* zeroed, aligned for any type; NULL: the cap, hence ERR_LIMIT */
char *arena_dup(struct arena *a, struct sv s); /* NUL-terminated copy; NULL: the cap */
bool arena_defer(struct arena *a, void (*fn)(void *), void *arg) MUST_CHECK; /* reset and free run these, last first */
size_t arena_used(const struct arena *a);
void arena_reset(struct arena *a); /* everything allocated from it is gone */
void arena_free(struct arena *a);

#endif
