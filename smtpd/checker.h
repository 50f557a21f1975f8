/* checker - smtpd's side of the talk with spamcheck: one connection for each message. */
#ifndef SMTPD_CHECKER_H
#define SMTPD_CHECKER_H

#include "link.h"
#include "ipc/msg_spam.h"

/* Asks about `body` by way of a sealed memfd or, when req->streamed, about reader_fd. Sets req->file. The deadline is for all. */
bool checker_ask(struct link *l, struct spam_req *req, struct sv body, int reader_fd, uint64_t wait_ms, struct spam_res *ret,
	struct err *e) MUST_CHECK;

#endif
