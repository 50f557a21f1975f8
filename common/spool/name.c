/* Ids and the names of queue files. */
#include "spool/spool.h"

#include "base/num.h"

#include <inttypes.h>

#define SECS_CHARS 7
#define COUNTER_CHARS 4
#define RANDOM_CHARS 5
_Static_assert(SECS_CHARS + COUNTER_CHARS + RANDOM_CHARS == SPOOL_ID_LEN, "an id is these three");

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

static void put_base32(uint64_t value, size_t n, char *dst)
{
	while (n-- > 0) {
		dst[n] = digits[value & 31];
		value >>= 5;
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'v')
		return c - 'a' + 10;
	return -1;
}

static uint64_t get_base32(const char *p, size_t n)
{
	uint64_t value = 0;
	for (size_t i = 0; i < n; i++)
		value = value << 5 | (uint64_t)digit_value(p[i]);
	return value;
}

void spool_id_make(uint64_t unix_secs, uint32_t counter, uint32_t random, struct spool_id *ret)
{
	put_base32(unix_secs, SECS_CHARS, ret->text);
	put_base32(counter, COUNTER_CHARS, ret->text + SECS_CHARS);
	put_base32(random, RANDOM_CHARS, ret->text + SECS_CHARS + COUNTER_CHARS);
	ret->text[SPOOL_ID_LEN] = '\0';
}

bool spool_id_parse(struct sv text, struct spool_id *ret)
{
	if (text.n != SPOOL_ID_LEN)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (digit_value(text.p[i]) < 0)
			return false;
	return sv_copy(text, ret->text, sizeof(ret->text));
}

unsigned spool_id_shard(const struct spool_id *id)
{
	return (unsigned)get_base32(id->text + SECS_CHARS, COUNTER_CHARS) % SPOOL_SHARDS;
}

uint64_t spool_id_secs(const struct spool_id *id) { return get_base32(id->text, SECS_CHARS); }

const char *spool_name_text(const struct spool_name *n, char dst[SPOOL_NAME_MAX])
{
	const char *flags = n->warned ? (n->owner ? "wo" : "w") : n->owner ? "o" : "-";
	char dest[9] = "*";
	if (n->dest != 0)
		snprintf(dest, sizeof(dest), "%08" PRIx32, n->dest);
	snprintf(dst, SPOOL_NAME_MAX, "%s:%" PRIu64 ",%" PRIu32 ",%s,%08" PRIx32 ",%s", n->id.text, n->due, n->tries, dest,
		n->sender, flags);
	return dst;
}

static bool parse_hash(struct sv text, uint32_t *ret)
{
	uint64_t v;
	if (text.n != 8 || !num_hex(text, UINT32_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool parse_fields(struct sv rest, struct spool_name *ret)
{
	struct sv due, tries, dest, sender, flags;
	uint64_t n_tries;
	if (!sv_cut(&rest, ',', &due) || !sv_cut(&rest, ',', &tries) || !sv_cut(&rest, ',', &dest) ||
		!sv_cut(&rest, ',', &sender) || !sv_cut(&rest, ',', &flags) || rest.p != NULL)
		return false;
	if (!num_u64(due, 0, UINT32_MAX, &ret->due) || !num_u64(tries, 0, UINT16_MAX, &n_tries) ||
		!parse_hash(sender, &ret->sender))
		return false;
	ret->tries = (uint32_t)n_tries;
	if (!sv_eqs(dest, "*") && !parse_hash(dest, &ret->dest))
		return false;
	ret->warned = sv_chr(flags, 'w') >= 0;
	ret->owner = sv_chr(flags, 'o') >= 0;
	return true;
}

bool spool_name_parse(struct sv text, struct spool_name *ret)
{
	struct spool_name n = { .due = 0 };
	char again[SPOOL_NAME_MAX];
	if (text.n <= SPOOL_ID_LEN || text.n >= SPOOL_NAME_MAX || text.p[SPOOL_ID_LEN] != ':')
		return false;
	if (!spool_id_parse(sv_sub(text, 0, SPOOL_ID_LEN), &n.id) || !parse_fields(sv_skip(text, SPOOL_ID_LEN + 1), &n))
		return false;
	/* One way to write it: the name is made again from the entry when the file is renamed or opened. */
	if (!sv_eqs(text, spool_name_text(&n, again)))
		return false;
	*ret = n;
	return true;
}
