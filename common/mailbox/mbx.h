/* mbx - storing messages in Maildirs. Two ways in: the queue file itself by rename (mbx_move.c, the root half's only step) and a
 * copy with the user's own rights (mbx_copy.c). DESIGN D6, docs/QUEUE.md. */
#ifndef MAILBOX_MBX_H
#define MAILBOX_MBX_H

#include "base/err.h"

#include <sys/types.h>

struct mbx_user {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	const char *home;    /* absolute; for a virtual mailbox virtual_base */
	const char *maildir; /* relative to home */
};

#define MBX_NAME_MAX 128

/* --- by rename (root half; as an ordinary user in unprivileged mode) --------------------------------------------------------- */
enum mbx_moved { MBX_MOVED, MBX_USE_COPY, MBX_GONE /* the queue name is gone and the Maildir has it: an earlier try */ };
struct mbx_move {
	int queue_dir;          /* directory that holds the file */
	const char *queue_name;
	uid_t queue_uid;        /* expected owner (or the user: an earlier try) */
	uint64_t size;          /* s: cut here */
	const struct mbx_user *user;
	const char *name;       /* in Maildir/new */
};
/* MBX_USE_COPY: e says why the rename does not apply; nothing was changed (or it was undone). false: must not happen again now (ERR_TEMP). */
bool mbx_move(const struct mbx_move *m, enum mbx_moved *ret, struct err *e) MUST_CHECK;

/* --- by copy (user half: already runs as the user) ---------------------------------------------------------------------------- */
struct mbx_copy {
	int file;               /* fresh read-only descriptor without lock */
	uint64_t offset, size;  /* what to copy: [offset, size) */
	const char *head;       /* our lines before it: Return-Path, Delivered-To, X-Original-To */
	size_t head_len;
	const char *name;       /* <id>.<n> in new/ */
	bool look_first;        /* search new/ and cur/ for it: an earlier try */
};
/* tmp, fsync, rename, fsync(dir). Creates the Maildir (0700) when missing. dsn in e: 4.2.2 disk full or quota, 4.2.1 mailbox
 * unusable (owner, symlink), 4.3.0 others. True: it is there, durable; *ret_path is the file below the home. */
bool mbx_copy(const struct mbx_user *user, const struct mbx_copy *c, char *ret_path, size_t path_size, struct err *e) MUST_CHECK;

/* Opens Maildir/new below home with the current rights: openat2 RESOLVE_BENEATH|NO_SYMLINKS, owner checked. make: create missing
 * directories 0700. */
bool mbx_open_new(const struct mbx_user *user, bool make, int *ret_maildir_fd, int *ret_new_fd, struct err *e) MUST_CHECK;

#endif
