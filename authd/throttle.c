#include "throttle.h"

#include "base/clock.h"
#include "base/hmap.h"
#include "base/num.h"
#include "base/siphash.h"

#define ENTRIES_MAX 200000
#define SWEEP_EVERY_MS 1000
#define NETWORK_FACTOR 5
#define DOUBLINGS_MAX 3
#define KEY_MAX 300
#define KNOWN_MS (30ull * 86400 * 1000) /* how long a network is known to an account */

struct entry {
	uint64_t failures, last_ms, until_ms;
	uint64_t tried; /* keyed hash of the last password */
	uint64_t known_until_ms;
};

struct throttle {
	struct throttle_limits limits;
	struct hmap *entries; /* "a" account, "n" network, "k" account and network */
	struct siphash_key key;
	struct entry overflow; /* shared by all for whom there is no room */
	uint64_t swept_ms;
};

struct throttle *throttle_new(const struct throttle_limits *limits)
{
	struct throttle *t = mem_new(sizeof *t);
	*t = (struct throttle){ .limits = *limits, .entries = hmap_new(ENTRIES_MAX), .key = { rnd_u64(), rnd_u64() } };
	return t;
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	hmap_free(t->entries, free);
	free(t);
}

/* --- entries -------------------------------------------------------------------------------------------------------------- */

static void network_text(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
	struct addr_net net = { .family = a->family, .bits = a->family == AF_INET ? 24 : 64 };
	memcpy(net.ip, a->ip, a->family == AF_INET ? 3 : 8);
	if (a->family == AF_INET || a->family == AF_INET6)
		addr_net_text(&net, dst);
	else
		snprintf(dst, ADDR_TEXT_MAX, "local");
}

static void make_key(char dst[KEY_MAX], char kind, const struct throttle_client *c)
{
	char account[200], net[ADDR_TEXT_MAX];
	size_t i = 0;
	network_text(&c->addr, net);
	for (; c->account[i] && i + 1 < sizeof account; i++)
		account[i] = ascii_lower(c->account[i]);
	account[i] = '\0';
	snprintf(dst, KEY_MAX, "%c%s %s", kind, kind == 'n' ? "" : account, kind == 'a' ? "" : net);
}

static bool is_stale(const struct throttle *t, const struct entry *e, uint64_t now_ms)
{
	return now_ms >= e->until_ms && now_ms >= e->last_ms + t->limits.lock_ms && now_ms >= e->known_until_ms;
}

static void sweep(struct throttle *t, uint64_t now_ms)
{
	size_t cursor = 0;
	struct sv key;
	void *value;
	if (t->swept_ms && now_ms < t->swept_ms + SWEEP_EVERY_MS) /* or whoever fills it would keep us sweeping */
		return;
	t->swept_ms = now_ms;
	while (hmap_next(t->entries, &cursor, &key, &value))
		if (is_stale(t, value, now_ms)) {
			hmap_del(t->entries, key);
			free(value);
		}
}

/* What is old is forgotten as it is met. */
static struct entry *find(struct throttle *t, char kind, const struct throttle_client *c, uint64_t now_ms)
{
	char key[KEY_MAX];
	make_key(key, kind, c);
	struct entry *e = hmap_get(t->entries, sv_of(key));
	if (e && now_ms >= e->until_ms && now_ms >= e->last_ms + t->limits.lock_ms)
		e->failures = 0;
	return e;
}

static struct entry *obtain(struct throttle *t, char kind, const struct throttle_client *c, uint64_t now_ms)
{
	char key[KEY_MAX];
	struct entry *e = find(t, kind, c, now_ms);
	if (e)
		return e;
	if (hmap_len(t->entries) >= ENTRIES_MAX)
		sweep(t, now_ms);
	make_key(key, kind, c);
	e = mem_new(sizeof *e);
	if (hmap_put(t->entries, sv_of(key), e))
		return e;
	free(e);
	return &t->overflow;
}

/* Which entry stands for the account, seen from there. */
static char account_kind(struct throttle *t, const struct throttle_client *c, uint64_t now_ms)
{
	const struct entry *known = find(t, 'k', c, now_ms);
	return known && now_ms < known->known_until_ms ? 'k' : 'a';
}

/* --- the three questions -------------------------------------------------------------------------------------------------- */

static bool locked(const struct entry *e, uint64_t now_ms, uint64_t *ret_left_secs)
{
	if (!e || now_ms >= e->until_ms)
		return false;
	*ret_left_secs = (e->until_ms - now_ms + 999) / 1000;
	return true;
}

bool throttle_locked(struct throttle *t, const struct throttle_client *c, uint64_t now_ms, uint64_t *ret_left_secs)
{
	if (!c->trusted && locked(find(t, 'n', c, now_ms), now_ms, ret_left_secs))
		return true;
	return *c->account && locked(find(t, account_kind(t, c, now_ms), c, now_ms), now_ms, ret_left_secs);
}

static void count(struct throttle *t, struct entry *e, uint64_t max, uint64_t now_ms)
{
	e->failures++;
	e->last_ms = now_ms;
	if (e->failures >= max)
		e->until_ms = now_ms + t->limits.lock_ms;
}

uint64_t throttle_failed(struct throttle *t, const struct throttle_client *c, struct sv password, uint64_t now_ms)
{
	uint64_t tried = password.n ? siphash(&t->key, password) : 0, failures = 0;
	struct entry *account = *c->account ? obtain(t, account_kind(t, c, now_ms), c, now_ms) : NULL;
	bool again = account && tried && account->failures > 0 && account->tried == tried;
	if (account) {
		if (!again)
			count(t, account, t->limits.failures_max, now_ms);
		account->tried = tried;
		failures = account->failures;
	}
	if (!c->trusted && !again) {
		struct entry *net = obtain(t, 'n', c, now_ms);
		count(t, net, NETWORK_FACTOR * t->limits.failures_max, now_ms);
		failures = MAX(failures, net->failures / NETWORK_FACTOR);
	}
	return t->limits.delay_ms << MIN(failures > 0 ? failures - 1 : 0, DOUBLINGS_MAX);
}

void throttle_passed(struct throttle *t, const struct throttle_client *c, uint64_t now_ms)
{
	struct entry *known = obtain(t, 'k', c, now_ms);
	known->failures = 0;
	if (known != &t->overflow)
		known->known_until_ms = now_ms + KNOWN_MS;
}

/* --- as lines ------------------------------------------------------------------------------------------------------------- */

static uint64_t to_secs(uint64_t at_ms, struct throttle_now now)
{
	if (at_ms >= now.ms)
		return now.secs + (at_ms - now.ms + 999) / 1000;
	uint64_t ago = (now.ms - at_ms) / 1000;
	return now.secs > ago ? now.secs - ago : 0;
}

/* At most `ahead_ms` from now: the clock may have been set back since. */
static uint64_t to_ms(uint64_t at_secs, uint64_t ahead_ms, struct throttle_now now)
{
	if (at_secs >= now.secs)
		return now.ms + MIN(at_secs - now.secs, ahead_ms / 1000) * 1000;
	uint64_t ago_ms = (now.secs - at_secs) * 1000;
	return now.ms > ago_ms ? now.ms - ago_ms : 0;
}

bool throttle_save_next(const struct throttle *t, size_t *cursor, struct throttle_now now, struct buf *out)
{
	struct sv key;
	void *value;
	do
		if (!hmap_next(t->entries, cursor, &key, &value))
			return false;
	while (is_stale(t, value, now.ms));
	const struct entry *e = value;
	buf_putf(out, "failures %llu %llu %llu %llu ", (unsigned long long)e->failures,
		(unsigned long long)to_secs(e->last_ms, now), (unsigned long long)(e->until_ms ? to_secs(e->until_ms, now) : 0),
		(unsigned long long)(e->known_until_ms ? to_secs(e->known_until_ms, now) : 0));
	buf_putsv(out, key);
	buf_putc(out, '\n');
	return true;
}

bool throttle_load(struct throttle *t, struct sv line, struct throttle_now now)
{
	uint64_t n[4];
	struct sv word;
	for (size_t i = 0; i < COUNT(n); i++)
		if (!sv_cut(&line, ' ', &word) || !line.p || !num_u64(word, 0, INT64_MAX / 1000, &n[i]))
			return false;
	if (line.n < 2 || line.n >= KEY_MAX || !strchr("ank", line.p[0]))
		return false;
	const struct entry was = { .failures = n[0],
		.last_ms = to_ms(n[1], 0, now),
		.until_ms = n[2] ? to_ms(n[2], t->limits.lock_ms, now) : 0,
		.known_until_ms = n[3] ? to_ms(n[3], KNOWN_MS, now) : 0 };
	if (is_stale(t, &was, now.ms))
		return true;
	struct entry *e = hmap_get(t->entries, line);
	if (!e) {
		e = mem_new(sizeof *e);
		if (!hmap_put(t->entries, line, e)) {
			free(e);
			return true;
		}
	}
	e->failures = MAX(e->failures, was.failures);
	e->last_ms = MAX(e->last_ms, was.last_ms);
	e->until_ms = MAX(e->until_ms, was.until_ms);
	e->known_until_ms = MAX(e->known_until_ms, was.known_until_ms);
	return true;
}
