/* bench - a queue-mgr without master, agents and clients: a real queue directory, its helpers, a loop that the test turns. */
#ifndef UNIT_QUEUE_BENCH_H
#define UNIT_QUEUE_BENCH_H

#include "queue-mgr/qmgr.h"
#include "unit/spool/spool_file.h"

struct bench {
	struct temp_dir temp;
	struct spool_dir dir; /* the test's own view of the queue */
	struct cfg cfg;
	struct qmgr q;
	int log_fd; /* of bench_listen() */
	struct buf log;
};
void bench_init(struct bench *b); /* the queue is locked, nothing is read yet */
void bench_free(struct bench *b);
void bench_turn(struct bench *b, bool (*until)(struct bench *)); /* until it says so, 5 s at most */

/* From now on the log, from level info on, is kept for bench_logged(). */
void bench_listen(struct bench *b);
unsigned bench_logged(struct bench *b, const char *text); /* how often was it said, up to now? */

struct holder { /* another process that holds the lock of a file */
	pid_t pid;
	int pipe;
};
void holder_start(struct holder *h, int dir, const char *name);
void holder_end(struct holder *h);
int memfd_of(struct sv content);

#endif
