/* qmgr - what the parts of queue-mgr share: the queue, its index, the open messages. Each part keeps its own state behind a
 * pointer.
 *
 * The life of a message: arrive() when smtpd's note comes (or look.c found it), work_start() puts its recipients into the
 * scheduler, work_dispatch() gives them to agents (deliver.c), each answer comes to work_result(), and when none is left in the
 * hands of others finish() decides: gone, postponed, returned, held. */
#ifndef QUEUE_QMGR_H
#define QUEUE_QMGR_H

#include "base/vec.h"
#include "event/ev.h"
#include "index.h"
#include "mail/srs.h"
#include "io.h"
#include "ipc/msg_control.h"
#include "msg.h"
#include "reason.h"
#include "sched.h"
#include "service/service.h"

#define ENTRIES_MAX (64u << 20) /* 2 GB of memory; the disk is full before */

struct qmgr {
	struct svc_ctx *svc;
	struct ev_loop *loop;
	const struct cfg *cfg;
	const struct cfg_queue *queue;
	struct spool_dir dir;
	bool locked; /* dir is ours */
	bool draining;
	struct srs_keys srs; /* n 0: senders stay as they are */
	struct hmap *ours;   /* domains, for sender.c */
	gid_t admin_gid;     /* (gid_t)-1: no such group */
	struct index *index;
	struct sched *sched;
	struct reasons *reasons;
	struct io *io;
	struct vec open; /* of struct msg *: entries in state OPEN */
	size_t checking; /* files in an io helper before their delivery */
	uint64_t delivered;
	struct hour {
		uint64_t since_ms, n; /* in the hour that began then */
	} failures_told, others_told; /* reports to strangers: what must be told, and what they ask for */
	uint32_t last_now;            /* at the last tick */
	struct ipc_packet packet;     /* for receiving, one at a time */
	struct lend *lend;
	struct look *look;
	struct fresh *fresh;
	struct deliver *deliver;
	struct bouncing *bouncing;
	struct late *late;
	struct recover *recover;
	struct control *control;
	struct space *space;
	struct dests *dests;
};

uint32_t q_now(void); /* Unix time */
/* Watches a listening socket of this service; on() gets each new channel's descriptor. Missing sockets are an error. */
struct q_listener {
	struct qmgr *q;
	struct ev_io watch;
	void (*on)(struct qmgr *q, int fd);
};
bool q_listen(
	struct qmgr *q, struct q_listener *l, const char *endpoint, void (*on)(struct qmgr *, int fd), struct err *e) MUST_CHECK;

#endif
