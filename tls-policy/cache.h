/* cache - the policies that were fetched, and that there was none: a Berkeley DB file that may be lost, but never lie. One that is
 * damaged is thrown away, for everything in it can be fetched again; but a full disk is no damage: to forget what domains demand is
 * to deliver in the clear (RFC 8461 10.2). Times are Unix seconds. */
#ifndef TLS_POLICY_CACHE_H
#define TLS_POLICY_CACHE_H

#include "mail/sts.h"

#define CACHE_ENTRIES_MAX 200000 /* more domains than this are not remembered */

struct cached {
	char id[STS_ID_MAX + 1]; /* "": the domain had no policy */
	uint64_t fetched;        /* the policy */
	uint64_t look_again;     /* not before this time */
	struct sts_policy policy;
};

struct cache;
struct cache *cache_open(int dirfd, const char *path, size_t max, struct err *e); /* both the same directory; `max` domains */
void cache_close(struct cache *c);                                                /* NULL is fine */
/* Is the directory ours? At a reload the daemon before us has it for a moment: waits seconds at most. */
bool cache_ready(struct cache *c);
/* CACHE_FAILED: there may be one, the disk does not tell; logged. */
enum cache_found { CACHE_FOUND, CACHE_NONE, CACHE_FAILED };
enum cache_found cache_get(struct cache *c, const char *domain, struct cached *ret);
/* False: not kept, for lack of room; or of the disk, then logged. What was kept before stays. */
bool cache_put(struct cache *c, const char *domain, const struct cached *entry);
void cache_tidy(struct cache *c, uint64_t now); /* drops what has expired; a walk over everything, for once a day */

/* Does its policy hold at `now`? */
bool cached_holds(const struct cached *c, uint64_t now);

#endif
