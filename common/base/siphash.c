#include "base/siphash.h"

#include <endian.h>

struct state {
	uint64_t a, b, c, d;
};

static uint64_t rotl(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

static void rounds(struct state *s, int n)
{
	while (n-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = rotl(s->b, 13) ^ s->a;
		s->d = rotl(s->d, 16) ^ s->c;
		s->a = rotl(s->a, 32) + s->d;
		s->c += s->b;
		s->d = rotl(s->d, 21) ^ s->a;
		s->b = rotl(s->b, 17) ^ s->c;
		s->c = rotl(s->c, 32);
	}
}

static void absorb(struct state *s, uint64_t word)
{
	s->d ^= word;
	rounds(s, 2);
	s->a ^= word;
}

uint64_t siphash(const struct siphash_key *key, struct sv s)
{
	struct state st = { key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d, key->k0 ^ 0x6c7967656e657261,
		key->k1 ^ 0x7465646279746573 };
	uint64_t word;
	size_t left;

	for (left = s.n; left >= 8; left -= 8) {
		memcpy(&word, s.p + (s.n - left), 8);
		absorb(&st, le64toh(word));
	}
	word = 0;
	if (left)
		memcpy(&word, s.p + (s.n - left), left);
	absorb(&st, le64toh(word) | (uint64_t)s.n << 56);
	st.c ^= 0xff;
	rounds(&st, 4);
	return st.a ^ st.b ^ st.c ^ st.d;
}
