#include "tools/opt.h"

#include "base/sv.h"
#include "unit/unit.h"

struct values {
	bool all, json;
	const char *sender;
	uint64_t older, lines;
};

static bool parse(struct values *v, int *argc, char **argv, struct err *e)
{
	const struct opt opts[] = { { "all", 'a', OPT_FLAG, &v->all, NULL, "" }, { "json", 'j', OPT_FLAG, &v->json, NULL, "" },
		{ "sender", 0, OPT_TEXT, &v->sender, "X", "" }, { "older", 0, OPT_SECS, &v->older, "AGE", "" },
		{ "lines", 'n', OPT_UINT, &v->lines, "N", "" }, OPT_END };
	return opt_parse(opts, argc, argv, e);
}

static void options_stand_anywhere_and_arguments_remain(void)
{
	char a[] = "one", b[] = "--sender", c[] = "x@y", d[] = "-aj", e_[] = "--older=2h", f[] = "-n5", g[] = "two", h[] = "--",
	     i[] = "--all";
	char *argv[] = { a, b, c, d, e_, f, g, h, i, NULL };
	int argc = 9;
	struct values v = { 0 };
	CU_ASSERT_TRUE(parse(&v, &argc, argv, NULL));
	CU_ASSERT_EQUAL_FATAL(argc, 3);
	CU_ASSERT_STRING_EQUAL(argv[0], "one");
	CU_ASSERT_STRING_EQUAL(argv[1], "two");
	CU_ASSERT_STRING_EQUAL(argv[2], "--all");
	CU_ASSERT_PTR_NULL(argv[3]);
	CU_ASSERT_TRUE(v.all && v.json);
	CU_ASSERT_STRING_EQUAL(v.sender, "x@y");
	CU_ASSERT_EQUAL(v.older, 7200);
	CU_ASSERT_EQUAL(v.lines, 5);
}

static void faults_name_the_option(void)
{
	static const struct {
		const char *args[2];
		const char *want;
	} t[] = { { { "--nothing" }, "no option --nothing" }, { { "-z" }, "no option -z" },
		{ { "--sender" }, "--sender needs a value" }, { { "--older", "soon" }, "--older soon" },
		{ { "-n", "x" }, "--lines x" }, { { "--all=yes" }, "--all takes no value" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		char first[20], second[20] = "", *argv[] = { first, second, NULL };
		struct values v = { 0 };
		struct err e = { 0 };
		int argc = t[i].args[1] ? 2 : 1;
		CU_ASSERT_TRUE_FATAL(
			sv_copy(sv_of(t[i].args[0]), first, sizeof first) && sv_copy(sv_of(t[i].args[1]), second, sizeof second));
		argv[argc] = NULL;
		CU_ASSERT_FALSE(parse(&v, &argc, argv, &e));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].want));
	}
}

void suite_opt(void)
{
	static const struct unit_case cases[] = { UNIT(options_stand_anywhere_and_arguments_remain), UNIT(faults_name_the_option),
		UNIT_END };
	unit_suite("opt", cases);
}
