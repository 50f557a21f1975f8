#include "maps/driver.h"

static const struct map_driver *const drivers[] = { &map_driver_text, &map_driver_inline, &map_driver_bdb, &map_driver_cidr,
	&map_driver_regexp, &map_driver_pcre };

static const struct map_driver *find_driver(struct sv type)
{
	for (size_t i = 0; i < COUNT(drivers); i++)
		if (sv_eqs(type, drivers[i]->type))
			return drivers[i];
	return NULL;
}

struct map *map_open(const char *spec, enum map_form form, struct err *e)
{
	struct sv name = sv_of(spec), type;
	bool typed = sv_chr(name, ':') > 0 && sv_cut(&name, ':', &type);
	const struct map_driver *driver = typed ? find_driver(type) : NULL;

	if (!typed)
		err_set(e, ERR_PERM, "table %s: no type; write text:/path, bdb:/path or inline:{key=value; ...}", spec);
	else if (!driver)
		err_set(e, ERR_PERM, "table %s: unknown type %.*s; there are text:, bdb:, inline:, cidr: and regexp:", spec,
			(int)type.n, type.p);
	if (!driver)
		return NULL;
	struct map *m = mem_new(sizeof(*m));
	*m = (struct map){ .driver = driver, .spec = mem_dup(sv_of(spec)), .form = form };
	if (driver->open(m, name.p, e))
		return m;
	map_close(m);
	return NULL;
}

void map_close(struct map *m)
{
	if (!m)
		return;
	if (m->state)
		m->driver->close(m);
	free(m->spec);
	free(m);
}

enum map_result map_get(struct map *m, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e)
{
	char folded[MAP_KEY_MAX];

	if (m->driver->refresh && now_ms - m->checked_ms >= MAP_CHECK_MS) {
		m->checked_ms = now_ms;
		m->driver->refresh(m);
	}
	if (key.n == 0 || key.n > sizeof(folded))
		return MAP_NONE; /* no table holds it */
	for (size_t i = 0; i < key.n; i++)
		folded[i] = ascii_lower(key.p[i]);
	return m->driver->get(m, (struct sv){ folded, key.n }, ret_value, e);
}

bool map_fault(const struct map *m, struct err *e)
{
	if (m->fault.kind == ERR_NONE)
		return false;
	if (e)
		*e = m->fault;
	return true;
}

const char *map_spec(const struct map *m) { return m->spec; }

bool map_each(struct map *m, map_visit *on, void *arg, struct err *e) { return m->driver->each(m, on, arg, e); }

struct map_stamp map_stamp_of(const struct stat *st)
{
	return (struct map_stamp){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool map_stamp_same(const struct map_stamp *a, const struct map_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(&a->mtim, &b->mtim) &&
	       same_time(&a->ctim, &b->ctim);
}
