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

/* --- the user's rights on files (root half) ----------------------------------------------------------------------------------- */
/* Takes the user's groups, fsgid and fsuid and proves that root's override of file modes is gone with them (only a process whose
 * euid is 0 has others to give). Ends the process when the ids cannot be given back: never go on as somebody else. An ordinary user
 * (unprivileged mode) keeps its ids; ERR_TEMP when it is not `user`. After mbx_ids_back() root has no supplementary groups. */
bool mbx_ids_take(const struct mbx_user *user, struct err *e) MUST_CHECK;
void mbx_ids_back(void);
/* Is there anything called `name` (a link counts, wherever it points) in the home? Looks with the user's rights. ERR_TEMP, 4.2.1:
 * no telling, or the home is missing. */
bool mbx_home_has(const struct mbx_user *user, const char *name, bool *ret, struct err *e) MUST_CHECK;

/* --- by rename (root half; as an ordinary user in unprivileged mode) --------------------------------------------------------- */
enum mbx_moved {
	MBX_MOVED,
	MBX_USE_COPY,
	MBX_GONE,   /* the queue name is gone and the Maildir has it: an earlier try */
	MBX_BARRED, /* nothing was done */
};
struct mbx_move {
	int queue_dir; /* directory that holds the file */
	const char *queue_name;
	uid_t queue_uid; /* expected owner (or the user: an earlier try) */
	uint64_t size;   /* s: cut here */
	const struct mbx_user *user;
	const char *name; /* in Maildir/new */
	const char *bar;  /* where the home has something of this name, nothing is done: MBX_BARRED; NULL: not looked for */
	int file;         /* the same file as queue-mgr lent it, to be sure that the name still means it; -1: not checked */
};
/* MBX_USE_COPY: e says why the rename does not apply; nothing was changed (or it was undone), but a missing Maildir may be
 * made and zeros after s cut off.
 * e->sys is EEXIST when an earlier try may have put it there: copy with look_first. MBX_MOVED with e->kind set: it is there, but
 * its group could not be changed (quota). false: the queue file is not what it should be, or cannot be given back; defer and log
 * (ERR_TEMP). The caller ignores SIGIO: a lease is taken for an instant, and whoever opens the file then breaks it. */
bool mbx_move(const struct mbx_move *m, enum mbx_moved *ret, struct err *e) MUST_CHECK;

/* --- by copy (user half: already runs as the user) ---------------------------------------------------------------------------- */
struct mbx_copy {
	int file;              /* fresh read-only descriptor without lock */
	uint64_t offset, size; /* what to copy: [offset, size) */
	const char *head;      /* our lines before it: Return-Path, Delivered-To, X-Original-To */
	size_t head_len;
	const char *name;       /* <id>.<n> in new/ */
	bool look_first;        /* search new/ and cur/ for it: an earlier try */
	const char *moved_name; /* with look_first: the name of an earlier rename, whose file is `size` long; NULL: none */
};
/* tmp, fsync, rename, fsync(dir). Creates the Maildir (0700) when missing. dsn in e: 4.2.2 disk full or quota, 4.2.1 mailbox
 * unusable (owner, symlink), 4.3.0 others. True: it is there, durable; *ret_path is the file below the home. */
bool mbx_copy(const struct mbx_user *user, const struct mbx_copy *c, char *ret_path, size_t path_size, struct err *e) MUST_CHECK;

/* Opens Maildir/new below home (of mbx_open_home()) with the current rights: openat2 RESOLVE_BENEATH|NO_SYMLINKS, owner checked.
 * make: create missing directories 0700 (all three parts), durably. dsn of errors as above. */
bool mbx_open_home(const struct mbx_user *user, int *ret_fd, struct err *e) MUST_CHECK;
bool mbx_look_for(const struct mbx_user *user, int home, const char *name, bool *ret, struct err *e) MUST_CHECK;
bool mbx_open_new(const struct mbx_user *user, int home, bool make, int *ret_maildir_fd, int *ret_new_fd, struct err *e) MUST_CHECK;
/* One part ("tmp", "new", "cur") of an open Maildir, in the same way. */
bool mbx_open_part(const struct mbx_user *user, int maildir_fd, const char *part, bool make, int *ret_fd, struct err *e) MUST_CHECK;
/* The same as err_sys() with ERR_TEMP, and the dsn that belongs to the errno. */
bool mbx_err(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
