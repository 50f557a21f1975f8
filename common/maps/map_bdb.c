/* bdb: a compiled table, opened again when the file is another one. */
#include "maps/bdb.h"

struct table {
	char *name;             /* as in the specification */
	struct bdb *db;         /* NULL after a failure: opened again by the next refresh */
	struct map_stamp stamp; /* of the last file looked at, good or damaged: it is verified once */
};

/* `bdb:/etc/aliases` is /etc/aliases.db, if that is there. */
static bool find_file(const struct table *t, char *ret_path, size_t size, struct stat *ret_st, struct err *e)
{
	int n = snprintf(ret_path, size, "%s.db", t->name);

	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_PERM, "the path is too long");
	if (!sv_ends(sv_of(t->name), SV(".db")) && stat(ret_path, ret_st) == 0)
		return true;
	snprintf(ret_path, size, "%s", t->name);
	return stat(ret_path, ret_st) == 0 || err_sys(e, ERR_TEMP, "read %s", ret_path);
}

/* The old file stays in use when the new one cannot be. true: *ret is the fault, or none; false: nothing changed. */
static bool load(struct table *t, struct err *ret)
{
	char path[4096];
	struct stat st;

	err_clear(ret);
	if (!find_file(t, path, sizeof(path), &st, ret)) {
		t->stamp = (struct map_stamp){ 0 }; /* whatever comes back is new */
		return true;
	}
	struct map_stamp now = map_stamp_of(&st);
	if (map_stamp_same(&now, &t->stamp))
		return false;
	struct bdb *db = bdb_open(path, ret);
	t->stamp = ret->kind == ERR_TEMP ? (struct map_stamp){ 0 } : now;
	if (db) {
		bdb_close(t->db);
		t->db = db;
	}
	return true;
}

static bool open_bdb(struct map *m, const char *name, struct err *e)
{
	if (name[0] != '/')
		return err_set(e, ERR_PERM, "table %s: the path must be absolute", m->spec);
	struct table *t = m->state = mem_new(sizeof(*t));
	t->name = mem_dup(sv_of(name));
	if (load(t, &m->fault) && m->fault.kind == ERR_NONE)
		return true;
	if (e)
		*e = m->fault;
	return false;
}

static void close_bdb(struct map *m)
{
	struct table *t = m->state;

	bdb_close(t->db);
	free(t->name);
	free(t);
}

static void refresh_bdb(struct map *m)
{
	struct err fault;

	if (load(m->state, &fault))
		m->fault = fault;
}

/* Other programs write keys with the NUL of C, or without; ours have none. */
static enum map_result look_up(struct bdb *db, struct sv key, struct sv *ret_value, struct err *e)
{
	char with_nul[MAP_KEY_MAX + 1];
	enum map_result r = bdb_get(db, key, ret_value, e);

	if (r != MAP_NONE || key.n > MAP_KEY_MAX)
		return r;
	memcpy(with_nul, key.p, key.n);
	with_nul[key.n] = '\0';
	return bdb_get(db, (struct sv){ with_nul, key.n + 1 }, ret_value, e);
}

static enum map_result get_bdb(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	struct table *t = m->state;
	struct sv value;

	if (!t->db) {
		*e = m->fault;
		return MAP_FAILED;
	}
	enum map_result r = look_up(t->db, key, &value, e);
	if (r == MAP_FAILED) {
		err_add(e, "table %s", m->spec);
		if (e->kind == ERR_TEMP) { /* the library gives up a file for good after a fault: start anew */
			bdb_close(t->db);
			t->db = NULL;
			t->stamp = (struct map_stamp){ 0 };
			m->fault = *e;
		}
		return r;
	}
	if (r == MAP_NONE)
		return r;
	if (value.n > ret_value->max) {
		err_set(e, ERR_LIMIT, "value of %zu bytes is too long here", value.n);
		return MAP_FAILED;
	}
	buf_reset(ret_value);
	buf_putsv(ret_value, value);
	return MAP_FOUND;
}

static bool each_bdb(struct map *m, map_visit *on, void *arg, struct err *e)
{
	struct table *t = m->state;

	if (!t->db)
		return err_set(e, ERR_TEMP, "table %s is not open", m->spec);
	return bdb_each(t->db, on, arg, e);
}

const struct map_driver map_driver_bdb = { "bdb", open_bdb, close_bdb, refresh_bdb, get_bdb, each_bdb };
