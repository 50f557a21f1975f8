#include "service/score.h"

#include <sys/mman.h>

struct score *score_new(unsigned max, struct err *e)
{
	size_t size =
		sizeof(struct score) + max * (3 * sizeof(*((struct score *)0)->mark) + sizeof(sig_atomic_t) + sizeof(uint8_t));
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		err_sys(e, ERR_LIMIT, "memory for %u workers", max);
		return NULL;
	}
	struct score *s = p; /* zeroed: every slot is SCORE_FREE */
	s->max = max;
	s->size = size;
	s->mark = (void *)(s + 1);
	s->tag = s->mark + max;
	s->still_ms = s->tag + max;
	s->refused = (void *)(s->still_ms + max);
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
	s->mark[slot] = s->tag[slot] = s->still_ms[slot] = 0;
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

static unsigned net_shift(uint64_t m) { return m >> 32 == 0xff00 ? 8 : m >> 32 == 0xfe00 ? 0 : 16; }

unsigned score_marked_net(const struct score *s, const struct addr *client)
{
	uint64_t m = mark_of(client);
	unsigned n = 0, shift = net_shift(m);
	for (unsigned i = 0; m && i < s->max; i++)
		n += atomic_load_explicit(&s->mark[i], memory_order_relaxed) >> shift == m >> shift;
	return n;
}

unsigned score_tagged(const struct score *s, uint64_t tag)
{
	unsigned n = 0;
	for (unsigned i = 0; tag && i < s->max; i++)
		n += atomic_load_explicit(&s->tag[i], memory_order_relaxed) == tag;
	return n;
}

int score_stillest(const struct score *s, uint64_t before_ms)
{
	int found = -1;
	for (unsigned i = 0; i < s->max; i++) {
		uint64_t still = atomic_load_explicit(&s->still_ms[i], memory_order_relaxed);
		if (still == 0 || still >= before_ms || s->state[i] != SCORE_BUSY)
			continue;
		before_ms = still;
		found = (int)i;
	}
	return found;
}
