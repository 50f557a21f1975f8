#include "mailbox/dotforward.h"

#include "unit/unit.h"

static void self_of(const char *rcpt, struct dotforward_self *ret)
{
	*ret = (struct dotforward_self){ .user = "al", .delimiter = "+" };
	CU_ASSERT_FATAL(maddr_parse(sv_of(rcpt), 0, &ret->rcpt, NULL));
}

/* The targets, blanks between, behind "+ " when the own mailbox is meant too. */
static const char *said(const struct dotforward *f, char *dst, size_t size)
{
	size_t at = (size_t)snprintf(dst, size, "%s", f->own ? "+" : "");
	for (size_t i = 0; i < f->targets.len; i++) {
		char text[MADDR_TEXT_MAX + 1];
		at += (size_t)snprintf(
			dst + at, size - at, "%s%s", at ? " " : "", maddr_text(VEC_AT(&f->targets, struct maddr, i), text));
	}
	return dst;
}

static void addresses_are_read_in_all_their_forms(void)
{
	static const struct {
		const char *rcpt, *text, *want;
	} t[] = {
		{ "al@c.example", "", "+" },
		{ "al@c.example", "\n \n\t# x@d.example\n,\n", "+" },
		{ "al@c.example", "x@d.example", "x@d.example" },
		{ "al@c.example", "x@d.example,y@d.example\r\nbob\r\n", "x@d.example y@d.example bob" },
		{ "al@c.example", "x@d.example # why\n  y#z@d.example", "x@d.example y#z@d.example" },
		{ "al@c.example", "\"a, # b\"@d.example", "\"a, # b\"@d.example" },
		{ "al@c.example", "Bob B. <bob@d.example>, \"B, B\" <b@d.example>", "bob@d.example b@d.example" },
		{ "al@c.example", "x@d.example\nX@D.example\nx@d.example", "x@d.example" },
		{ "al@c.example", "\\al", "+" },
		{ "al@c.example", "al, x@d.example", "+ x@d.example" },
		{ "al@c.example", "AL@C.EXAMPLE", "+" },
		{ "al@c.example", "al@d.example", "al@d.example" },
		{ "al@c.example", "\\bob", "bob" },
		{ "al@c.example", "al+x@c.example", "al+x@c.example" },
		{ "al+x@c.example", "al+x, \\al, al@c.example", "+" },
		{ "big.al@c.example", "al, big.al", "+" },
		{ "al@c.example", "gr\xc3\xbc\xc3\x9f@d.example", "gr\xc3\xbc\xc3\x9f@d.example" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct dotforward_self self;
		struct dotforward f;
		struct err e;
		char got[1000];
		self_of(t[i].rcpt, &self);
		bool ok = dotforward_parse(sv_of(t[i].text), &self, &f, &e);
		CU_ASSERT(ok);
		if (!ok)
			continue;
		CU_ASSERT_STRING_EQUAL(said(&f, got, sizeof got), t[i].want);
		dotforward_free(&f);
	}
}

static void what_cannot_be_done_refuses_the_file_and_names_its_line(void)
{
	static const struct {
		const char *text, *line, *why;
	} t[] = {
		{ "\"|/usr/bin/vacation al\"", "line 1", "commands are not run" },
		{ "x@d.example\n|cat", "line 2", "commands are not run" },
		{ "x@d.example, /dev/null", "line 1", "files are not written" },
		{ "\n\n:include:/etc/passwd", "line 3", "other files are not read" },
		{ "a b c", "line 1", "no address" },
		{ "x@", "line 1", "no address" },
		{ "x@d.example\n\"open", "line 2", "a quote is not closed" },
		{ "x@d.example\n\\", "line 2", "no address" },
		{ "x\x01y@d.example", "line 1", "no address" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct dotforward_self self;
		struct dotforward f = { .own = true };
		struct err e = { 0 };
		self_of("al@c.example", &self);
		CU_ASSERT_FALSE(dotforward_parse(sv_of(t[i].text), &self, &f, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
		CU_ASSERT_STRING_EQUAL(e.dsn, "4.3.5");
		CU_ASSERT(strstr(e.text, t[i].line) && strstr(e.text, t[i].why) && !sv_has_ctl(sv_of(e.text)));
		CU_ASSERT(f.own && f.targets.len == 0);
	}
}

static void a_hundred_addresses_fit_and_no_more(void)
{
	struct dotforward_self self;
	self_of("al@c.example", &self);
	for (unsigned n = DOTFORWARD_TARGETS_MAX; n <= DOTFORWARD_TARGETS_MAX + 1; n++) {
		struct buf text = BUF_INIT(DOTFORWARD_SIZE_MAX);
		struct dotforward f;
		struct err e;
		for (unsigned i = 0; i < n; i++)
			buf_putf(&text, "u%u@d.example, u0@d.example\n", i);
		bool ok = dotforward_parse(buf_sv(&text), &self, &f, &e);
		CU_ASSERT_EQUAL(ok, n == DOTFORWARD_TARGETS_MAX);
		if (ok) {
			CU_ASSERT_EQUAL(f.targets.len, n);
			dotforward_free(&f);
		}
		buf_free(&text);
	}
}

static void a_name_is_below_the_home_and_in_lower_case(void)
{
	static const struct {
		const char *delimiter, *detail, *want;
	} t[] = {
		{ "+", "", ".forward" },
		{ "", "", ".forward" },
		{ "+", "List", ".forward+list" },
		{ "-", "a.b", ".forward-a.b" },
		{ "+", "../x", NULL },
		{ "+", "a/b", NULL },
		{ "+", "a\nb", NULL },
	};
	char name[DOTFORWARD_NAME_MAX + 1], longest[DOTFORWARD_NAME_MAX + 1];
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(dotforward_name(t[i].delimiter, t[i].detail, name), t[i].want != NULL);
		if (t[i].want)
			CU_ASSERT_STRING_EQUAL(name, t[i].want);
	}
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	CU_ASSERT_FALSE(dotforward_name("+", longest, name));
}

void suite_dotforward(void)
{
	static const struct unit_case cases[] = {
		UNIT(addresses_are_read_in_all_their_forms),
		UNIT(what_cannot_be_done_refuses_the_file_and_names_its_line),
		UNIT(a_hundred_addresses_fit_and_no_more),
		UNIT(a_name_is_below_the_home_and_in_lower_case),
		UNIT_END,
	};
	unit_suite("dotforward", cases);
}
