#include "unit/unit.h"
#include "maps/map.h"

static bool on_item(enum alias_kind kind, struct sv item, void *arg)
{
	static const char marks[] = { [ALIAS_ADDRESS] = 'A', [ALIAS_COMMAND] = 'C', [ALIAS_FILE] = 'F', [ALIAS_INCLUDE] = 'I' };

	buf_putf(arg, "%c{%.*s}", marks[kind], (int)item.n, item.p);
	return true;
}

static void values_are_taken_apart(void)
{
	static const struct {
		const char *value, *want;
		bool ok;
	} t[] = {
		{ "al", "A{al}", true },
		{ " al , bea@example.org,", "A{al}A{bea@example.org}", true },
		{ "\"|cmd \\\"x, y\\\" z\", al", "C{|cmd \"x, y\" z}A{al}", true },
		{ "|cmd arg, al", "C{|cmd arg}A{al}", true },
		{ "|\"cmd a, b\"", "C{|\"cmd a, b\"}", true },
		{ "/var/mail/x, \"/a b\"", "F{/var/mail/x}F{/a b}", true },
		{ ":include:/etc/list, :INCLUDE:/x", "I{:include:/etc/list}I{:INCLUDE:/x}", true },
		{ "\\al, bea", "A{\\al}A{bea}", true },
		{ "Al Bo <al@example.org>", "A{al@example.org}", true },
		{ "\"Bo, Al\" <al@example.org>", "A{al@example.org}", true },
		{ "\"a b\"@example.org", "A{\"a b\"@example.org}", true },
		{ "\"a, b\"", "A{\"a, b\"}", true },
		{ "\"open, al", "", false },
		{ "al, \"open", "A{al}", false },
		{ "", "", false },
		{ " , ", "", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(1000);
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_EQUAL(map_alias_items(sv_of(t[i].value), on_item, &b, &e), t[i].ok);
		CU_ASSERT_STRING_EQUAL(buf_str(&b), t[i].want);
		CU_ASSERT_EQUAL(e.kind, t[i].ok ? ERR_NONE : ERR_PERM);
		buf_free(&b);
	}
}

static bool stop(enum alias_kind kind, struct sv item, void *arg)
{
	(void)kind, (void)item;
	++*(int *)arg;
	return false;
}

static void the_caller_can_stop(void)
{
	int n = 0;

	CU_ASSERT_TRUE(map_alias_items(SV("a, b, c"), stop, &n, NULL));
	CU_ASSERT_EQUAL(n, 1);
}

void suite_alias_items(void)
{
	static const struct unit_case cases[] = { UNIT(values_are_taken_apart), UNIT(the_caller_can_stop), UNIT_END };

	unit_suite("alias_items", cases);
}
