/* inline:{key=value; key2=value2}: a table that stands in the configuration itself. */
#include "maps/driver.h"

static bool add_pair(struct map_table *t, struct sv pair, struct err *e)
{
	struct sv value = pair, key;

	if (sv_chr(pair, '=') < 0 || !sv_cut(&value, '=', &key))
		return err_set(e, ERR_PERM, "no '=' in %.*s", (int)MIN(pair.n, 100u), pair.p);
	return map_table_add(t, sv_trim(key), sv_trim(value), 0, e);
}

static bool add_pairs(struct map_table *t, struct sv name, struct err *e)
{
	struct sv pair;

	name = sv_trim(name);
	if (!sv_starts(name, SV("{")) || !sv_ends(name, SV("}")))
		return err_set(e, ERR_PERM, "write inline:{key=value; key2=value2}");
	name = sv_sub(name, 1, name.n - 2);
	while (name.p && sv_cut(&name, ';', &pair))
		if (sv_trim(pair).n && !add_pair(t, sv_trim(pair), e))
			return false;
	return true;
}

static bool open_inline(struct map *m, const char *name, struct err *e)
{
	struct map_table *t = m->state = mem_new(sizeof(*t));

	map_table_init(t);
	if (!add_pairs(t, sv_of(name), e)) {
		err_add(e, "table inline");
		return false;
	}
	map_table_sort(t);
	return true;
}

static void close_inline(struct map *m)
{
	map_table_free(m->state);
	free(m->state);
}

static enum map_result get_inline(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	return map_table_found(m->state, key, ret_value, e);
}

static bool each_inline(struct map *m, map_visit *on, void *arg, struct err *e)
{
	(void)e;
	map_table_each(m->state, on, arg);
	return true;
}

const struct map_driver map_driver_inline = { "inline", open_inline, close_inline, NULL, get_inline, each_inline };
