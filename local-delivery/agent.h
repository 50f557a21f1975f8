/* agent - what a worker of local-delivery holds, and the delivery of one message to one mailbox. */
#ifndef LOCAL_AGENT_H
#define LOCAL_AGENT_H

#include "forward.h"

#include "base/hmap.h"
#include "config/cfg.h"
#include "ipc/msg_queue.h"
#include "mailbox/mbx.h"
#include "spool/spool.h"

/* --- outcome: fills in *res; returns false, so that `return outcome(...)` reads well */
bool outcome(struct deliver_res *res, enum deliver_status status, const char *dsn, const char *fmt, ...) PRINTF_LIKE(4, 5);

void delivered(struct deliver_res *res, const char *home, const char *path);
void delivered_to(struct deliver_res *res, const char *home, const char *path); /* the place alone */

/* --- queue_dirs.c: the directories that queue files lie in, opened when first needed and kept */
struct queue_dirs {
	const char *path;
	int root;
	uid_t owner; /* of all queue files */
	int new_fd[SPOOL_SHARDS], cur_fd[SPOOL_SHARDS];
};
void queue_dirs_init(struct queue_dirs *q, const char *path);
bool queue_dirs_open(struct queue_dirs *q, struct err *e) MUST_CHECK; /* the root and all that is there; again is harmless */
bool queue_dirs_get(struct queue_dirs *q, unsigned shard, bool in_cur, int *ret_fd, struct err *e) MUST_CHECK; /* stays q's */
void queue_dirs_close(struct queue_dirs *q);

/* --- box.c: where a recipient's mailbox is */
#define BOX_GROUPS_MAX 1024
struct box {
	struct mbx_user user; /* points into this struct */
	bool is_system;       /* a system user, not a virtual mailbox */
	char home[1025], maildir[1025];
	char name[65], detail[129]; /* of a system user; of the address, behind the delimiter */
	gid_t groups[BOX_GROUPS_MAX];
	bool apart;        /* on another file system than the queue: nothing can be renamed */
	uint64_t until_ms; /* how long it may be taken from the cache */
};
/* resolve's answer, checked again by the side that acts on it: uid, path, base. false: *res says what becomes of the message. */
bool box_judge(const struct resolve_box *answer, const struct cfg *cfg, struct box *ret, struct deliver_res *res) MUST_CHECK;

/* --- user_half.c: children that are users, kept for more messages to the same mailboxes */
#define USER_HALF_HEAD_MAX 2000 /* three addresses and their field names */
struct user_half {
	pid_t pid; /* 0: none */
	int fd;
	uint64_t used_ms;     /* when it was given its last order */
	struct mbx_user user; /* points into this struct */
	gid_t groups[BOX_GROUPS_MAX];
	char home[1025], maildir[1025];
};
#define USER_HALVES 8
struct user_halves {
	struct user_half half[USER_HALVES];
};
void user_halves_init(struct user_halves *all);
/* mbx_copy() in a child that has become the user for good; ends it after wait_ms. c->file is all it gets. On success res->where is
 * the file, else *res says why (deferred). */
void user_half_copy(
	struct user_halves *all, const struct mbx_user *user, const struct mbx_copy *c, uint64_t wait_ms, struct deliver_res *res);
struct forwarding {
	struct forward_order order;
	int smtpd; /* a connection to smtpd.forward; stays the caller's */
};
/* The same with forward_deliver(). */
void user_half_forward(struct user_halves *all, const struct mbx_user *user, const struct mbx_copy *c, const struct forwarding *fwd,
	uint64_t wait_ms, struct deliver_res *res);
/* Ends those that have had nothing to do for idle_ms (0: all). What is left: how many. */
unsigned user_halves_end(struct user_halves *all, uint64_t idle_ms);

struct agent {
	const struct cfg *cfg;
	struct queue_dirs queue;
	/* Connects to another service. */
	bool (*connect)(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e);
	void *arg;
	int resolve_fd; /* kept channel, -1: none */
	struct user_halves halves;
	struct hmap *boxes; /* good answers of the last seconds, by address */
};
void agent_init(struct agent *a, const struct cfg *cfg);
void agent_free(struct agent *a);
/* The mailbox of a final address, from the cache or from resolve. It is valid until the next call. */
bool agent_find_box(struct agent *a, const char *address, struct box **ret, struct deliver_res *res) MUST_CHECK;

/* --- deliver.c */
/* One recipient; fills in *res in every case. The descriptor in req stays the caller's. */
void agent_deliver(struct agent *a, const struct deliver_req *req, struct deliver_res *res);

#endif
