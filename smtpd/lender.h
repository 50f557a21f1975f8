/* lender - smtpd's side of the talk with queue-mgr: the lent file of the message in progress (DESIGN D5). */
#ifndef SMTPD_LENDER_H
#define SMTPD_LENDER_H

#include "link.h"
#include "ipc/msg_queue.h"
#include "spool/spool.h"

struct lender {
	struct link link;
	uint64_t wait_ms;    /* for a file */
	bool asked, reserve; /* a request is open; it was for the reserved credits */
	bool early;          /* it was made before there was a message */
	int file;            /* -1: none in hand */
	struct spool_id id;  /* its name */
	bool written;        /* parts of a message are in it */
	unsigned committed;  /* messages of this client */
};

void lender_free(struct lender *l);
void lender_ask(struct lender *l, bool reserve); /* one-way; the answer is taken by lender_wait() */
/* ERR_LIMIT: queue-mgr has no room, its text is for the client. The file stays good when queue-mgr goes: its lock is ours. */
bool lender_wait(struct lender *l, bool reserve, struct err *e) MUST_CHECK;
bool lender_stream(struct lender *l, struct sv piece, uint64_t at, struct err *e) MUST_CHECK;
/* The message becomes durable and queue-mgr is told. Success or not, the file is no longer in hand. */
bool lender_commit(struct lender *l, struct sv header, struct sv body, const struct queue_note *note, struct err *e) MUST_CHECK;
/* A descriptor that reads the file in hand. */
bool lender_reader(struct lender *l, int *ret_fd, struct err *e) MUST_CHECK;
void lender_abandon(struct lender *l);   /* what was written is void, the file goes back; harmless without one */
void lender_give_back(struct lender *l); /* end of a client's session: also a file that is still to come */

#endif
