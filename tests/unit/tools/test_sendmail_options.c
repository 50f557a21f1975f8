#include "tools/sendmail_options.h"

#include "base/sv.h"
#include "unit/unit.h"

#define ARGS_MAX 12

/* Splits at blanks; argv is the caller's. */
static bool parse(const char *line, char *store, char **argv, struct sendmail_options *ret, struct err *e)
{
	struct sv rest = sv_of(line), word;
	int argc = 0;
	while (sv_word(&rest, &word) && argc < ARGS_MAX) {
		argv[argc++] = store;
		CU_ASSERT_TRUE_FATAL(sv_copy(word, store, 100));
		store += word.n + 1;
	}
	argv[argc] = NULL;
	return sendmail_parse(argc, argv, ret, e);
}

static void each_mode_is_found(void)
{
	static const struct {
		const char *line;
		enum sendmail_mode mode;
	} t[] = {
		{ "sendmail a@b.example", SENDMAIL_DELIVER },
		{ "/usr/sbin/sendmail -bm x", SENDMAIL_DELIVER },
		{ "sendmail -bs", SENDMAIL_SMTP },
		{ "sendmail -b s", SENDMAIL_SMTP },
		{ "sendmail -bp", SENDMAIL_LIST },
		{ "/usr/bin/mailq", SENDMAIL_LIST },
		{ "sendmail -bi", SENDMAIL_ALIASES },
		{ "sendmail -I", SENDMAIL_ALIASES },
		{ "newaliases", SENDMAIL_ALIASES },
		{ "sendmail -q", SENDMAIL_FLUSH },
		{ "sendmail -q30m", SENDMAIL_NOTHING },
		{ "mailq -q", SENDMAIL_FLUSH },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sendmail_options o;
		char store[200], *argv[ARGS_MAX + 1];
		CU_ASSERT_TRUE(parse(t[i].line, store, argv, &o, NULL));
		CU_ASSERT_EQUAL(o.mode, t[i].mode);
	}
}

static void what_programs_pass_is_understood(void)
{
	struct sendmail_options o;
	char store[300], *argv[ARGS_MAX + 1];
	CU_ASSERT_TRUE(
		parse("sendmail -oem -oi -f bounces@x.example -F Name -- -odd@x.example b@x.example", store, argv, &o, NULL));
	CU_ASSERT_TRUE(o.dot_is_text);
	CU_ASSERT_FALSE(o.quiet);
	CU_ASSERT_STRING_EQUAL(o.sender, "bounces@x.example");
	CU_ASSERT_STRING_EQUAL(o.full_name, "Name");
	CU_ASSERT_STRING_EQUAL(o.recipients[0], "-odd@x.example");
	CU_ASSERT_STRING_EQUAL(o.recipients[1], "b@x.example");
	CU_ASSERT_TRUE(parse("sendmail -ti -fa@x.example -oeq -O Timeout=3 -h 5 -X /log -L tag -U", store, argv, &o, NULL));
	CU_ASSERT_TRUE(o.from_header && o.dot_is_text && o.quiet);
	CU_ASSERT_STRING_EQUAL(o.sender, "a@x.example");
	CU_ASSERT_PTR_NULL(o.recipients[0]);
	CU_ASSERT_TRUE(parse("sendmail -N success,DELAY -R hdrs -V id -B 8bitmime -qRx.example", store, argv, &o, NULL));
	CU_ASSERT_STRING_EQUAL(o.flush_rcpt, "x.example");
	CU_ASSERT_STRING_EQUAL(o.notify, "SUCCESS,DELAY");
	CU_ASSERT_STRING_EQUAL(o.ret, "HDRS");
	CU_ASSERT_STRING_EQUAL(o.envid, "id");
	CU_ASSERT_TRUE(parse("sendmail -N Delay,failure,delay,success x", store, argv, &o, NULL));
	CU_ASSERT_STRING_EQUAL(o.notify, "SUCCESS,FAILURE,DELAY");
	CU_ASSERT_TRUE(parse("sendmail -N never x", store, argv, &o, NULL));
	CU_ASSERT_STRING_EQUAL(o.notify, "NEVER");
}

static void wrong_usage_is_named(void)
{
	static const struct {
		const char *line, *want;
	} t[] = {
		{ "sendmail -Z", "no option -Z" },
		{ "sendmail -bd", "postern start" },
		{ "sendmail -bz", "no mode -bz" },
		{ "sendmail -f", "-f needs a value" },
		{ "sendmail -q5x", "-q5x" },
		{ "sendmail -N often", "often" },
		{ "sendmail -R some", "some" },
		{ "sendmail -V j\xc3\xbc", "-V takes" },
		{ "sendmail -B 9bit", "9bit" },
		{ "sendmail a@x.example -t", "before the recipients: -t" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sendmail_options o;
		struct err e = { 0 };
		char store[200], *argv[ARGS_MAX + 1];
		CU_ASSERT_FALSE(parse(t[i].line, store, argv, &o, &e));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].want));
	}
}

void suite_sendmail_options(void)
{
	static const struct unit_case cases[] = { UNIT(each_mode_is_found), UNIT(what_programs_pass_is_understood),
		UNIT(wrong_usage_is_named), UNIT_END };
	unit_suite("sendmail_options", cases);
}
