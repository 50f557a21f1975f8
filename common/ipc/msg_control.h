/* Messages of the control sockets: `postern queue` to queue-mgr, `postern status|stop|reload` to master, `postern log reopen` to
 * logd by way of master. Who may do what is decided by the peer's uid and groups (SO_PEERCRED). */
/* clang-format off */
#ifndef IPC_MSG_CONTROL_H
#define IPC_MSG_CONTROL_H

#include "ipc/ipc.h"
#include "ipc/msg_queue.h"

/* What a queue request is about: all messages that match every non-empty field. Patterns: * and ? (fnmatch, no case). */
#define QUEUE_FILTER(F, T) \
	F(T, U64, op, 16) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, STR, sender, ADDRESS_MAX) \
	F(T, STR, rcpt, ADDRESS_MAX) \
	F(T, STR, domain, 255) /* of any recipient */ \
	F(T, STR, status, 16) /* active, deferred, hold, new, corrupt */ \
	F(T, U64, older, (uint64_t)1 << 40) /* at least this many seconds old; 0: any */ \
	F(T, U64, younger, (uint64_t)1 << 40) /* at most; 0: any */
enum queue_op { QOP_LIST, QOP_SHOW, QOP_HOLD, QOP_RELEASE, QOP_REQUEUE, QOP_DELETE, QOP_FLUSH, QOP_DESTS, QOP_COUNT };
IPC_DECLARE(queue_filter, QUEUE_FILTER);

/* LIST: for each message one queue_entry and one queue_entry_rcpt per open recipient; then queue_done. SHOW: queue_entry with its
 * recipients, queue_content, queue_done. The others: queue_done when the act is on disk. */
#define QUEUE_ENTRY(F, T) \
	F(T, STR, id, QUEUE_ID_MAX) \
	F(T, STR, status, 16) \
	F(T, U64, size, (uint64_t)4 << 30) \
	F(T, U64, arrived, (uint64_t)1 << 40) \
	F(T, U64, due, (uint64_t)1 << 40) /* next attempt; 0: none planned */ \
	F(T, U64, tries, 1000000) \
	F(T, STR, sender, ADDRESS_MAX) \
	F(T, U64, recipients, 1000000) /* open ones; how many queue_entry_rcpt follow (at most QUEUE_LIST_RCPTS) */ \
	F(T, STR, pending, 16) /* an act that waits for the delivery to end: hold, delete */ \
	F(T, STR, reason, 400) /* of the last failure, if known */
#define QUEUE_LIST_RCPTS 1000
#define QUEUE_ENTRY_RCPT(F, T) F(T, STR, rcpt, ADDRESS_MAX) F(T, STR, orig, ADDRESS_MAX) F(T, U64, status, 255) F(T, U64, class, 255)
/* The message: `size` bytes from `offset` of the queue file. */
#define QUEUE_CONTENT(F, T) F(T, U64, offset, (uint64_t)4 << 30) F(T, U64, size, (uint64_t)4 << 30) F(T, FD, file, 0)
#define QUEUE_DONE(F, T) F(T, U64, ok, 1) F(T, U64, matched, (uint64_t)1 << 40) F(T, U64, pending, (uint64_t)1 << 40) F(T, STR, text, 300)
IPC_DECLARE(queue_entry, QUEUE_ENTRY);
IPC_DECLARE(queue_entry_rcpt, QUEUE_ENTRY_RCPT);
IPC_DECLARE(queue_content, QUEUE_CONTENT);
IPC_DECLARE(queue_done, QUEUE_DONE);

/* DESTS, for admins: one for each destination of remote mail that queue-mgr remembers; then queue_done. */
#define QUEUE_DEST(F, T) \
	F(T, STR, name, 255) /* a domain, or the host that a route names */ \
	F(T, STR, route, 64) /* the [relay] section, "" none */ \
	F(T, STR, state, 16) /* up, slowed, resting, down, probing */ \
	F(T, U64, waiting, (uint64_t)1 << 40) F(T, U64, busy, 1000000) \
	F(T, U64, connections, UINT32_MAX) /* at once, at most */ \
	F(T, U64, per_minute, (uint64_t)1 << 40) /* 0: no limit */ \
	F(T, U64, next, (uint64_t)1 << 40) /* nothing is begun before; 0: at once */ \
	F(T, U64, delivered, UINT64_MAX) F(T, U64, deferred, UINT64_MAX) \
	F(T, U64, heard, (uint64_t)1 << 40) /* when it said `reply`; 0: never */ \
	F(T, STR, reply, 300)
IPC_DECLARE(queue_dest, QUEUE_DEST);

/* master's control socket. STATUS: one status_service per service, status_process for each process of it, then control_done.
 * STOP and RELOAD: control_done when it is done (STOP: when it has begun; the end of the channel is the end of master). */
enum control_op { CTL_STATUS, CTL_STOP, CTL_RELOAD, CTL_LOG_REOPEN };
#define CONTROL_REQ(F, T) F(T, U64, op, 8)
#define STATUS_SERVICE(F, T) \
	F(T, STR, name, 32) \
	F(T, STR, state, 16) /* running, starting, waiting, stopping */ \
	F(T, U64, pid, 1 << 30) \
	F(T, U64, started, (uint64_t)1 << 40) /* Unix time */ \
	F(T, U64, restarts, (uint64_t)1 << 40) \
	F(T, U64, workers, 1000000) F(T, U64, busy, 1000000) F(T, U64, workers_max, 1000000) \
	F(T, U64, served, (uint64_t)1 << 60) \
	F(T, U64, generation, (uint64_t)1 << 60) \
	F(T, STR, text, 300) /* the last trouble */
#define CONTROL_DONE(F, T) F(T, U64, ok, 1) F(T, U64, pid, 1 << 30) F(T, U64, started, (uint64_t)1 << 40) F(T, U64, generation, (uint64_t)1 << 60) F(T, STR, text, 4000)
IPC_DECLARE(control_req, CONTROL_REQ);
IPC_DECLARE(status_service, STATUS_SERVICE);
IPC_DECLARE(control_done, CONTROL_DONE);

/* Between master and a leader (a socketpair; its end means the other is dead). */
#define LEADER_READY(F, T) F(T, U64, ok, 1) F(T, STR, text, 300)
#define LEADER_LOAD(F, T) F(T, U64, workers, 1000000) F(T, U64, busy, 1000000) F(T, U64, workers_max, 1000000) F(T, U64, served, (uint64_t)1 << 60)
enum leader_order {
	ORDER_DRAIN,  /* finish what is in hand and end */
	ORDER_REOPEN, /* reopen logs */
	ORDER_LOAD,   /* report leader_load */
	ORDER_RETIRE, /* a successor is there: a pool's workers finish their whole session first; for others the same as DRAIN */
};
#define LEADER_DO(F, T) F(T, U64, order, 8)
IPC_DECLARE(leader_ready, LEADER_READY);
IPC_DECLARE(leader_load, LEADER_LOAD);
IPC_DECLARE(leader_do, LEADER_DO);

#endif
