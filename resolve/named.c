/* The tables of smtpd's parameters and of the sections: rules, listeners. */
#include "tables.h"

#define NAMED_MAX 100000 /* more than a configuration file can name */

struct naming {
	struct hmap *tables;
	uint64_t now_ms;
};

static bool is_for_smtpd(const struct cfg_group *g, const struct cfg_param *p)
{
	return g->section || strcmp(g->owner, "smtpd") == 0 || strcmp(p->name, "sender_logins") == 0;
}

/* The log calls a table of a section by its specification: rules may share one. */
static bool add(const struct cfg_group *owner, const struct cfg_param *p, const char *section, const char *spec, void *arg)
{
	struct naming *n = arg;

	if (!is_for_smtpd(owner, p) || hmap_get(n->tables, sv_of(spec)))
		return true;
	struct table *t = mem_new(sizeof(*t));
	table_init(t, section ? spec : p->name, spec, MAP_PLAIN, n->now_ms);
	BUG_IF(!hmap_put(n->tables, sv_of(spec), t));
	return true;
}

struct hmap *named_tables_new(const struct cfg *cfg, uint64_t now_ms)
{
	struct naming n = { hmap_new(NAMED_MAX), now_ms };

	cfg_each_table(cfg, add, &n);
	return n.tables;
}

static void free_table(void *table)
{
	table_close(table);
	free(table);
}

void named_tables_free(struct hmap *tables) { hmap_free(tables, free_table); }

enum map_result named_tables_get(
	struct hmap *tables, const char *spec, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e)
{
	struct table *t = hmap_get(tables, sv_of(spec));

	if (t)
		return table_get(t, key, now_ms, ret_value, e);
	err_set(e, ERR_PEER, "the configuration names no table %s", spec);
	return MAP_FAILED;
}
