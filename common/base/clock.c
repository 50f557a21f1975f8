#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>

static uint64_t read_ms(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void) { return read_ms(CLOCK_MONOTONIC); }
uint64_t clock_real_ms(void) { return read_ms(CLOCK_REALTIME); }
uint64_t clock_real_secs(void) { return read_ms(CLOCK_REALTIME) / 1000; }

void rnd_bytes(void *dst, size_t n)
{
	for (char *p = dst; n;) {
		ssize_t got = getrandom(p, n, 0);
		BUG_IF(got < 0 && errno != EINTR);
		if (got <= 0)
			continue;
		p += got;
		n -= (size_t)got;
	}
}

uint64_t rnd_u64(void)
{
	uint64_t n;

	rnd_bytes(&n, sizeof(n));
	return n;
}
