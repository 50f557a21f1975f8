/* Entries of a text source in memory: an array of offsets into one buffer, sorted by key. */
#include "maps/driver.h"

struct map_entry {
	uint32_t at; /* of the key; the value follows it */
	uint16_t key_len;
	uint32_t value_len;
	uint32_t line;
};

void map_table_init(struct map_table *t)
{
	buf_init(&t->store, MAP_TEXT_MAX);
	t->entries = (struct vec)VEC_INIT(struct map_entry, MAP_ENTRIES_MAX);
}

void map_table_free(struct map_table *t)
{
	buf_free(&t->store);
	vec_free(&t->entries);
}

bool map_table_add(struct map_table *t, struct sv key, struct sv value, unsigned line, struct err *e)
{
	struct map_entry *entry;
	size_t at = t->store.len;

	if (key.n == 0 || key.n > MAP_KEY_MAX)
		return err_set(e, ERR_PERM, "the key is %s", key.n ? "too long" : "empty");
	if (value.n > MAP_VALUE_MAX)
		return err_set(e, ERR_PERM, "the value is longer than %d bytes", MAP_VALUE_MAX);
	for (size_t i = 0; i < key.n; i++)
		buf_putc(&t->store, ascii_lower(key.p[i]));
	buf_putsv(&t->store, value);
	if (!buf_ok(&t->store) || !(entry = vec_push(&t->entries)))
		return err_set(e, ERR_PERM, "more than %d entries, or more than %zu MiB", MAP_ENTRIES_MAX, MAP_TEXT_MAX >> 20);
	*entry = (struct map_entry){ (uint32_t)at, (uint16_t)key.n, (uint32_t)value.n, line };
	return true;
}

static struct sv key_of(const struct map_table *t, const struct map_entry *e)
{
	return sv_sub(buf_sv(&t->store), e->at, e->key_len);
}

static int by_key(const void *a, const void *b, void *table)
{
	const struct map_entry *x = a, *y = b;
	int r = sv_cmp(key_of(table, x), key_of(table, y));

	return r ? r : (x->at > y->at) - (x->at < y->at);
}

void map_table_sort(struct map_table *t)
{
	if (t->entries.len)
		qsort_r(t->entries.data, t->entries.len, sizeof(struct map_entry), by_key, t);
}

bool map_table_get(const struct map_table *t, struct sv folded_key, struct sv *ret_value)
{
	size_t lo = 0, hi = t->entries.len;

	while (lo < hi) { /* the first that is not less than the key */
		size_t mid = lo + (hi - lo) / 2;
		if (sv_cmp(key_of(t, VEC_AT(&t->entries, struct map_entry, mid)), folded_key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->entries.len)
		return false;
	struct sv key;
	unsigned line;
	map_table_at(t, lo, &key, ret_value, &line);
	return sv_eq(key, folded_key);
}

size_t map_table_len(const struct map_table *t) { return t->entries.len; }

void map_table_at(const struct map_table *t, size_t i, struct sv *ret_key, struct sv *ret_value, unsigned *ret_line)
{
	const struct map_entry *e = vec_at(&t->entries, i);

	*ret_key = key_of(t, e);
	*ret_value = sv_sub(buf_sv(&t->store), (size_t)e->at + e->key_len, e->value_len);
	*ret_line = e->line;
}

enum map_result map_table_found(const struct map_table *t, struct sv key, struct buf *ret_value, struct err *e)
{
	struct sv value;

	if (!map_table_get(t, key, &value))
		return MAP_NONE;
	if (value.n > ret_value->max) {
		err_set(e, ERR_LIMIT, "value of %zu bytes is too long here", value.n);
		return MAP_FAILED;
	}
	buf_reset(ret_value);
	buf_putsv(ret_value, value);
	return MAP_FOUND;
}

void map_table_each(const struct map_table *t, map_visit *on, void *arg)
{
	struct sv key, value;
	unsigned line;

	for (size_t i = 0; i < map_table_len(t); i++) {
		map_table_at(t, i, &key, &value, &line);
		if (!on(key, value, line, arg))
			return;
	}
}
