/* text: a flat file, held in memory and read again when it changes. */
#include "maps/driver.h"

struct text {
	char *path;
	struct map_table table;
	struct map_stamp stamp; /* of the last version looked at, good or faulty: a faulty one is parsed once */
};

static bool open_text(struct map *m, const char *name, struct err *e)
{
	if (name[0] != '/')
		return err_set(e, ERR_PERM, "table %s: the path must be absolute", m->spec);
	struct text *t = m->state = mem_new(sizeof(*t));
	t->path = mem_dup(sv_of(name));
	map_table_init(&t->table);
	return map_source_load(t->path, m->form, &t->table, &t->stamp, e);
}

static void close_text(struct map *m)
{
	struct text *t = m->state;

	map_table_free(&t->table);
	free(t->path);
	free(t);
}

static void refresh_text(struct map *m)
{
	struct text *t = m->state;
	struct map_table fresh;
	struct stat st;

	if (stat(t->path, &st) < 0) {
		t->stamp = (struct map_stamp){ 0 }; /* whatever comes back is new */
		err_sys(&m->fault, ERR_TEMP, "read %s", t->path);
		return;
	}
	struct map_stamp now = map_stamp_of(&st);
	if (map_stamp_same(&now, &t->stamp))
		return;
	map_table_init(&fresh);
	if (map_source_load(t->path, m->form, &fresh, &now, &m->fault)) {
		map_table_free(&t->table);
		t->table = fresh;
		err_clear(&m->fault);
	} else {
		map_table_free(&fresh);
		if (m->fault.kind == ERR_TEMP)
			now = (struct map_stamp){ 0 }; /* not read: try again in a second */
	}
	t->stamp = now;
}

static enum map_result get_text(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	struct text *t = m->state;

	return map_table_found(&t->table, key, ret_value, e);
}

static bool each_text(struct map *m, map_visit *on, void *arg, struct err *e)
{
	struct text *t = m->state;

	(void)e;
	map_table_each(&t->table, on, arg);
	return true;
}

const struct map_driver map_driver_text = { "text", open_text, close_text, refresh_text, get_text, each_text };
