/* Messages between smtpd and queue-mgr: lending queue files (DESIGN D4, D5), and between queue-mgr and delivery agents. */
/* clang-format off */
#ifndef IPC_MSG_QUEUE_H
#define IPC_MSG_QUEUE_H

#include "ipc/ipc.h"
#include "ipc/msg_resolve.h"

#define QUEUE_ID_MAX 24

/* smtpd: one file, please. One-way, at MAIL. `reserve` 1: from the bounce listener, out of the reserved credits. */
#define QUEUE_LEND(F, T) F(T, U64, reserve, 1)
/* queue-mgr: here. An empty file in new/, write-only, its description locked: the lock ends with the borrower's last copy. */
#define QUEUE_LENT(F, T) F(T, STR, id, QUEUE_ID_MAX) F(T, FD, file, 0)
/* queue-mgr: no room (disk, inodes, memory). Answer 452 with this text. */
#define QUEUE_FULL(F, T) F(T, STR, text, 200)
/* smtpd: written, fsynced, closed; a 250 follows. Hints for scheduling only; the file is the truth. */
#define QUEUE_NOTE(F, T) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, U64, size, (uint64_t)4 << 30) \
	F(T, U64, recipients, 1000000) \
	F(T, U64, hold, 1)
/* smtpd: truncated to 0 and closed; unlink it. */
#define QUEUE_UNUSED(F, T) F(T, STR, id, QUEUE_ID_MAX)
/* smtpd: a read-only descriptor of a file lent on this channel, for spamcheck to read while it is written (long messages). */
#define QUEUE_READ(F, T) F(T, STR, id, QUEUE_ID_MAX)
#define QUEUE_READER(F, T) F(T, STR, id, QUEUE_ID_MAX) F(T, FD, file, 0)
IPC_DECLARE(queue_lend, QUEUE_LEND);
IPC_DECLARE(queue_lent, QUEUE_LENT);
IPC_DECLARE(queue_full, QUEUE_FULL);
IPC_DECLARE(queue_note, QUEUE_NOTE);
IPC_DECLARE(queue_unused, QUEUE_UNUSED);
IPC_DECLARE(queue_read, QUEUE_READ);
IPC_DECLARE(queue_reader, QUEUE_READER);

/* queue-mgr to an agent: deliver to one recipient. The agent may have several requests waiting on its channel and does them in
 * order. `file` is locked, read-only, its offset shared: pread only. */
#define DELIVER_REQ(F, T) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, U64, number, 1000000) /* which Postern-To line, from 0; 0 for a plain file */ \
	F(T, STR, sender, ADDRESS_MAX) /* "" is the null sender */ \
	F(T, STR, author, ADDRESS_MAX) /* the same before it was rewritten (SRS, VERP): routes go by it */ \
	F(T, STR, rcpt, ADDRESS_MAX) /* final address */ \
	F(T, STR, orig, ADDRESS_MAX) /* original one, "" when the same */ \
	F(T, U64, offset, (uint64_t)4 << 30) /* of our Received line: what is sent starts here */ \
	F(T, U64, size, (uint64_t)4 << 30) /* s: the message ends here, zeros may follow */ \
	F(T, U64, plain, 1) /* one recipient, no X-Postern or Postern-To line: may be delivered by rename */ \
	F(T, U64, in_cur, 1) /* the file is below cur/, under `name`; else below new/ under its id */ \
	F(T, STR, name, 120) /* file name within its directory */ \
	F(T, U64, tries, 1000000) /* attempts before this one: > 0 means look for an earlier copy first */ \
	F(T, U64, more, 1) /* another recipient of this message follows at once: agents with one transaction for several take it along */ \
	F(T, U64, notify, 15) /* SPOOL_NOTIFY_*: what the sender asked for (RFC 3461) */ \
	F(T, U64, stranger, 1) /* its sender did not authenticate: what MAIL FROM says is not to be believed */ \
	F(T, STR, orcpt, 500) /* as given, "" none */ \
	F(T, STR, postern, 1000) /* content of the X-Postern line: spool_options_parse() */ \
	F(T, FD, file, 0)
enum deliver_status { DELIVERED, DEFERRED, FAILED };
/* The agent's answer; also sent later over a new channel when queue-mgr was gone (`late`). */
#define DELIVER_RES(F, T) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, U64, number, 1000000) \
	F(T, U64, status, 2) \
	F(T, U64, renamed, 1) /* the queue file itself went to the Maildir */ \
	F(T, U64, forwarded, 1) /* it went on to where a ~/.forward leads */ \
	F(T, U64, expanded, 1) /* to several: a sender who asked for success is told of that alone */ \
	F(T, U64, host, 1) /* deferred, as no host of the destination was ready to take mail: so it is for all its mail */ \
	F(T, U64, dsn_passed, 1) /* who has it now knows DSN and was given NOTIFY: the report is theirs */ \
	F(T, STR, dsn, 11) \
	F(T, STR, where, 400) /* delivered: the file; else who said it */ \
	F(T, STR, text, 400)
IPC_DECLARE(deliver_req, DELIVER_REQ);
IPC_DECLARE(deliver_res, DELIVER_RES);
/* To agents that cannot look for a copy of theirs (remote-delivery; local-delivery for what was `forwarded`): what was said of this message so far is on disk. Until then they keep its file, and
 * tell the next queue-mgr when the channel ends. */
#define DELIVER_ACK(F, T) F(T, STR, id, QUEUE_ID_MAX)
IPC_DECLARE(deliver_ack, DELIVER_ACK);

/* queue-mgr to bounce: report on these recipients (one bounce_rcpt packet each follows, `last` in the last). */
enum bounce_kind { BOUNCE_FAILED, BOUNCE_DELAYED, BOUNCE_DOUBLE, BOUNCE_SUCCESS, BOUNCE_HELD };
#define BOUNCE_KINDS 5
enum bounce_action { BOUNCE_ACTION_FAILED, BOUNCE_ACTION_DELAYED, BOUNCE_ACTION_DELIVERED, BOUNCE_ACTION_RELAYED, BOUNCE_ACTION_EXPANDED }; /* RFC 3464 2.3.3 */
#define BOUNCE_REQ(F, T) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, U64, kind, BOUNCE_KINDS - 1) \
	F(T, STR, sender, ADDRESS_MAX) /* who gets the report (BOUNCE_DOUBLE, BOUNCE_HELD: postmaster) */ \
	F(T, U64, offset, (uint64_t)4 << 30) \
	F(T, U64, size, (uint64_t)4 << 30) \
	F(T, U64, arrived, (uint64_t)1 << 40) /* Unix time, seconds */ \
	F(T, U64, expires, (uint64_t)1 << 40) /* delayed: until when we try */ \
	F(T, U64, ret, 2) /* SPOOL_RET_*: how much of the message the sender wants back */ \
	F(T, STR, envid, 100) /* "" none */ \
	F(T, U64, smtputf8, 1) /* the message came with SMTPUTF8: its sender reads UTF-8 */ \
	F(T, U64, requiretls, 1) /* it came with REQUIRETLS: so goes the report */ \
	F(T, FD, file, 0)
#define BOUNCE_RCPT(F, T) \
	F(T, U64, last, 1) \
	F(T, STR, rcpt, ADDRESS_MAX) \
	F(T, STR, orig, ADDRESS_MAX) \
	F(T, U64, action, BOUNCE_ACTION_EXPANDED) \
	F(T, STR, orcpt, 500) /* "" none */ \
	F(T, U64, tried, (uint64_t)1 << 40) /* Unix time of the last attempt; 0: not known */ \
	F(T, STR, dsn, 11) \
	F(T, STR, text, 400) \
	F(T, STR, where, 400) /* the remote host that said it; "" when we did */
/* ok 1: the report got its 250. 0: try again later, unless `refused` (a 5xx: hold it). */
#define BOUNCE_RES(F, T) F(T, U64, ok, 1) F(T, U64, refused, 1) F(T, STR, text, 400)
IPC_DECLARE(bounce_req, BOUNCE_REQ);
IPC_DECLARE(bounce_rcpt, BOUNCE_RCPT);
IPC_DECLARE(bounce_res, BOUNCE_RES);

#endif
