/* order - one message for recipients that share a destination: what one transaction is made of. */
#ifndef REMOTE_ORDER_H
#define REMOTE_ORDER_H

#include "ipc/msg_queue.h"
#include "mail/maddr.h"
#include "mail/seven.h"
#include "spool/spool.h"

#define ITEMS_MAX 50 /* RFC 5321 4.5.3.1.8: every server takes 100 recipients */

struct item { /* a recipient */
	struct deliver_req req;
	struct deliver_res res;
	struct maddr addr;
	bool settled;  /* res is what became of it */
	bool accepted; /* RCPT was answered 2xx, in this transaction */
};

struct order {
	struct item *item; /* room for ITEMS_MAX */
	size_t n;
	struct maddr sender, author;
	struct spool_options options;
	uint64_t deadline_ms; /* monotonic */
	/* of the message as it is sent (content.c) */
	uint64_t wire_size;
	bool eight_bit, eight_bit_head;
	bool arrive;         /* TLS-Required: No */
	bool binary;         /* BINARYMIME: any bytes behind its header, as they are */
	struct seven *seven; /* it is converted on its way, in this transaction. NULL: sent as it is */
	uint64_t seven_size; /* the wire_size that it has then */
	bool retry;          /* some were put off to another transaction on the same connection */
};

/* Checks what queue-mgr says: addresses become checked ones. false: a result says why, and the item is settled. */
bool item_check(struct item *it) MUST_CHECK;
/* Of the first item's request: sender, options. ERR_PERM. */
bool order_begin(struct order *o, struct err *e) MUST_CHECK;
bool order_open(const struct order *o); /* some item is not settled */

/* Foreign bytes (a reply) go into the log and maybe into a report: they stay one line of text. */
void item_settle(struct item *it, enum deliver_status status, const char *dsn, const char *where, const char *text);
/* All that are not settled; e's kind decides: ERR_PERM fails, all others defer. `dsn` for an e without one. With `host`
 * deferrals say that they are the fate of all mail to the destination. */
void order_settle(struct order *o, const struct err *e, const char *dsn, const char *where, bool host);

#endif
