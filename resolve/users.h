/* users - what the name services know, remembered for a few seconds, asked by helper processes so that the loop never waits. */
#ifndef RESOLVE_USERS_H
#define RESOLVE_USERS_H

#include "event/ev.h"
#include "mailbox.h"

struct users;

/* Who asks. Answers younger than since_ms count whatever resolve_cache says, so that a question that is asked again comes to its
 * end. `waiting` grows by one for each look-up that on_done() will be called for. */
struct asker {
	uint64_t id, since_ms;
	unsigned waiting;
};

struct users_limits {
	uint64_t keep_ms, timeout_ms, helpers;
};

/* on_done: a look-up that `asker_id` waits for has ended, in whatever way; ask again. */
struct users *users_new(
	struct ev_loop *loop, const struct users_limits *limits, void (*on_done)(void *arg, uint64_t asker_id), void *arg);
void users_free(struct users *u);
/* Strings in *ret are valid until the next call. */
enum user_result users_by_name(struct users *u, const char *name, struct asker *asker, struct user *ret, struct err *e);
enum user_result users_by_uid(struct users *u, uint64_t uid, struct asker *asker, struct user *ret, struct err *e);
/* The name of an IP address, when it leads back to it. NONE: there is no such name. */
enum user_result users_by_address(struct users *u, const char *ip, struct asker *asker, const char **ret_name, struct err *e);

#endif
