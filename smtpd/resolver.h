/* resolver - smtpd's side of the talk with `resolve`, with the last good answers remembered for seconds. */
#ifndef SMTPD_RESOLVER_H
#define SMTPD_RESOLVER_H

#include "link.h"
#include "base/hmap.h"
#include "base/vec.h"
#include "ipc/msg_resolve.h"
#include "maps/map.h"

struct resolver {
	struct link link;
	uint64_t wait_ms;   /* for an answer */
	uint64_t keep_ms;   /* how long a good answer is used again; 0: not at all */
	struct hmap *cache; /* made at the first use */
};

void resolver_free(struct resolver *r);
/* As session_ops.resolve. */
bool resolver_ask(struct resolver *r, const char *address, bool local_client, struct vec *finals, struct err *e) MUST_CHECK;
bool resolver_user(struct resolver *r, uint64_t uid, char *ret_user, size_t size, struct err *e) MUST_CHECK;

/* As session_ops.table. */
enum map_result resolver_table(struct resolver *r, const char *spec, struct sv key, struct buf *ret_value, struct err *e);

#endif
