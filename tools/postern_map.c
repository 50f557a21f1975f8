/* postern map: compile, query and dump tables. */
#include "base/clock.h"
#include "maps/map.h"
#include "postern.h"
#include "text.h"

#include <jansson.h>
#include <limits.h>
#include <sysexits.h>

struct map_options {
	bool aliases, json;
};

static enum map_form form_of(const struct map_options *o) { return o->aliases ? MAP_ALIASES : MAP_PLAIN; }

static int failed(struct tool *t, const struct err *e)
{
	return tool_fail(t, e->kind == ERR_TEMP ? EX_NOINPUT : EX_DATAERR, "%s", e->text);
}

static int compile(struct tool *t, const struct map_options *o, int argc, char **argv)
{
	struct buf db = BUF_INIT(4096);
	struct err e = { 0 };
	uint64_t n = 0;
	int code = 0;
	if (argc < 1 || argc > 2)
		return tool_fail(t, EX_USAGE, "name the source, and the database if it is not SOURCE.db");
	buf_puts(&db, argc > 1 ? argv[1] : argv[0]);
	if (argc == 1)
		buf_puts(&db, ".db");
	if (map_compile_bdb(argv[0], form_of(o), buf_str(&db), &n, &e))
		printf("%s: %llu entries\n", buf_str(&db), (unsigned long long)n);
	else
		code = failed(t, &e);
	buf_free(&db);
	return code;
}

static int query_one(struct tool *t, struct map *m, const struct map_options *o, const char *key)
{
	struct buf value = BUF_INIT(MAP_VALUE_MAX);
	struct err e = { 0 };
	enum map_result r = map_get(m, sv_of(key), clock_mono_ms(), &value, &e);
	if (r == MAP_FOUND && o->json)
		print_json(json_pack("{s:s, s:s}", "key", key, "value", buf_str(&value)));
	else if (r == MAP_FOUND)
		printf("%s\n", buf_str(&value));
	buf_free(&value);
	if (r == MAP_FAILED)
		return failed(t, &e);
	return r == MAP_FOUND ? 0 : tool_fail(t, 1, "%s has no %s", map_spec(m), key);
}

/* The form of the source is known when the table is the configured one. */
static struct map *open_map(struct tool *t, const struct map_options *o, const char *spec, int *ret_code)
{
	struct err e = { 0 };
	struct map *m;
	enum map_form form = form_of(o);
	if (tool_load_lenient(t) == 0 && strcmp(t->cfg->resolve.aliases, spec) == 0)
		form = MAP_ALIASES;
	m = map_open(spec, form, &e);
	if (!m)
		*ret_code = failed(t, &e);
	return m;
}

static int query(struct tool *t, const struct map_options *o, int argc, char **argv)
{
	int code = 0;
	if (argc < 2)
		return tool_fail(t, EX_USAGE, "name a table (type:name) and keys");
	struct map *m = open_map(t, o, argv[0], &code);
	for (int i = 1; m && i < argc; i++) {
		int one = query_one(t, m, o, argv[i]);
		code = one != 0 ? one : code;
	}
	map_close(m);
	return code;
}

static bool dump_entry(struct sv key, struct sv value, unsigned line UNUSED, void *arg)
{
	const struct map_options *o = arg;
	if (o->json)
		print_json(json_pack("{s:s%, s:s%}", "key", key.p, key.n, "value", value.p, value.n));
	else
		printf("%.*s\t%.*s\n", (int)key.n, key.p, (int)value.n, value.p);
	return true;
}

static int dump(struct tool *t, const struct map_options *o, int argc, char **argv)
{
	struct map_options copy = *o;
	struct err e = { 0 };
	int code = 0;
	if (argc != 1)
		return tool_fail(t, EX_USAGE, "name one table, type:name");
	struct map *m = open_map(t, o, argv[0], &code);
	if (m && !map_each(m, dump_entry, &copy, &e))
		code = failed(t, &e);
	map_close(m);
	return code;
}

int cmd_map(struct tool *t, int argc, char **argv)
{
	static const struct {
		const char *name, *usage;
		int (*run)(struct tool *t, const struct map_options *o, int argc, char **argv);
	} acts[] = { { "compile", "compile [--aliases] SOURCE [DATABASE]", compile },
		{ "query", "query [--aliases] [--json] TYPE:NAME KEY...", query },
		{ "dump", "dump [--aliases] [--json] TYPE:NAME", dump } };
	struct map_options o = { 0 };
	const struct opt opts[] = {
		{ "aliases", 0, OPT_FLAG, &o.aliases, NULL, "the source has the form of aliases: `name: address, address`" },
		{ "json", 0, OPT_FLAG, &o.json, NULL, "query, dump: one JSON object per line" },
		OPT_END,
	};
	int code;
	bool help = argc > 0 && strcmp(argv[0], "--help") == 0;
	for (size_t i = 0; argc > 0 && i < COUNT(acts); i++) {
		if (strcmp(argv[0], acts[i].name) != 0)
			continue;
		argc--;
		if (!command_options(t, acts[i].usage, opts, &argc, argv + 1, INT_MAX, &code))
			return code;
		return acts[i].run(t, &o, argc, argv + 1);
	}
	for (size_t i = 0; i < COUNT(acts); i++)
		fprintf(help ? stdout : stderr, "%s postern map %s\n", i == 0 ? "usage:" : "      ", acts[i].usage);
	return help ? 0 : EX_USAGE;
}
