#include "limit.h"

#include "base/clock.h"
#include "base/siphash.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define SETS 8192 /* 65,536 clients in 4 MiB, of which only touched pages exist */
#define WAYS 8
#define MINUTE_US 60000000u
#define GREETED LIMIT_KINDS /* until_ms of limits_remember(), in microseconds like the others */

struct slot {
	_Atomic uint64_t who; /* 0: free */
	_Atomic uint64_t until[LIMIT_KINDS + 1];
};

struct limits {
	struct siphash_key key; /* a peer must not choose who shares its set */
	struct log_rate log;
	struct slot slots[SETS][WAYS];
};

struct limits *limits_new(struct err *e)
{
	struct limits *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l == MAP_FAILED) {
		err_sys(e, ERR_LIMIT, "memory for the limits");
		return NULL;
	}
	l->key = (struct siphash_key){ rnd_u64(), rnd_u64() };
	return l;
}

/* --- who --- */
static uint64_t who_of(const struct limits *l, char type, const void *p, size_t n)
{
	char text[160] = { type };
	n = MIN(n, sizeof text - 1);
	memcpy(text + 1, p, n);
	uint64_t h = siphash(&l->key, (struct sv){ text, n + 1 });
	return h ? h : 1;
}

static uint64_t prefix_of(const struct limits *l, const struct addr *a, char type, size_t v4, size_t v6)
{
	if (a->family != AF_INET && a->family != AF_INET6)
		return 0;
	return who_of(l, (char)(type + (a->family == AF_INET6)), a->ip, a->family == AF_INET ? v4 : v6);
}

uint64_t limits_client(const struct limits *l, const struct addr *a) { return prefix_of(l, a, 'c', 4, 8); }
uint64_t limits_network(const struct limits *l, const struct addr *a) { return prefix_of(l, a, 'n', 3, 6); }
uint64_t limits_account(const struct limits *l, const char *account)
{
	return *account ? who_of(l, 'a', account, strlen(account)) : 0;
}

/* --- the table --- */
static struct slot *find(const struct limits *l, uint64_t who)
{
	struct slot *set = (struct slot *)l->slots[who % SETS];
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].who == who)
			return &set[i];
	return NULL;
}

/* When the last of its facts is over. */
static uint64_t busy_until(const struct slot *s)
{
	uint64_t last = 0;
	for (unsigned i = 0; i < COUNT(s->until); i++)
		last = MAX(last, s->until[i]);
	return last;
}

/* Two workers may take the same slot, or two for one client: a count is then too low for a moment, and nothing breaks. */
static struct slot *find_or_make(struct limits *l, uint64_t who)
{
	struct slot *set = l->slots[who % SETS], *oldest = find(l, who);
	if (oldest)
		return oldest;
	oldest = &set[0];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].who == 0) {
			oldest = &set[i];
			break;
		}
		if (busy_until(&set[i]) < busy_until(oldest))
			oldest = &set[i];
	}
	for (unsigned i = 0; i < COUNT(oldest->until); i++)
		oldest->until[i] = 0;
	oldest->who = who;
	return oldest;
}

bool limits_take(struct limits *l, uint64_t who, enum limit_kind what, uint64_t per_minute, uint64_t n, uint64_t now_ms)
{
	if (per_minute == 0 || who == 0 || n == 0)
		return true;
	_Atomic uint64_t *until = &find_or_make(l, who)->until[what];
	uint64_t now = now_ms * 1000, old = *until, next;
	do {
		next = MAX(old, now) + MIN(n, per_minute + 1) * MINUTE_US / per_minute;
		if (next > now + MINUTE_US)
			return false;
	} while (!atomic_compare_exchange_weak(until, &old, next));
	return true;
}

void limits_remember(struct limits *l, uint64_t who, uint64_t until_ms, uint64_t now_ms)
{
	if (who != 0 && until_ms > now_ms)
		find_or_make(l, who)->until[GREETED] = until_ms * 1000;
}

bool limits_remembered(const struct limits *l, uint64_t who, uint64_t now_ms)
{
	const struct slot *s = who != 0 ? find(l, who) : NULL;
	return s && s->until[GREETED] > now_ms * 1000;
}

struct log_rate *limits_log(struct limits *l) { return &l->log; }
