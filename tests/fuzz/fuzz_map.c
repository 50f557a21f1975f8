/* Tables from bytes of any kind: an error, or entries that can be found again. The first byte chooses: C a cidr file, R a
 * regexp file; else text, aliases, inline, an alias value, a Berkeley DB file. */
#include "base/fd.h"
#include "maps/driver.h"

#include <fcntl.h>

#define LOOKUPS_MAX 50

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	struct vec keys; /* of struct sv, each with memory of its own */
	bool bdb;        /* its keys are any bytes, and some may be unreadable */
	bool regexp;     /* its keys match what they like */
};

static bool on_entry(struct sv key, struct sv value, unsigned line, void *arg)
{
	struct seen *s = arg;
	struct sv *place;

	(void)line;
	BUG_IF(!s->bdb && (key.n == 0 || value.n > MAP_VALUE_MAX));
	if ((place = vec_push(&s->keys)))
		*place = (struct sv){ mem_dup(key), key.n };
	return place;
}

static void look_up_all(struct map *m, struct seen *s)
{
	struct buf value = BUF_INIT(MAP_VALUE_MAX);

	for (size_t i = 0; i < s->keys.len; i++) {
		struct err e = { .kind = ERR_NONE };
		struct sv key = *VEC_AT(&s->keys, struct sv, i);
		ptrdiff_t slash = m->driver == &map_driver_cidr ? sv_chr(key, '/') : -1; /* its first address is in a network */
		enum map_result r = map_get(m, slash < 0 ? key : sv_sub(key, 0, (size_t)slash), 1, &value, &e);
		BUG_IF(!s->bdb && !s->regexp && r != MAP_FOUND);
		BUG_IF(r == MAP_FAILED && !e.text[0]);
		free((void *)(uintptr_t)key.p);
	}
	vec_free(&s->keys);
	buf_free(&value);
}

static void use_map(const char *spec, enum map_form form)
{
	struct err e = { .kind = ERR_NONE };
	struct seen s = { .keys = VEC_INIT(struct sv, LOOKUPS_MAX) };
	struct map *m = map_open(spec, form, &e);

	if (!m) {
		BUG_IF(e.kind == ERR_NONE || !e.text[0] || sv_has_ctl(sv_of(e.text)));
		return;
	}
	s.bdb = m->driver == &map_driver_bdb;
	s.regexp = m->driver == &map_driver_regexp;
	if (!map_each(m, on_entry, &s, &e))
		BUG_IF(!e.text[0]);
	look_up_all(m, &s);
	map_close(m);
}

static bool on_item(enum alias_kind kind, struct sv item, void *arg)
{
	(void)arg;
	BUG_IF(item.n == 0 && kind != ALIAS_ADDRESS);
	return true;
}

static void use_text(struct sv in, enum map_form form)
{
	struct map_table t;
	struct err e = { .kind = ERR_NONE };
	struct sv key, value;
	unsigned line;

	map_table_init(&t);
	if (map_source_parse(in, form, "table", &t, &e))
		for (size_t i = 0; i < map_table_len(&t); i++) {
			map_table_at(&t, i, &key, &value, &line);
			BUG_IF(key.n == 0 || value.n == 0 || line == 0 || sv_chr(value, '\n') >= 0 || sv_chr(key, '\0') >= 0);
			BUG_IF(!map_table_get(&t, key, &value));
		}
	else
		BUG_IF(!sv_starts(sv_of(e.text), SV("table:")) || sv_has_ctl(sv_of(e.text)));
	map_table_free(&t);
}

static void use_file(const char *type, struct sv in)
{
	char path[64], spec[80];
	int fd = fd_memfd("table", NULL);

	BUG_IF(fd < 0 || !fd_write_all(fd, in.p, in.n, NULL));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(spec, sizeof(spec), "%s:%s", type, path);
	use_map(spec, MAP_PLAIN);
	fd_close(&fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	struct sv in = { (const char *)p + 1, n - 1 };
	struct buf spec = BUF_INIT(1 << 20);
	struct err e;
	if (p[0] == 'C' || p[0] == 'R') {
		use_file(p[0] == 'C' ? "cidr" : "regexp", in);
		return 0;
	}
	switch (p[0] % 5) {
	case 0:
	case 1:
		use_text(in, p[0] % 5 == 0 ? MAP_PLAIN : MAP_ALIASES);
		break;
	case 2:
		buf_puts(&spec, "inline:");
		buf_putsv(&spec, in);
		if (buf_ok(&spec))
			use_map(buf_str(&spec), MAP_PLAIN);
		break;
	case 3:
		if (!map_alias_items(in, on_item, NULL, &e))
			BUG_IF(!e.text[0]);
		break;
	default:
		use_file("bdb", in);
	}
	buf_free(&spec);
	return 0;
}
