/* tokens - what the classifier knows of a message: a set of 64-bit hashes of its words, pairs of words, hosts and header words.
 *
 * Stable over restarts and machines (the database holds them) and keyed by nothing. The set is bounded: what comes after the
 * first TOKENS_MAX different tokens is not looked at, for training and checking alike. */
#ifndef SPAMCHECK_TOKENS_H
#define SPAMCHECK_TOKENS_H

#include "base/sv.h"

#define TOKENS_MAX 8192
#define TOKENS_SLOTS (2 * TOKENS_MAX)

struct tokens {
	size_t n;
	uint64_t token[TOKENS_MAX];
	uint64_t slot[TOKENS_SLOTS]; /* the same, as a hash set; 0: free */
};

void tokens_reset(struct tokens *t);
void tokens_add(
	struct tokens *t, const char *prefix, struct sv word); /* one token, case folded; prefix tells kinds apart: "subject:" */
/* Splits text into words, and takes each with its neighbour too: pairs tell more than words. URLs give their host and domain.
 * Bytes above 127 are parts of words. */
void tokens_add_text(struct tokens *t, const char *prefix, struct sv text);

#endif
