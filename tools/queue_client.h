/* queue_client - talks to queue-mgr's control socket: for `postern queue`, mailq and sendmail -q. */
#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H

#include "ipc/msg_control.h"
#include "tool.h"

struct queue_item { /* one message as listed */
	const struct queue_entry *entry;
	const struct queue_entry_rcpt *rcpts;
	size_t n_rcpts; /* fewer than entry->recipients when there are very many */
};
struct queue_visit {
	void (*item)(const struct queue_item *item, void *arg);          /* may be NULL */
	void (*content)(const struct queue_content *content, void *arg); /* may be NULL; the descriptor is closed afterwards */
	void (*dest)(const struct queue_dest *dest, void *arg);          /* may be NULL */
	void *arg;
};
/* Sends one request and visits what comes; *ret_done is queue-mgr's last word. 0, or an exit code after saying why. */
int queue_ask(const struct tool *t, const struct queue_filter *f, const struct queue_visit *v, struct queue_done *ret_done);

/* hold, release, requeue, delete, flush: asks, and prints what was done ("2 messages released"). Exit code 1 when nothing matched,
 * unless none_is_fine. */
int queue_act(const struct tool *t, const struct queue_filter *f, bool none_is_fine);

/* mailq: the classic listing. */
int queue_print_mailq(const struct tool *t);

#endif
