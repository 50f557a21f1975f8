#include "base/num.h"

#include <inttypes.h>

static bool digits(struct sv s, unsigned base, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);
		unsigned d = ascii_digit(c) ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
		if (d >= base || __builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, d, &n))
			return false;
	}
	*ret = n;
	return true;
}

bool num_u64(struct sv s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (!digits(s, 10, &n) || n < min || n > max)
		return false;
	*ret = n;
	return true;
}

bool num_hex(struct sv s, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (!digits(s, 16, &n) || n > max)
		return false;
	*ret = n;
	return true;
}

bool num_i64(struct sv s, int64_t min, int64_t max, int64_t *ret)
{
	bool minus = sv_starts(s, SV("-"));
	uint64_t n;
	int64_t value;

	if (!digits(minus ? sv_skip(s, 1) : s, 10, &n) || n > (uint64_t)INT64_MAX + minus)
		return false;
	value = minus ? (int64_t)(0 - n) : (int64_t)n;
	if (value < min || value > max)
		return false;
	*ret = value;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, because that gives the shortest text. */
static const struct unit secs_units[] = { { "w", 604800 }, { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };
static const struct unit size_units[] = { { "T", 1ull << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 } };

static bool with_unit(struct sv s, const struct unit *units, size_t n_units, uint64_t *ret)
{
	uint64_t n;
	size_t len = 0, i = 0;

	while (len < s.n && ascii_digit(s.p[len]))
		len++;
	if (!digits(sv_sub(s, 0, len), 10, &n))
		return false;
	s = sv_skip(s, len);
	while (s.n && i < n_units && !sv_ieqs(s, units[i].name))
		i++;
	if (s.n && (i == n_units || __builtin_mul_overflow(n, units[i].factor, &n)))
		return false;
	*ret = n;
	return true;
}

bool num_secs(struct sv s, uint64_t min, uint64_t max, uint64_t *ret_secs)
{
	uint64_t n;

	if (!with_unit(s, secs_units, COUNT(secs_units), &n) || n < min || n > max)
		return false;
	*ret_secs = n;
	return true;
}

bool num_size(struct sv s, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	uint64_t n;

	if (s.n > 3 && sv_iends(s, SV("iB")) && !ascii_digit(s.p[s.n - 3]))
		s.n -= 2;
	if (!with_unit(s, size_units, COUNT(size_units), &n) || n < min || n > max)
		return false;
	*ret_bytes = n;
	return true;
}

static const char *exact(uint64_t n, const struct unit *units, size_t n_units, char *dst)
{
	for (size_t i = 0; i < n_units; i++)
		if (n && n % units[i].factor == 0) {
			snprintf(dst, NUM_TEXT_MAX, "%" PRIu64 "%s", n / units[i].factor, units[i].name);
			return dst;
		}
	snprintf(dst, NUM_TEXT_MAX, "%" PRIu64, n);
	return dst;
}

const char *num_fmt_secs(uint64_t secs, char dst[NUM_TEXT_MAX]) { return exact(secs, secs_units, COUNT(secs_units), dst); }
const char *num_fmt_size(uint64_t bytes, char dst[NUM_TEXT_MAX]) { return exact(bytes, size_units, COUNT(size_units), dst); }

/* The two largest units, days at most: "3d 4h", "5m", "0s". */
const char *num_human_secs(uint64_t secs, char dst[NUM_TEXT_MAX])
{
	size_t i = 1;

	while (i + 1 < COUNT(secs_units) && secs < secs_units[i].factor)
		i++;
	const struct unit *big = &secs_units[i], *small = i + 1 < COUNT(secs_units) ? &secs_units[i + 1] : NULL;
	uint64_t rest = small ? secs % big->factor / small->factor : 0;
	int n = snprintf(dst, NUM_TEXT_MAX, "%" PRIu64 "%s", secs / big->factor, big->name);

	if (rest)
		snprintf(dst + n, NUM_TEXT_MAX - (size_t)n, " %" PRIu64 "%s", rest, small->name);
	return dst;
}

const char *num_human_size(uint64_t bytes, char dst[NUM_TEXT_MAX])
{
	for (size_t i = 0; i < COUNT(size_units); i++) {
		const struct unit *u = &size_units[i];
		if (bytes < u->factor)
			continue;
		snprintf(dst, NUM_TEXT_MAX, "%.1f %siB", (double)bytes / (double)u->factor, u->name);
		return dst;
	}
	snprintf(dst, NUM_TEXT_MAX, "%" PRIu64 " B", bytes);
	return dst;
}
