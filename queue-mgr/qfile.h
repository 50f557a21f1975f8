/* qfile - the files of the queue: opening with the lock, moving, removing. Never blocks on what is not a regular file. */
#ifndef QUEUE_QFILE_H
#define QUEUE_QFILE_H

#include "index.h"

enum found {
	FOUND,
	FOUND_GONE,    /* no such name */
	FOUND_LOCKED,  /* smtpd is still writing it, or an agent of a queue-mgr before us still has it */
	FOUND_FOREIGN, /* not a regular file, or one with several names */
	FOUND_FAILED,  /* cannot be opened now */
};

int qfile_dir(const struct spool_dir *d, enum where where, const struct spool_id *id);
/* One read-only description with the lock on it, FOUND only. */
enum found qfile_open(int dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e);
/* The same without asking for the lock, hence never FOUND_LOCKED. */
enum found qfile_peek(int dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e);
/* Out of the way, into corrupt/, under its own name or NAME.N when that is taken. Logged with the reason. A name that cannot be
 * moved stays; false. */
bool qfile_corrupt(const struct spool_dir *d, int dir, const char *name, const char *reason);
bool qfile_unlink(int dir, const char *name, struct err *e); /* true as well when it was gone */
/* Within one file system, never over an existing name. */
bool qfile_rename(int from_dir, const char *from, int to_dir, const char *to, struct err *e) MUST_CHECK;
/* The place of an entry, and its move: the name follows the entry's fields, so `change` says what they become. False: nothing
 * changed. */
struct entry_change {
	enum where where;
	uint32_t due;
	uint32_t tries;
	uint32_t dest, sender;
	bool warned;
	bool owner; /* means something in hold/ only */
};
struct entry_change entry_as_is(const struct index *ix, uint32_t slot);
bool entry_move(struct index *ix, const struct spool_dir *d, uint32_t slot, const struct entry_change *change, struct err *e);

#endif
