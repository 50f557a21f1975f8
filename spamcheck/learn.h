/* learn - one training session: messages come one by one, and count all together or not at all. */
#ifndef SPAMCHECK_LEARN_H
#define SPAMCHECK_LEARN_H

#include "bayes_db.h"
#include "ipc/msg_spam.h"
#include "scan.h"

struct learn {
	int dirfd; /* the caller's, with its path */
	const char *path;
	struct scan *scan;   /* the caller's */
	struct bayes_db *db; /* NULL until the first message */
	uint64_t learnt, skipped;
	struct buf bytes;
};

void learn_init(struct learn *l, int dirfd, const char *path, struct scan *scan);
/* One message. false: the session is of no use any more. The descriptor stays the caller's. */
bool learn_message(struct learn *l, const struct spam_learn *m, struct err *e) MUST_CHECK;
bool learn_commit(struct learn *l, struct err *e) MUST_CHECK;
void learn_answer(const struct learn *l, const struct err *failed, struct spam_learnt *ret); /* failed NULL: all is well */
void learn_end(struct learn *l); /* without commit: nothing was learnt */

#endif
