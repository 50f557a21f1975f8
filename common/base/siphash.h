/* siphash - SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that a peer who does not know the key cannot steer. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/sv.h"

struct siphash_key {
	uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, struct sv s);

#endif
