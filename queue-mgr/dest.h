/* dest - how the destinations of remote mail are doing: which are down, how much each may be given, what it said last.
 *
 * A destination whose hosts cannot be reached is down after a few such failures in a row: its mail is put off without being tried,
 * and when a pause is over a single delivery probes it. One that says that we are too fast ("421 too many connections", "4.7.0 slow
 * down") is left alone for a minute (never longer than retry_max) and gets less at once and in a minute from then on, until an hour
 * without such words has passed.
 *
 * Bounded: DESTS_MAX are remembered, quiet ones are forgotten first, then those that are down and have no mail waiting. Nothing is
 * on disk: after a restart all is learnt anew. Times are Unix seconds. */
#ifndef QUEUE_DEST_H
#define QUEUE_DEST_H

#include "ipc/msg_control.h"
#include "qmgr.h"

#define DESTS_MAX 20000
#define DEST_FAILURES 3   /* in a row: down */
#define DEST_PAUSE_MIN 60 /* before the first probe; doubled after each, up to retry_max */
#define DEST_THROTTLED 60 /* rest after "too fast" */
#define DEST_LESSON 3600  /* how long what was learnt of its pace holds */

enum dest_verdict {    /* what an answer says about the destination, not about the message */
	DEST_WELL,     /* somebody there answered */
	DEST_AWAY,     /* its hosts cannot be found, reached or talked to: no mail gets there */
	DEST_LOST,     /* it broke off in the midst of this message, which says nothing of others */
	DEST_TOO_FAST, /* it wants less from us */
};
enum dest_verdict dest_verdict(const struct deliver_res *res);

/* The keys of its recipients on other hosts: one destination is a route (a [relay] section, or none) and the host that it names, or
 * the domain. So all mail over a smarthost is one queue. */
void dests_route(const struct qmgr *q, struct msg *m);

bool dests_init(struct qmgr *q, struct err *e);
void dests_free(struct qmgr *q);
void dests_sent(struct qmgr *q, const struct rcpt *r); /* a delivery begins: r leads it */
void dests_result(struct qmgr *q, const struct rcpt *r, const struct deliver_res *res);
void dests_arrived(struct qmgr *q, uint32_t dest); /* something waits for it now */
/* What waits for destinations that are down goes back to the queue, some of it: the rest follows in the next turns. */
void dests_put_off(struct qmgr *q);
/* For `postern queue destinations`. *cursor 0: the first; false: no more. */
bool dests_next(const struct qmgr *q, size_t *cursor, struct queue_dest *ret);

#endif
