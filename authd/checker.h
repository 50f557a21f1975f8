/* checker - the loop's side of a keeper: questions wait in line for it, answers come as calls. */
#ifndef AUTHD_CHECKER_H
#define AUTHD_CHECKER_H

#include "event/ev.h"
#include "ipc/msg_auth.h"

#define CHECKER_LINE_MAX 2000 /* questions in line */

struct check_job;
struct checker {
	struct ev_loop *loop;
	struct ev_io io; /* fd -1: there is none */
	size_t max, busy, waiting;
	struct check_job *first, *last;
	void (*on_verdict)(void *arg, const struct auth_verdict *v);
	void (*on_dead)(void *arg); /* its keeper ended: nothing can be checked any more */
	void *arg;
};

bool checker_init(
	struct checker *c, struct ev_loop *loop, int fd, size_t max, struct err *e) MUST_CHECK; /* calls are set by the caller */
void checker_free(struct checker *c);
bool checker_ask(
	struct checker *c, const struct auth_ask *q) MUST_CHECK; /* false: the line is too long. Copies, and wipes its copy */

#endif
