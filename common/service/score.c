#include "service/score.h"

#include <sys/mman.h>

struct score *score_new(unsigned max, struct err *e)
{
	size_t size = sizeof(struct score) + max * (sizeof(*((struct score *)0)->mark) + sizeof(sig_atomic_t) + sizeof(uint8_t));
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		err_sys(e, ERR_LIMIT, "memory for %u workers", max);
		return NULL;
	}
	struct score *s = p; /* zeroed: every slot is SCORE_FREE */
	s->max = max;
	s->size = size;
	s->mark = (void *)(s + 1);
	s->refused = (void *)(s->mark + max);
	s->state = (void *)(s->refused + max);
	return s;
}

void score_free(struct score *s)
{
	if (s)
		munmap(s, s->size);
}

int score_take(struct score *s)
{
	for (unsigned i = 0; i < s->max; i++) {
		if (s->state[i] != SCORE_FREE)
			continue;
		score_clear(s, i);
		s->state[i] = SCORE_STARTING;
		return (int)i;
	}
	return -1;
}

void score_clear(struct score *s, unsigned slot)
{
	BUG_IF(slot >= s->max);
	s->mark[slot] = 0;
	s->refused[slot] = 0;
	s->state[slot] = SCORE_FREE;
}

void score_set(struct score *s, unsigned slot, enum score_state state)
{
	BUG_IF(slot >= s->max);
	s->state[slot] = (uint8_t)state;
}

struct score_counts score_count(const struct score *s)
{
	unsigned n[SCORE_LEAVING + 1] = { 0 };
	for (unsigned i = 0; i < s->max; i++)
		n[atomic_load_explicit(&s->state[i], memory_order_relaxed)]++;
	return (struct score_counts){
		.workers = s->max - n[SCORE_FREE],
		.idle = n[SCORE_STARTING] + n[SCORE_IDLE],
		.busy = n[SCORE_BUSY],
	};
}

/* An IPv4 address, and a uid, gets a prefix that no IPv6 unicast network has. */
static uint64_t mark_of(const struct addr *a)
{
	static const uint8_t no_uid[4];
	if (a->family == AF_UNIX && memcmp(a->ip, no_uid, sizeof(no_uid)) == 0)
		return 0;
	if (a->family != AF_INET && a->family != AF_INET6 && a->family != AF_UNIX)
		return 0;
	uint64_t m = a->family == AF_INET ? 0xff00 : a->family == AF_UNIX ? 0xfe00 : 0;
	for (unsigned i = 0; i < (a->family == AF_INET6 ? 8 : 4); i++)
		m = m << 8 | a->ip[i];
	return m ? m : 1; /* ::/64, loopback */
}

void score_mark(struct score *s, unsigned slot, const struct addr *client)
{
	BUG_IF(slot >= s->max);
	s->mark[slot] = client ? mark_of(client) : 0;
}

unsigned score_marked(const struct score *s, const struct addr *client)
{
	uint64_t m = mark_of(client);
	unsigned n = 0;
	for (unsigned i = 0; m && i < s->max; i++)
		n += atomic_load_explicit(&s->mark[i], memory_order_relaxed) == m;
	return n;
}
