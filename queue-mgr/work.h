/* work - messages come in, are opened, and their recipients go to the agents. */
#ifndef QUEUE_WORK_H
#define QUEUE_WORK_H

#include "qmgr.h"

struct arrival {
	struct spool_id id;
	int fd; /* open, locked; work_arrive() takes it */
	uint64_t file_size;
	bool look; /* came without its note: may have been delivered before */
	bool hold; /* smtpd asked to hold it */
};
/* False: it cannot be read now, the file is where it was. What is no queue file goes to corrupt/. */
bool work_arrive(struct qmgr *q, const struct arrival *a, struct err *e) MUST_CHECK;

/* The open message of an entry in state OPEN. */
struct msg *work_open_msg(const struct qmgr *q, uint32_t slot);
/* Closes it; its entry becomes IDLE. */
void work_close(struct qmgr *q, struct msg *m);
/* Forgets the entry of a closed message: the file is gone or no longer ours. */
void work_forget(struct qmgr *q, uint32_t slot);
/* An entry whose file is closed may be delivered now. */
void work_ready(struct qmgr *q, uint32_t slot, enum ring ring); /* FRESH or RETRY; its priority may change that */
enum ring work_ring(const struct msg *m, enum ring ring);       /* the same for an open one */
/* Opens what an IDLE entry stands for. MSG_OPEN: *ret is open; else the entry was dealt with (gone, corrupt, locked: look.c). */
enum found_msg { MSG_OPEN, MSG_LATER, MSG_LOST };
enum found_msg work_open(struct qmgr *q, uint32_t slot, struct msg **ret);
/* Its open recipients wait for an agent, or it is finished with. */
void work_start(struct qmgr *q, struct msg *m);
/* Sends out what may go: called at the end of every event that changes something. */
void work_dispatch(struct qmgr *q);

/* What an agent said of a recipient that it had (RCPT_SENT), or that it died (res NULL). */
void work_result(struct qmgr *q, struct rcpt *r, const struct deliver_res *res);
/* A result that came over another channel than the request's: late.c. False: the recipient is in an agent's hands now. */
bool work_late(struct qmgr *q, struct rcpt *r, const struct deliver_res *res);
/* Takes the recipients that wait out of the scheduler: an act of the admin, or the end. */
void work_withdraw(struct qmgr *q, struct msg *m);

#endif
