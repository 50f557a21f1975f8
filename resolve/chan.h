/* chan - one client's channel: packets in, packets out, never blocking; what the client does not take waits here, bounded. */
#ifndef RESOLVE_CHAN_H
#define RESOLVE_CHAN_H

#include "event/ev.h"
#include "ipc/msg_resolve.h"
#include "users.h"

enum { PEER_SMTPD = 1 << 0, PEER_LOCAL = 1 << 1 };
enum { PH_READY = 1 << 0 };

struct server;
enum ask_kind { ASK_NOTHING, ASK_RCPT, ASK_BOX, ASK_UID, ASK_TABLE, ASK_NAME };

struct chan {
	struct server *server;
	struct ev_io io;
	unsigned peer;
	struct ipc_seen seen;
	struct buf out; /* packets not yet taken: u32 length and bytes each */
	bool broken;    /* to be closed by whoever holds it */

	/* the question that is being answered */
	enum ask_kind ask;
	struct asker asker; /* its id is the channel's, and is never used again: waiters of a closed channel find nobody */
	bool local_client;
	uint64_t uid;
	char address[ADDRESS_MAX + 1];
	struct resolve_table_req look; /* ASK_TABLE */
};

/* Sends, or keeps it until the client reads. A failure sets `broken`. */
void chan_send(struct chan *c, const struct ipc_desc *d, const void *msg, struct buf *scratch);
void chan_flush(struct chan *c);
bool chan_has_output(const struct chan *c);

#endif
