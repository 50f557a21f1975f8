/* daily - keeps the day's facts, and sends yesterday's reports some time after midnight (UTC): RFC 8460 4.1, 5.2. */
#ifndef TLS_POLICY_DAILY_H
#define TLS_POLICY_DAILY_H

#include "cache.h"
#include "config/cfg.h"
#include "facts.h"
#include "ipc/msg_tls.h"
#include "service/keeper.h"

struct server;

struct daily;
struct daily_options {
	const struct cfg *cfg;
	struct ev_loop *loop;
	int dirfd;           /* stays the caller's */
	struct cache *cache; /* says when the directory is ours */
	int fd;              /* of a keeper for reporter_judge(), taken; -1: no reports */
	struct server *server;
	void (*on_dead)(struct server *s); /* the keeper ended */
};
struct daily *daily_new(const struct daily_options *o, struct err *e);
void daily_free(struct daily *d); /* saves; NULL is fine */
void daily_count(struct daily *d, const struct fact *fact, uint64_t now);

#endif
