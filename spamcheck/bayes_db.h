/* bayes_db - what was trained: counts for each token, and which messages they came from. Berkeley DB, used in this file alone.
 *
 * Only a training session opens it, one at a time (flock on `lock`). It works on a copy, bayes.db.new: a session that ends in any
 * way but bayes_db_commit() has changed nothing. Commit compiles the workers' table from it and renames both into place:
 *   bayes.tab.new, bayes.db.new written and fsynced; bayes.db renamed; bayes.tab renamed; the directory fsynced.
 * A crash between the renames leaves a table that is one training older, until the next commit.
 * Bounded: past BAYES_DB_TOKENS_MAX tokens the oldest are dropped, rare ones first; past BAYES_DB_MESSAGES_MAX messages it is
 * forgotten which ones were trained first (their counts stay). "Old" is counted in messages trained since. */
#ifndef SPAMCHECK_BAYES_DB_H
#define SPAMCHECK_BAYES_DB_H

#include "base/err.h"
#include "tokens.h"

#define BAYES_DB_FILE "bayes.db"
#define BAYES_TAB_FILE "bayes.tab"
#define BAYES_DB_TOKENS_MAX 1000000u /* about 45 MB; the table from it 16 MB at most */
#define BAYES_DB_MESSAGES_MAX 200000u

struct bayes_db;

struct bayes_digest { /* of a message: says whether it was trained already */
	unsigned char byte[16];
};
enum bayes_class { BAYES_UNKNOWN, BAYES_SPAM, BAYES_HAM };

/* dirfd and path are the same directory (Berkeley DB opens by path); dirfd must outlive the session. Waits up to wait_ms for
 * another session. ERR_TEMP: another one is running, or the system said no; ERR_PERM: the database is damaged, with what to do.
 * NULL on failure. */
struct bayes_db *bayes_db_begin(int dirfd, const char *path, uint64_t wait_ms, struct err *e);
/* The message becomes `to`: BAYES_UNKNOWN forgets it. *ret_changed false: it was so before. */
bool bayes_db_set(struct bayes_db *db, const struct bayes_digest *digest, const struct tokens *tokens, enum bayes_class to,
	bool *ret_changed, struct err *e) MUST_CHECK;
void bayes_db_totals(const struct bayes_db *db, uint64_t *ret_spam, uint64_t *ret_ham);
bool bayes_db_commit(struct bayes_db *db, struct err *e) MUST_CHECK;
void bayes_db_end(struct bayes_db *db); /* without a commit before: nothing happened. NULL is fine */

/* For tests: smaller bounds. */
void bayes_db_set_limits(struct bayes_db *db, uint64_t tokens_max, uint64_t messages_max);

#endif
