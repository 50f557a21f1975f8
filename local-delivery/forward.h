/* forward - a message goes where its user's ~/.forward wants it: into the own Maildir, and to others, for whom it is submitted to
 * smtpd like any mail (DESIGN D3). Runs as the user. docs/QUEUE.md 6b. */
#ifndef LOCAL_FORWARD_H
#define LOCAL_FORWARD_H

#include "mailbox/dotforward.h"

#include "ipc/msg_queue.h"

/* What the parent knows and the child needs: plain text, the parent checked its form. */
struct forward_order {
	char name[DOTFORWARD_NAME_MAX + 1]; /* of the file, below the home */
	char user[65], delimiter[2], hostname[256];
	char sender[ADDRESS_MAX + 1], rcpt[ADDRESS_MAX + 1], orig[ADDRESS_MAX + 1], orcpt[501], postern[1001];
	uint64_t notify, wait_ms;
	bool stranger;
};

struct forward_result {
	enum deliver_status status;
	bool sent;     /* to others; they have it durably */
	bool expanded; /* to several: the sender who asked for success is told so, once (RFC 3461 5.2.7.3) */
	bool passed;   /* NOTIFY went on with it: who has it now reports */
	char dsn[12], text[300];
};

/* `copy` is what a delivery without the file would be; `smtpd` a fresh connection to smtpd.forward. *ret_path: the file in the
 * user's Maildir, "" when he keeps none. */
void forward_deliver(const struct mbx_user *user, const struct mbx_copy *copy, const struct forward_order *o, int smtpd,
	char *ret_path, size_t path_size, struct forward_result *ret);

/* --- submit.c: the dialogue. ret as above; false: nothing was sent. */
bool submit_forward(const struct mbx_copy *copy, const struct forward_order *o, const struct dotforward *f, int smtpd,
	struct forward_result *ret);

#endif
