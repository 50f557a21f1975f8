/* transaction - MAIL, RCPT, DATA over an open connection, for all items of an order that are not settled. */
#ifndef REMOTE_TRANSACTION_H
#define REMOTE_TRANSACTION_H

#include "content.h"

struct limits { /* seconds for each step */
	uint64_t mail, rcpt, data, block, done;
};
/* True: the dialog went to its end, and every item is settled, or put off (o->retry) to another transaction. False: the connection
 * is of no use for this message, *e says why; items that are not settled may be tried on another host. */
bool transaction(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e) MUST_CHECK;

#endif
