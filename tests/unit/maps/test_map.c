#include "unit/unit.h"
#include "base/fd.h"
#include "maps/map.h"

#include <db.h>
#include <fcntl.h>
#include <sys/stat.h>

struct place { /* a directory of its own, with a file in it */
	char dir[64], path[96], db[96], spec[128];
};

static void place_make(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/postern-map-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/table", p->dir);
	snprintf(p->db, sizeof(p->db), "%s/table.db", p->dir);
}

static void place_remove(const struct place *p)
{
	unlink(p->path);
	unlink(p->db);
	CU_ASSERT_EQUAL(rmdir(p->dir), 0); /* nothing else was left there */
}

static void put_file(const char *path, struct sv text)
{
	char aside[128];

	snprintf(aside, sizeof(aside), "%s.new", path);
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT_TRUE(fd >= 0 && fd_write_all(fd, text.p, text.n, NULL));
	fd_close(&fd);
	CU_ASSERT_EQUAL(rename(aside, path), 0);
}

static struct map *open_type(struct place *p, const char *type, const char *path, enum map_form form, struct err *e)
{
	snprintf(p->spec, sizeof(p->spec), "%s:%s", type, path);
	return map_open(p->spec, form, e);
}

/* The value, or a word for what happened instead. Static: one at a time. */
static const char *get(struct map *m, const char *key, uint64_t now_ms)
{
	static char text[200];
	struct buf b = BUF_INIT(sizeof(text) - 1);
	struct err e = { .kind = ERR_NONE };
	enum map_result r = map_get(m, sv_of(key), now_ms, &b, &e);

	snprintf(text, sizeof(text), "%s", r == MAP_FOUND ? buf_str(&b) : r == MAP_NONE ? "(none)" : "(failed)");
	if (r == MAP_FAILED)
		CU_ASSERT_TRUE(e.text[0] != '\0');
	buf_free(&b);
	return text;
}

static void plain_and_alias_sources_are_understood(void)
{
	static const struct {
		enum map_form form;
		const char *text, *key, *want;
	} t[] = {
		{ MAP_PLAIN, "Al@Example.org  al/Maildir/  1000:1000\n", "al@example.ORG", "al/Maildir/  1000:1000" },
		{ MAP_PLAIN, "# c\n\n\"a b\"@c x\n", "\"a b\"@c", "x" },
		{ MAP_PLAIN, "a b\n  c\n # d\n\te\r\nf g", "a", "b c e" },
		{ MAP_PLAIN, "a b\n  c\nf g", "f", "g" },
		{ MAP_PLAIN, "a b\na c\n", "a", "b" },
		{ MAP_ALIASES, "postmaster:    root\n", "POSTMASTER", "root" },
		{ MAP_ALIASES, "a: b,\n # c\n   d\n", "a", "b, d" },
		{ MAP_ALIASES, "\"a b\" : c\n", "a b", "c" },
		{ MAP_ALIASES, "a:\"|x: y\"\n", "a", "\"|x: y\"" },
		{ MAP_ALIASES, "a: b", "c", "(none)" },
		{ MAP_ALIASES, "", "c", "(none)" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		struct err e;
		place_make(&p);
		put_file(p.path, sv_of(t[i].text));
		struct map *m = open_type(&p, "text", p.path, t[i].form, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_STRING_EQUAL(get(m, t[i].key, 1), t[i].want);
		CU_ASSERT_STRING_EQUAL(map_spec(m), p.spec);
		map_close(m);
		place_remove(&p);
	}
}

static void faults_of_a_source_name_their_line(void)
{
	static const struct {
		enum map_form form;
		struct sv text;
		const char *where;
	} t[] = {
		{ MAP_PLAIN, SV("a b\nkey\nc d\n"), "/table:2: nothing after the key" },
		{ MAP_PLAIN, SV("  a b\n"), "/table:1: it begins with a blank" },
		{ MAP_PLAIN, SV("# x\na b\0\n"), "/table:2: a NUL" },
		{ MAP_ALIASES, SV("a: b\nno colon\n\n# x\nc: d\n"), "/table:2: no ':'" },
		{ MAP_ALIASES, SV("a: b\nc:\n"), "/table:2: nothing after the name" },
		{ MAP_ALIASES, SV("\"a: b\n"), "/table:1: a quote" },
		{ MAP_ALIASES, SV(": b\n"), "/table:1: the key is empty" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		struct err e = { .kind = ERR_NONE };
		place_make(&p);
		put_file(p.path, t[i].text);
		CU_ASSERT_PTR_NULL(open_type(&p, "text", p.path, t[i].form, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].where));
		place_remove(&p);
	}
}

static void what_cannot_be_opened_says_why(void)
{
	static const struct {
		const char *spec, *why;
		enum err_kind kind;
	} t[] = {
		{ "/etc/aliases", "no type", ERR_PERM },
		{ "ldap:x", "unknown type ldap", ERR_PERM },
		{ "", "no type", ERR_PERM },
		{ "text:relative", "absolute", ERR_PERM },
		{ "bdb:relative", "absolute", ERR_PERM },
		{ "text:/nonexistent/x", "No such file", ERR_TEMP },
		{ "bdb:/nonexistent/x", "No such file", ERR_TEMP },
		{ "text:/dev/zero", "not a regular file", ERR_PERM },
		{ "text:/tmp", "not a regular file", ERR_PERM },
		{ "bdb:/dev/zero", "not a regular file", ERR_PERM },
		{ "inline:a=b", "inline:{", ERR_PERM },
		{ "inline:{a}", "no '=' in a", ERR_PERM },
		{ "inline:{=b}", "empty", ERR_PERM },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_PTR_NULL(map_open(t[i].spec, MAP_PLAIN, &e));
		CU_ASSERT_EQUAL(e.kind, t[i].kind);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].why));
	}
}

static void inline_tables_hold_what_the_configuration_says(void)
{
	struct map *m = map_open("inline:{ Root = al, bea ; x=y=z; }", MAP_ALIASES, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(get(m, "root", 1), "al, bea");
	CU_ASSERT_STRING_EQUAL(get(m, "x", 1), "y=z");
	CU_ASSERT_STRING_EQUAL(get(m, "", 1), "(none)");
	map_close(m);
}

static void a_changed_source_is_seen_within_a_second(void)
{
	struct place p;

	place_make(&p);
	put_file(p.path, SV("a one\n"));
	struct map *m = open_type(&p, "text", p.path, MAP_PLAIN, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(get(m, "a", 10000), "one");
	put_file(p.path, SV("a two\n"));
	CU_ASSERT_STRING_EQUAL(get(m, "a", 10999), "one");
	CU_ASSERT_STRING_EQUAL(get(m, "a", 11000), "two");
	map_close(m);
	place_remove(&p);
}

static void a_source_that_breaks_keeps_its_last_good_content(void)
{
	struct place p;
	struct err e = { .kind = ERR_NONE };

	place_make(&p);
	put_file(p.path, SV("a: one\n"));
	struct map *m = open_type(&p, "text", p.path, MAP_ALIASES, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_FALSE(map_fault(m, &e));
	put_file(p.path, SV("a: two\nbroken\n"));
	CU_ASSERT_STRING_EQUAL(get(m, "a", 10000), "one");
	CU_ASSERT_TRUE(map_fault(m, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "/table:2:"));
	unlink(p.path);
	CU_ASSERT_STRING_EQUAL(get(m, "a", 20000), "one");
	CU_ASSERT_TRUE(map_fault(m, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "No such file"));
	put_file(p.path, SV("a: three\n"));
	CU_ASSERT_STRING_EQUAL(get(m, "a", 30000), "three");
	CU_ASSERT_FALSE(map_fault(m, &e));
	map_close(m);
	place_remove(&p);
}

static void long_keys_and_values_have_limits(void)
{
	struct place p;
	struct buf text = BUF_INIT(200000), value = BUF_INIT(10);
	struct err e = { .kind = ERR_NONE };
	char key[MAP_KEY_MAX + 2];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	place_make(&p);
	buf_putf(&text, "%s v\n", key);
	put_file(p.path, buf_sv(&text));
	CU_ASSERT_PTR_NULL(open_type(&p, "text", p.path, MAP_PLAIN, &e));
	buf_reset(&text);
	buf_putf(&text, "%s long value\n", key + 1);
	put_file(p.path, buf_sv(&text));
	struct map *m = open_type(&p, "text", p.path, MAP_PLAIN, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(get(m, key + 1, 1), "long value");
	CU_ASSERT_STRING_EQUAL(get(m, key, 1), "(none)");
	buf_puts(&value, "kept");
	value.max = 9;
	CU_ASSERT_EQUAL(map_get(m, sv_of(key + 1), 1, &value, &e), MAP_FAILED);
	CU_ASSERT_STRING_EQUAL(buf_str(&value), "kept");
	map_close(m);
	buf_reset(&text);
	buf_puts(&text, "a ");
	buf_fill(&text, 'v', MAP_VALUE_MAX + 1);
	put_file(p.path, buf_sv(&text));
	CU_ASSERT_PTR_NULL(open_type(&p, "text", p.path, MAP_PLAIN, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	buf_free(&text);
	buf_free(&value);
	place_remove(&p);
}

static bool add_entry(struct sv key, struct sv value, unsigned line, void *arg)
{
	buf_putf(arg, "%.*s=%.*s:%u ", (int)key.n, key.p, (int)value.n, value.p, line);
	return true;
}

static void compiled_tables_hold_the_same_and_are_reopened(void)
{
	struct place p;
	struct buf all = BUF_INIT(1000);
	struct err e = { .kind = ERR_NONE };
	struct stat st;
	uint64_t n = 0;

	place_make(&p);
	put_file(p.path, SV("root: al\nBoth: al,\n bea\nroot: ignored\n"));
	chmod(p.path, 0640);
	CU_ASSERT_TRUE_FATAL(map_compile_bdb(p.path, MAP_ALIASES, p.db, &n, &e));
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_TRUE(stat(p.db, &st) == 0 && (st.st_mode & 07777) == 0640);
	struct map *m = open_type(&p, "bdb", p.path, MAP_ALIASES, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(get(m, "ROOT", 10000), "al");
	CU_ASSERT_STRING_EQUAL(get(m, "both", 10000), "al, bea");
	CU_ASSERT_STRING_EQUAL(get(m, "nobody", 10000), "(none)");
	CU_ASSERT_TRUE(map_each(m, add_entry, &all, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&all), "both=al, bea:0 root=al:0 ");
	put_file(p.path, SV("root: bea\n"));
	CU_ASSERT_TRUE(map_compile_bdb(p.path, MAP_ALIASES, p.db, &n, &e));
	CU_ASSERT_STRING_EQUAL(get(m, "root", 10500), "al");
	CU_ASSERT_STRING_EQUAL(get(m, "root", 11000), "bea");
	put_file(p.path, SV("broken\n"));
	CU_ASSERT_FALSE(map_compile_bdb(p.path, MAP_ALIASES, p.db, &n, &e));
	CU_ASSERT_STRING_EQUAL(get(m, "root", 12000), "bea");
	map_close(m);
	buf_free(&all);
	place_remove(&p);
}

static void write_db(const char *path, DBTYPE type, size_t with_nul)
{
	DB *db;
	char key[] = "root", value[] = "al";
	DBT k = { .data = key, .size = (uint32_t)(4 + with_nul) }, v = { .data = value, .size = (uint32_t)(2 + with_nul) };

	CU_ASSERT_EQUAL_FATAL(db_create(&db, NULL, 0), 0);
	CU_ASSERT_EQUAL(db->open(db, NULL, path, NULL, type, DB_CREATE, 0600), 0);
	CU_ASSERT_EQUAL(db->put(db, NULL, &k, &v, 0), 0);
	CU_ASSERT_EQUAL(db->close(db, 0), 0);
}

static void tables_of_other_programs_are_read(void)
{
	static const struct {
		DBTYPE type;
		size_t with_nul;
	} t[] = { { DB_HASH, 1 }, { DB_HASH, 0 }, { DB_BTREE, 1 }, { DB_BTREE, 0 } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		place_make(&p);
		write_db(p.db, t[i].type, t[i].with_nul);
		struct map *m = open_type(&p, "bdb", p.db, MAP_ALIASES, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_STRING_EQUAL(get(m, "root", 1), "al");
		map_close(m);
		place_remove(&p);
	}
}

static void damaged_tables_are_errors_and_the_old_one_serves_on(void)
{
	struct place p;
	struct buf good = BUF_INIT(100000);
	struct err e = { .kind = ERR_NONE };
	uint64_t n;

	place_make(&p);
	put_file(p.path, SV("root: al\n"));
	CU_ASSERT_TRUE_FATAL(map_compile_bdb(p.path, MAP_ALIASES, p.db, &n, &e));
	CU_ASSERT_TRUE(fd_read_path(AT_FDCWD, p.db, &good, &e));
	struct map *m = open_type(&p, "bdb", p.db, MAP_ALIASES, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	for (size_t cut = 0; cut < good.len; cut += 700) { /* also to nothing */
		put_file(p.db, (struct sv){ good.data, cut });
		CU_ASSERT_STRING_EQUAL(get(m, "root", 10000 + 1000 * cut), "al");
		CU_ASSERT_TRUE(map_fault(m, &e));
		CU_ASSERT_PTR_NULL(open_type(&p, "bdb", p.db, MAP_ALIASES, &e));
	}
	for (size_t at = 0; at < good.len; at += 331) { /* a flipped byte: refused or, where none looks, harmless */
		good.data[at] ^= 0x5a;
		put_file(p.db, buf_sv(&good));
		good.data[at] ^= 0x5a;
		struct map *other = open_type(&p, "bdb", p.db, MAP_ALIASES, &e);
		if (other)
			CU_ASSERT_STRING_EQUAL(get(other, "root", 1), "al");
		map_close(other);
	}
	put_file(p.db, buf_sv(&good));
	CU_ASSERT_STRING_EQUAL(get(m, "root", 90000000), "al");
	CU_ASSERT_FALSE(map_fault(m, &e));
	map_close(m);
	buf_free(&good);
	place_remove(&p);
}

void suite_map(void)
{
	static const struct unit_case cases[] = {
		UNIT(plain_and_alias_sources_are_understood),
		UNIT(faults_of_a_source_name_their_line),
		UNIT(what_cannot_be_opened_says_why),
		UNIT(inline_tables_hold_what_the_configuration_says),
		UNIT(a_changed_source_is_seen_within_a_second),
		UNIT(a_source_that_breaks_keeps_its_last_good_content),
		UNIT(long_keys_and_values_have_limits),
		UNIT(compiled_tables_hold_the_same_and_are_reopened),
		UNIT(tables_of_other_programs_are_read),
		UNIT(damaged_tables_are_errors_and_the_old_one_serves_on),
		UNIT_END,
	};
	unit_suite("map", cases);
}
