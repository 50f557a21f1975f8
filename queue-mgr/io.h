/* io - the slow work on queue files, in helper processes: fsync, checksum, status bytes (DESIGN section 2, "What blocks is not in
 * the loop"). The helpers are forked before queue-mgr opens a file, hold no lock and end with it. */
#ifndef QUEUE_IO_H
#define QUEUE_IO_H

#include "event/ev.h"
#include "index.h"

enum io_op {
	IO_VERIFY,   /* fsync, then check: is this file complete? */
	IO_MARK,     /* write status bytes, fdatasync */
	IO_SYNC_DIR, /* fsync the directories of `dirs` */
};
enum io_answer {
	IO_OK,
	IO_TORN,    /* VERIFY: its writing was cut off; nobody got a 250 for it (docs/QUEUE.md section 4) */
	IO_CORRUPT, /* VERIFY: no queue file, or one that may have been whole once */
	IO_TEMP,    /* could not be done now: `e` says why */
};

struct io_mark {
	uint64_t at;
	uint64_t status; /* enum spool_status */
};
#define IO_MARKS_MAX 256

struct io_job { /* the caller's, in place until done() was called */
	enum io_op op;
	enum where where;
	struct spool_id id;
	char name[SPOOL_NAME_MAX];
	const struct io_mark *marks; /* MARK: at most IO_MARKS_MAX */
	size_t n_marks;
	uint64_t dirs; /* SYNC_DIR: bits of io_dir_bit() */
	void (*done)(struct io_job *job, enum io_answer answer, const struct err *e);
	void *arg;
	struct io_job *next; /* io's own */
};
uint64_t io_dir_bit(enum where where, const struct spool_id *id);

struct io;
/* Forks the helpers. queue_path is opened by each for itself. */
struct io *io_new(struct ev_loop *loop, const char *queue_path, unsigned helpers, struct err *e);
void io_free(struct io *io); /* the helpers end; jobs that are not done are forgotten */
void io_submit(struct io *io, struct io_job *job);
size_t io_busy(const struct io *io); /* jobs not done yet */

/* The helper's side (io_helper.c): serves requests on fd until its end. */
#define IO_PACKET_MAX (sizeof(struct io_request) + IO_MARKS_MAX * sizeof(struct io_mark))
struct io_request { /* between images of the same program, forked: no codec */
	uint32_t op, where, n_marks;
	struct spool_id id;
	char name[SPOOL_NAME_MAX];
	uint64_t dirs;
};
struct io_reply {
	uint32_t answer;
	struct err e;
};
void io_helper_run(int fd, const char *queue_path);
enum io_answer io_do(const struct spool_dir *d, const struct io_request *req, const struct io_mark *marks, struct err *e);

#endif
