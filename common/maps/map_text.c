/* text: a flat file of keys and values. */
#include "maps/driver.h"

static void free_content(void *table)
{
	map_table_free(table);
	free(table);
}

static void *parse(struct sv text, enum map_form form, const char *path, struct err *e)
{
	struct map_table *t = mem_new(sizeof(*t));

	map_table_init(t);
	if (map_source_parse(text, form, path, t, e))
		return t;
	free_content(t);
	return NULL;
}

static const struct map_file_kind kind = { parse, free_content };

static bool open_text(struct map *m, const char *name, struct err *e) { return map_file_open(m, &kind, name, e); }

static enum map_result get_text(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	return map_table_found(map_file_content(m), key, ret_value, e);
}

static bool each_text(struct map *m, map_visit *on, void *arg, struct err *e)
{
	(void)e;
	map_table_each(map_file_content(m), on, arg);
	return true;
}

const struct map_driver map_driver_text = { "text", open_text, map_file_close, map_file_refresh, get_text, each_text };
