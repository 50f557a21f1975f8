/* Tables whose keys are no exact texts: networks and patterns. */
#include "unit/unit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "maps/map.h"

#include <fcntl.h>

struct place {
	char path[64], spec[80];
};

static void put(const struct place *p, const char *text)
{
	char aside[80];
	snprintf(aside, sizeof(aside), "%s.new", p->path);
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CU_ASSERT_TRUE(fd >= 0 && fd_write_all(fd, text, strlen(text), NULL));
	fd_close(&fd);
	CU_ASSERT_EQUAL(rename(aside, p->path), 0);
}

static struct map *open_form(struct place *p, const char *type, const char *text, enum map_form form, struct err *e)
{
	snprintf(p->path, sizeof(p->path), "/tmp/postern-match-XXXXXX");
	int fd = mkstemp(p->path);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	fd_close(&fd);
	put(p, text);
	snprintf(p->spec, sizeof(p->spec), "%s:%s", type, p->path);
	return map_open(p->spec, form, e);
}

static struct map *open_text(struct place *p, const char *type, const char *text, struct err *e)
{
	return open_form(p, type, text, MAP_PLAIN, e);
}

/* The value in <>, "none", or "failed". */
static const char *get(struct map *m, const char *key, uint64_t now_ms, char dst[200])
{
	struct buf value = BUF_INIT(150);
	struct err e = { .kind = ERR_NONE };
	enum map_result r = map_get(m, sv_of(key), now_ms, &value, &e);
	if (r == MAP_FOUND)
		snprintf(dst, 200, "<%s>", buf_str(&value));
	else
		snprintf(dst, 200, "%s", r == MAP_NONE ? "none" : "failed");
	CU_ASSERT_EQUAL(r == MAP_FAILED, e.text[0] != '\0');
	buf_free(&value);
	return dst;
}

struct look {
	const char *key, *want;
};

static void check(const char *type, const char *text, const struct look *t, size_t n)
{
	struct place p;
	struct err e = { .kind = ERR_NONE };
	struct map *m = open_text(&p, type, text, &e);
	char got[200];
	CU_ASSERT_STRING_EQUAL(e.text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_STRING_EQUAL(get(m, t[i].key, 1, got), t[i].want);
		if (strcmp(got, t[i].want) != 0)
			fprintf(stderr, "%s: got %s, want %s\n", t[i].key, got, t[i].want);
	}
	map_close(m);
	unlink(p.path);
}

static void the_longest_prefix_counts_wherever_it_stands(void)
{
	static const char text[] = "# office\n10.0.0.0/8 wide\n10.1.0.0/16\tmiddle  \n\n10.1.2.3 host\n10.1.2.3 again\n"
				   "2001:db8::/32 six\n2001:db8::1\n::ffff:192.0.2.0/120 mapped\n";
	static const struct look t[] = {
		{ "10.9.9.9", "<wide>" },
		{ "10.1.9.9", "<middle>" },
		{ "10.1.2.3", "<host>" },
		{ "11.0.0.0", "none" },
		{ "2001:DB8::2", "<six>" },
		{ "[IPv6:2001:db8::2]", "<six>" },
		{ "[10.1.2.3]", "<host>" },
		{ "2001:db8::1", "<>" },
		{ "192.0.2.9", "<mapped>" },
		{ "::ffff:10.9.9.9", "<wide>" },
		{ "mx.example.org", "none" },
		{ "", "none" },
		{ "10.1.2", "none" },
	};
	check("cidr", text, t, COUNT(t));
}

static void everybody_is_a_network_too(void)
{
	static const struct look t[] = { { "8.8.8.8", "<v4>" }, { "::1", "<v6>" }, { "10.0.0.1", "<ten>" } };
	check("cidr", "0.0.0.0/0 v4\n::/0 v6\n10.0.0.0/8 ten\n", t, COUNT(t));
}

static void the_first_pattern_that_matches_counts(void)
{
	static const char text[] = "# senders\n/^(.+)@(sales|news)\\.example\\.org$/ ${2}-of-$1 for $$5\n/@EXAMPLE\\.org$/ other\n"
				   "/a\\/b/ slash\n/^ sp aced$/x spaced\n/^(x)?y$/ got[$1]\n/nothing-behind/\n";
	static const struct look t[] = {
		{ "Ann@Sales.example.org", "<sales-of-ann for $5>" },
		{ "ann@example.ORG", "<other>" },
		{ "ann@example.org.evil", "none" },
		{ "a/b", "<slash>" },
		{ "spaced", "<spaced>" },
		{ "y", "<got[]>" },
		{ "nothing-behind", "<>" },
		{ "", "none" },
	};
	check("regexp", text, t, COUNT(t));
	check("pcre", text, t, COUNT(t));
}

static void what_a_stranger_writes_is_no_target_of_an_alias(void)
{
	static const struct look t[] = {
		{ "list-root@x.example", "<root>" },
		{ "list-a.b+c_d=e-f@x.example", "<a.b+c_d=e-f>" },
		{ "\"list-|touch /tmp/x\"@x.example", "none" },
		{ "\"list-/etc/passwd\"@x.example", "none" },
		{ "\"list-:include:/etc/passwd\"@x.example", "none" },
		{ "\"list-a@far.example\"@x.example", "none" },
		{ "\"list-a,b\"@x.example", "none" },
		{ "list-a%far.example@x.example", "none" },
		{ "list-far.example!a@x.example", "none" },
		{ "move-al@x.example", "<al@new.example, archive+al@x.example>" },
	};
	static const char *const bad[] = { "/(.+)%(.+)/ $1@$2\n", "/(.+)/ |cmd $1\n", "/(.+)/ \"|cmd $1\"\n",
		"/(.+)/ /var/mail/$1\n", "/(.+)/ :include:/lists/$1\n", "/(.+)/ a@b.example, c@$1.example\n" };
	struct place p;
	struct err e = { .kind = ERR_NONE };
	char got[200];
	struct map *m = open_form(&p, "regexp",
		"/^\"?list-(.+?)\"?@x\\.example$/ $1\n/^move-(.+)@/ ${1}@new.example, archive+$1@x.example\n/^cost@/ |cmd\n",
		MAP_ALIASES, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_STRING_EQUAL(get(m, t[i].key, 1, got), t[i].want);
	map_close(m);
	unlink(p.path);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CU_ASSERT_PTR_NULL(open_form(&p, "regexp", bad[i], MAP_ALIASES, &e));
		CU_ASSERT(e.kind == ERR_PERM && strstr(e.text, ":1: a group of the pattern may stand in a local part alone"));
		unlink(p.path);
	}
}

static void a_pattern_that_needs_too_much_work_fails_soon(void)
{
	static const char *const bad[] = { "/^(a+)+$/ x\n", "/^(a|aa)+$/ x\n", "/^(.*)*.*=!/ x\n", "/(a?){60}a{60}$/ x\n" };
	char key[300], got[200];
	memset(key, 'a', sizeof(key));
	key[sizeof(key) - 2] = '!';
	key[sizeof(key) - 1] = '\0';
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct place p;
		struct err e = { .kind = ERR_NONE };
		uint64_t start = clock_mono_ms();
		struct map *m = open_text(&p, "regexp", bad[i], &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_STRING_EQUAL(get(m, key, 1, got), "failed");
		CU_ASSERT_STRING_NOT_EQUAL(get(m, "b", 1, got), "failed"); /* and serves on */
		CU_ASSERT_TRUE(clock_mono_ms() - start < 1000);
		map_close(m);
		unlink(p.path);
	}
}

static void faults_name_file_and_line(void)
{
	static const struct {
		const char *type, *text, *want;
	} t[] = {
		{ "cidr", "10.0.0.0/8 a\n10.0.0.1/8 b\n",
			":2: 10.0.0.1/8: has bits set beyond the prefix; did you mean 10.0.0.0/8?" },
		{ "cidr", "\n\nhost.example x\n", ":3: host.example: not an IP network" },
		{ "cidr", "10.0.0.0/33\n", ":1: 10.0.0.0/33: the prefix length must be a number from 0 to 32" },
		{ "regexp", "ok\n", ":1: write /pattern/ value" },
		{ "regexp", "/a/ x\n/b x\n", ":2: the pattern has no / at its end" },
		{ "regexp", "/a(/ x\n", ":1: the pattern is faulty after 2 characters: missing closing parenthesis" },
		{ "regexp", "/a/q x\n", ":1: unknown flag" },
		{ "regexp", "/(a)/ $2\n", ":1: $2: the pattern has only 1 groups" },
		{ "regexp", "/(a)/ $x\n", ":1: after $ stands the number of a group" },
		{ "regexp", "/(a)/ ${1\n", ":1: after $ stands the number of a group" },
		{ "regexp", "/a\\C/ x\n", ":1: the pattern is faulty" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_PTR_NULL(open_text(&p, t[i].type, t[i].text, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_TRUE(sv_starts(sv_of(e.text), sv_of(p.path)));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].want));
		if (!strstr(e.text, t[i].want))
			fprintf(stderr, "got: %s\n", e.text);
		unlink(p.path);
	}
}

static void changes_are_seen_and_faulty_ones_are_not_used(void)
{
	struct place p;
	struct err e = { .kind = ERR_NONE };
	char got[200];
	struct map *m = open_text(&p, "cidr", "10.0.0.0/8 a\n", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	put(&p, "10.0.0.0/8 bb\n");
	CU_ASSERT_STRING_EQUAL(get(m, "10.0.0.1", 2000, got), "<bb>");
	put(&p, "10.0.0.0/8 ccc\nnonsense\n");
	CU_ASSERT_STRING_EQUAL(get(m, "10.0.0.1", 4000, got), "<bb>");
	CU_ASSERT_TRUE(map_fault(m, &e) && strstr(e.text, ":2:"));
	put(&p, "10.0.0.0/8 d\n");
	CU_ASSERT_STRING_EQUAL(get(m, "10.0.0.1", 6000, got), "<d>");
	CU_ASSERT_FALSE(map_fault(m, NULL));
	map_close(m);
	unlink(p.path);
}

static void a_value_that_is_too_long_with_its_groups_is_a_failure(void)
{
	struct place p;
	struct err e = { .kind = ERR_NONE };
	char key[121], got[200];
	struct map *m = open_text(&p, "regexp", "/(.*)/ $1$1\n", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memset(key, 'a', 120);
	key[120] = '\0';
	CU_ASSERT_STRING_EQUAL(get(m, key, 1, got), "failed");
	CU_ASSERT_STRING_EQUAL(get(m, "ab", 1, got), "<abab>");
	map_close(m);
	unlink(p.path);
}

void suite_match(void)
{
	static const struct unit_case cases[] = {
		UNIT(the_longest_prefix_counts_wherever_it_stands),
		UNIT(everybody_is_a_network_too),
		UNIT(the_first_pattern_that_matches_counts),
		UNIT(a_pattern_that_needs_too_much_work_fails_soon),
		UNIT(what_a_stranger_writes_is_no_target_of_an_alias),
		UNIT(faults_name_file_and_line),
		UNIT(changes_are_seen_and_faulty_ones_are_not_used),
		UNIT(a_value_that_is_too_long_with_its_groups_is_a_failure),
		UNIT_END,
	};
	unit_suite("match", cases);
}
