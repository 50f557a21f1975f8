/* helpers - the processes of nss.h: made when there is work, at most so many, killed when they are stuck, replaced when they die.
 */
#ifndef RESOLVE_HELPERS_H
#define RESOLVE_HELPERS_H

#include "event/ev.h"
#include "nss.h"

struct helpers;
struct helper;

struct helper_job { /* the caller's; stays in place until it is answered or dropped */
	struct nss_req q;
	/* helpers' own */
	struct helper_job *next, *prev; /* in line */
	struct helper *with;            /* or being asked */
	bool queued;
};

/* on_answer: a is NULL when the helper died over it. May ask again. */
struct helpers *helpers_new(
	struct ev_loop *loop, uint64_t max, void (*on_answer)(struct helper_job *job, const struct nss_user *a));
void helpers_free(struct helpers *h);                        /* kills all; jobs are forgotten */
void helpers_ask(struct helpers *h, struct helper_job *job); /* never calls on_answer before it returns */
void helpers_drop(
	struct helpers *h, struct helper_job *job); /* no answer wanted any more: a helper that is busy with it is killed */

#endif
