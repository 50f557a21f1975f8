#include "base/secret.h"

void secret_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

/* Without a branch on contents or on the length of b: past its end, b's first byte is compared again, in vain. */
bool secret_eq(struct sv a, struct sv b)
{
	static const char none[1];
	const volatile char *pb = b.n ? b.p : none;
	size_t diff = a.n ^ b.n;

	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ pb[i & (0 - (size_t)(i < b.n))]);
	return diff == 0;
}
