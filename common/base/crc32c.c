#include "base/crc32c.h"

#define POLY 0x82f63b78u /* x^32 + ... + 1 of RFC 3720 B.4, bits reflected */

/* The CRC is linear: the entry of a byte is the sum of the entries of its bits. */
#define BIT(b, n, entry) ((b) >> (n)&1 ? (entry) : 0u)
#define E1(b)                                                                                                \
	(BIT(b, 0, 0xf26b8303u) ^ BIT(b, 1, 0xe13b70f7u) ^ BIT(b, 2, 0xc79a971fu) ^ BIT(b, 3, 0x8ad958cfu) ^ \
		BIT(b, 4, 0x105ec76fu) ^ BIT(b, 5, 0x20bd8edeu) ^ BIT(b, 6, 0x417b1dbcu) ^ BIT(b, 7, POLY))
#define E4(b) E1(b), E1((b) + 1), E1((b) + 2), E1((b) + 3)
#define E16(b) E4(b), E4((b) + 4), E4((b) + 8), E4((b) + 12)
#define E64(b) E16(b), E16((b) + 16), E16((b) + 32), E16((b) + 48)
static const uint32_t table[256] = { E64(0), E64(64), E64(128), E64(192) };

uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *b = p;

	crc = ~crc;
	while (n--)
		crc = table[(crc ^ *b++) & 0xff] ^ crc >> 8;
	return ~crc;
}

#ifdef __x86_64__
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_cpu(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t c = ~crc;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t word;
		memcpy(&word, b, 8);
		c = _mm_crc32_u64(c, word);
	}
	while (n--)
		c = _mm_crc32_u8((uint32_t)c, *b++);
	return ~(uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
	return __builtin_cpu_supports("sse4.2") ? by_cpu(crc, p, n) : crc32c_by_table(crc, p, n);
}
#else
uint32_t crc32c(uint32_t crc, const void *p, size_t n) { return crc32c_by_table(crc, p, n); }
#endif

/* Product of two polynomials modulo POLY; the highest bit is the coefficient of x^0. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t sum = 0;

	for (; a; a <<= 1) {
		if (a >> 31)
			sum ^= b;
		b = b >> 1 ^ (b & 1 ? POLY : 0);
	}
	return sum;
}

/* B's length in zero bytes appended to A is a multiplication by x^(8 * len_b). */
uint32_t crc32c_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	uint32_t factor = 0x00800000; /* x^8 */

	for (; len_b; len_b >>= 1) {
		if (len_b & 1)
			crc_a = multiply(factor, crc_a);
		factor = multiply(factor, factor);
	}
	return crc_a ^ crc_b;
}
