/* bayes_tab - the classifier's table as the workers read it: compiled from the counts (bayes_db.h) after each training, never
 * changed in place, mapped read-only and shared by all workers. A look-up touches one cache line.
 *
 * File: a header of 64 bytes, then 2^k slots of 8 bytes: the upper 48 bits of a token and its probability in the lower 16; 0 is
 * free. Byte order is the machine's: it is made again from the counts, not carried around. */
#ifndef SPAMCHECK_BAYES_TAB_H
#define SPAMCHECK_BAYES_TAB_H

#include "base/err.h"
#include "base/vec.h"
#include "tokens.h"

#include <sys/types.h>
#include <time.h>

struct bayes_tab {
	const uint64_t *slot; /* NULL: no table */
	size_t slots;
	uint64_t spam, ham; /* messages it was made from */
	void *map;
	size_t map_len;
	dev_t dev; /* of the file seen last, good or bad */
	ino_t ino;
	struct timespec changed;
};

/* Looks whether dirfd/name is another file than the one seen last, and maps that one if so. No file is no error. false: it is
 * damaged; no table is in use then, and the same file is not tried again. */
bool bayes_tab_refresh(struct bayes_tab *t, int dirfd, const char *name, struct err *e) MUST_CHECK;
/* The probability of spam; false: no table, or too little was trained. */
bool bayes_tab_judge(const struct bayes_tab *t, const struct tokens *tokens, double *ret) MUST_CHECK;
void bayes_tab_close(struct bayes_tab *t);

#define BAYES_TAB_TOKENS_MAX ((size_t)1 << 21)
struct bayes_tab_entry {
	uint64_t token;
	uint16_t q; /* bayes_token() */
};
/* Writes and fsyncs the file dirfd/name, which must not exist. entries: of struct bayes_tab_entry. */
bool bayes_tab_write(int dirfd, const char *name, const struct vec *entries, uint64_t spam, uint64_t ham, struct err *e) MUST_CHECK;

#endif
