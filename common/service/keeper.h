/* keeper - a process that answers questions which may block, crash or hang: one child for each, killed when it takes too long, so
 * that nothing a library does outlives its question. The loop's side of it, `errands`, keeps the questions in line.
 *
 * Question and answer are IPC messages without descriptors whose first field is a U64, the id that ties them together. Questions
 * are wiped when done with: there may be passwords in them. */
#ifndef SERVICE_KEEPER_H
#define SERVICE_KEEPER_H

#include "event/ev.h"
#include "ipc/ipc.h"

#define ERRANDS_LINE_MAX 2000 /* questions in line */

struct keeper_options {
	const struct ipc_desc *ask, *answer;
	/* In the child. *ret is zero but for its id. When the child crashes or is killed, `broken` makes the answer, in the keeper.
	 */
	void (*judge)(const void *q, const void *arg, void *ret);
	void (*broken)(void *ret, const char *why);
	const void *arg;
	size_t at_once;
	uint64_t timeout_ms;                             /* of one question */
	bool (*confine)(const void *arg, struct err *e); /* in the keeper, before the first question; NULL: none */
};
/* Forks it; *ret_fd takes questions and gives an answer for each, in any order. It ends when the descriptor is closed. */
bool keeper_start(const struct keeper_options *o, int *ret_fd, struct err *e) MUST_CHECK;

struct errand;
struct errands {
	struct ev_loop *loop;
	struct ev_io io; /* fd -1: there is none */
	const struct ipc_desc *ask, *answer;
	size_t max, busy, waiting;
	struct errand *first, *last;
	void *scratch; /* an answer */
	void (*on_answer)(void *arg, const void *answer);
	void (*on_dead)(void *arg); /* its keeper ended: nothing can be asked any more */
	void *arg;
};

/* Messages and calls are set by the caller, who gives up fd. */
bool errands_init(struct errands *c, struct ev_loop *loop, int fd, size_t at_once, struct err *e) MUST_CHECK;
void errands_free(struct errands *c);
bool errands_ask(struct errands *c, const void *q) MUST_CHECK; /* false: the line is too long. Copies, and wipes its copy */

#endif
