/* msg - an open message: its locked descriptor and its recipients. One block of memory each. */
#ifndef QUEUE_MSG_H
#define QUEUE_MSG_H

#include "sched.h"

struct msg;

enum rcpt_state {
	RCPT_WAITING, /* in the scheduler */
	RCPT_SENT,    /* an agent has it */
	RCPT_DEFERRED,
	RCPT_FAILED, /* for good; its sender is to be told */
	RCPT_DONE,   /* delivered, or told; `status` says which */
};

struct rcpt {
	struct unit unit;
	struct msg *msg;
	const char *addr, *orig; /* orig "": the same */
	const char *orcpt;       /* ORCPT as given, "" none */
	uint64_t status_at;      /* offset of the status byte; 0: none */
	uint32_t number;
	uint32_t tried; /* Unix time of the last attempt; 0: none by this queue-mgr */
	uint8_t cls, state;
	uint8_t notify; /* SPOOL_NOTIFY_*; 0: not given */
	char status;    /* enum spool_status; on disk unless `dirty` */
	bool dirty;
	bool named;    /* in the report of success that is asked for */
	bool said;     /* that it failed, in the log */
	uint16_t owes; /* the number of the slot whose agent waits to hear that its answer is on disk, from 1; 0: none */
	bool lead;     /* while SENT: it counts against its destination; others of its message may go with it */
	char dsn[12];
	char *text, *where; /* of the last failure; malloc'd, may be NULL */
};

/* Of the X-Postern line, what queue-mgr acts on itself. */
struct msg_asks {
	uint64_t hold_until, deliver_by; /* Unix time; 0: none */
	const char *envid;               /* "" none */
	char verp[3];                    /* delimiters; "" no */
	uint8_t ret;                     /* SPOOL_RET_* */
	int8_t priority;
	bool by_return, by_trace;
	bool smtputf8, requiretls;
	bool held; /* on arrival */
};

enum act { ACT_NONE, ACT_HOLD, ACT_DELETE, ACT_REQUEUE };

struct msg {
	struct spool_id id;
	uint32_t slot; /* its entry */
	int fd;
	const char *sender;  /* "" is the null sender */
	const char *postern; /* the X-Postern line's content, "" none */
	struct msg_asks asks;
	uint32_t sender_key;
	char trust; /* enum spool_trust */
	bool plain;
	bool gone;     /* its name is a Maildir's now */
	bool lease_ok; /* no writer is left: asked once */
	bool died;     /* an agent ended with it in hand */
	bool asked;    /* waits for bounce: what comes next is finish_reported() */
	bool marking;  /* status bytes are being written */
	bool mark_failed, warn_asked, warned;
	bool telling;   /* a report of success could not be sent: not again before it comes back */
	bool failing;   /* its report could not be sent: back to the queue, whatever its age */
	uint8_t act;    /* enum act: asked for while agents had it */
	bool act_owner; /* by its own sender, not the admin */
	uint8_t report; /* enum bounce_kind, while `asked` */
	uint64_t offset, size, arrived;
	unsigned waiting, sent, dirty; /* recipients in these states */
	size_t report_end;             /* the report names none from this one on */
	struct msg *next;              /* in the list of bouncing */
	size_t n_rcpt;
	struct rcpt rcpt[];
};

/* Reads the envelope from fd, which becomes the message's on success. A file shorter than it says, or of another id than its
 * name's, is corrupt. ERR_TEMP: not now; any other kind: corrupt. NULL on failure. Recipients whose status is `.` are DEFERRED, the
 * others DONE. */
struct msg *msg_read(int fd, const struct spool_id *id, uint64_t file_size, struct err *e);
void msg_free(struct msg *m);                 /* closes fd: the lock is free */
uint32_t msg_dest(const struct msg *m);       /* of its open recipients: their one destination, or 0 */
unsigned msg_open_rcpts(const struct msg *m); /* with status `.` */
void rcpt_result(struct rcpt *r, enum rcpt_state state, const char *dsn, const char *text, const char *where);
bool rcpt_wants(const struct rcpt *r, unsigned notify); /* its sender wants such reports: SPOOL_NOTIFY_SUCCESS, FAILURE, DELAY */
bool rcpt_wants_delay(const struct rcpt *r);            /* the same for delays, with what DELIVERBY asks for */
bool rcpt_owed(const struct rcpt *r);                   /* done, but its sender is to be told */
unsigned msg_owed_rcpts(const struct msg *m);
uint32_t hash_key(struct sv s); /* for names and keys: never 0 */

#endif
