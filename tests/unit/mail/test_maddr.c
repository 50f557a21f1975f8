#include "unit/unit.h"
#include "mail/maddr.h"

#define ALL (MADDR_NULL_OK | MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK)
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void good_paths_are_read_and_written_canonically(void)
{
	static const struct {
		const char *in, *text, *rest;
		unsigned flags;
	} t[] = {
		{ "<al@example.org>", "al@example.org", "", 0 },
		{ "<Al@EXAMPLE.org> SIZE=1", "Al@example.org", " SIZE=1", 0 },
		{ "<>", "", "", MADDR_NULL_OK },
		{ "<postmaster>", "postmaster", "", MADDR_NO_DOMAIN_OK },
		{ "<@a.example,@b.example:al@c.example>", "al@c.example", "", 0 },
		{ "<@a.example.:al@c.example>", "al@c.example", "", 0 },
		{ "<\"al\"@example.org>", "al@example.org", "", 0 },
		{ "<\"a b\"@example.org>", "\"a b\"@example.org", "", 0 },
		{ "<\"a\\\"\\\\\\c\"@example.org>", "\"a\\\"\\\\c\"@example.org", "", 0 },
		{ "<\"\"@example.org>", "\"\"@example.org", "", 0 },
		{ "<\"a@b\"@example.org>", "\"a@b\"@example.org", "", 0 },
		{ "<\"a>b\"@example.org>", "\"a>b\"@example.org", "", 0 },
		{ "<\".a\"@example.org>", "\".a\"@example.org", "", 0 },
		{ "<a!b%c/d=e+f@example.org>", "a!b%c/d=e+f@example.org", "", 0 },
		{ "<al@[192.0.2.1]>", "al@[192.0.2.1]", "", 0 },
		{ "<al@[IPv6:2001:DB8::1]>", "al@[ipv6:2001:db8::1]", "", 0 },
		{ "<al@example.org.>", "al@example.org", "", 0 },
		{ "<al@1.example>", "al@1.example", "", 0 },
		{ "<al@" A63 "." A63 ">", "al@" A63 "." A63, "", 0 },
		{ "<" A63 A63 "aa@b>", A63 A63 "aa@b", "", 0 },
		{ "<jürgen@example.org>", "jürgen@example.org", "", MADDR_UTF8_OK },
		{ "<al@bücher.example>", "al@bücher.example", "", MADDR_UTF8_OK },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv in = sv_of(t[i].in);
		struct maddr a, b;
		char text[MADDR_TEXT_MAX + 1];
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_TRUE_FATAL(maddr_parse_path(&in, t[i].flags, &a, &e));
		CU_ASSERT_STRING_EQUAL(maddr_text(&a, text), t[i].text);
		CU_ASSERT_TRUE(sv_eqs(in, t[i].rest));
		CU_ASSERT_TRUE(maddr_parse(sv_of(text), ALL, &b, &e));
		CU_ASSERT_TRUE(maddr_same(&a, &b));
		CU_ASSERT_EQUAL(a.utf8, !sv_is_ascii(sv_of(text)));
		CU_ASSERT_EQUAL(a.literal, text[0] && strchr(text, '[') != NULL);
	}
}

static void bad_paths_are_refused_untouched(void)
{
	static const struct {
		struct sv in;
		unsigned flags;
		const char *dsn;
	} t[] = {
		{ SV("al@example.org"), ALL, "5.1.7" },
		{ SV(""), ALL, "5.1.7" },
		{ SV("<"), ALL, "5.1.7" },
		{ SV("<al@example.org"), ALL, "5.1.7" },
		{ SV("<<al@example.org>>"), ALL, "5.1.7" },
		{ SV("<>"), 0, "5.1.3" },
		{ SV("<al>"), 0, "5.1.3" },
		{ SV("<@example.org>"), 0, "5.1.3" },
		{ SV("<@a.example:>"), 0, "5.1.3" },
		{ SV("<@a.example al@b>"), 0, "5.1.3" },
		{ SV("<al@>"), 0, "5.1.3" },
		{ SV("<al@.>"), 0, "5.1.3" },
		{ SV("<al@a..b>"), 0, "5.1.3" },
		{ SV("<al@-a.b>"), 0, "5.1.3" },
		{ SV("<al@a_b>"), 0, "5.1.3" },
		{ SV("<al@" A63 "a.b>"), 0, "5.1.3" },
		{ SV("<al@" A63 "." A63 "." A63 "." A63 "." A63 ">"), 0, "5.1.3" },
		{ SV("<al@b@c>"), 0, "5.1.3" },
		{ SV("<al@[1.2.3]>"), 0, "5.1.3" },
		{ SV("<al@[1.2.3.4>"), 0, "5.1.3" },
		{ SV("<al@[IPv6:1.2.3.4]>"), 0, "5.1.3" },
		{ SV("<al@[2001:db8::1]>"), 0, "5.1.3" },
		{ SV("<al@[X-tag:y]>"), 0, "5.1.3" },
		{ SV("<.al@b>"), 0, "5.1.3" },
		{ SV("<al.@b>"), 0, "5.1.3" },
		{ SV("<a..l@b>"), 0, "5.1.3" },
		{ SV("<a l@b>"), 0, "5.1.3" },
		{ SV("<a(l)@b>"), 0, "5.1.3" },
		{ SV("<a\"l@b>"), 0, "5.1.3" },
		{ SV("<\"al@b>"), 0, "5.1.3" },
		{ SV("<\"al\"x@b>"), 0, "5.1.3" },
		{ SV("<\"al\\>"), 0, "5.1.3" },
		{ SV("<a\0l@b>"), 0, "5.1.3" },
		{ SV("<\"a\0l\"@b>"), 0, "5.1.3" },
		{ SV("<\"a\r\nl\"@b>"), 0, "5.1.3" },
		{ SV("<\"a\tl\"@b>"), 0, "5.1.3" },
		{ SV("<al@b\r\n>"), 0, "5.1.3" },
		{ SV("<al@b\0>"), 0, "5.1.3" },
		{ SV("<a\x7fl@b>"), 0, "5.1.3" },
		{ SV("<" A63 A63 "aaa@b>"), 0, "5.1.3" },
		{ SV("<jürgen@b>"), 0, "5.6.7" },
		{ SV("<al@bücher.example>"), 0, "5.6.7" },
		{ SV("<a\xff@b>"), MADDR_UTF8_OK, "5.1.3" },
		{ SV("<a\xc0\xaf@b>"), MADDR_UTF8_OK, "5.1.3" },
		{ SV("<a\xc2\x85@b>"), MADDR_UTF8_OK, "5.1.3" },
		{ SV("<a@example\xe3\x80\x82org>"), MADDR_UTF8_OK, "5.1.3" }, /* U+3002 is a dot to IDNA */
		{ SV("<a@\xff.example>"), MADDR_UTF8_OK, "5.1.3" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv in = t[i].in;
		struct maddr a = { .local_len = 99 };
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_FALSE(maddr_parse_path(&in, t[i].flags, &a, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_STRING_EQUAL(e.dsn, t[i].dsn);
		CU_ASSERT_TRUE(in.p == t[i].in.p && in.n == t[i].in.n && a.local_len == 99);
	}
}

static void the_whole_text_must_be_the_address(void)
{
	static const struct {
		const char *in;
		bool ok;
	} t[] = { { "al@example.org", true }, { "al", true }, { "", true }, { "al@example.org ", false },
		{ " al@example.org", false }, { "al@example.org,bea@example.org", false }, { "<al@example.org>", false },
		{ "<>", true }, { "al@example.org>", false } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr a;
		CU_ASSERT_EQUAL(maddr_parse(sv_of(t[i].in), ALL, &a, NULL), t[i].ok);
	}
}

static void addresses_are_scanned_off_a_line(void)
{
	struct sv in = SV("bob@example.net \"a b\"@example.org <> al");
	static const char *const want[] = { "bob@example.net", "\"a b\"@example.org", "", "al", "" };
	char text[MADDR_TEXT_MAX + 1];

	for (size_t i = 0; i < COUNT(want); i++) {
		struct maddr a;
		CU_ASSERT_TRUE_FATAL(maddr_scan(&in, ALL, &a, NULL));
		CU_ASSERT_STRING_EQUAL(maddr_text(&a, text), want[i]);
	}
	struct maddr a;
	CU_ASSERT_FALSE(maddr_scan(&in, MADDR_UTF8_OK, &a, NULL));
}

static void parse(const char *text, struct maddr *ret) { CU_ASSERT_TRUE_FATAL(maddr_parse(sv_of(text), ALL, ret, NULL)); }

static void case_and_quotes_and_domain_forms_do_not_make_another_address(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} t[] = {
		{ "al@example.org", "AL@EXAMPLE.ORG", true },
		{ "al@example.org", "\"al\"@example.org", true },
		{ "al@bücher.example", "al@xn--bcher-kva.example", true },
		{ "al@example.org", "al@example.com", false },
		{ "al@example.org", "al+x@example.org", false },
		{ "al", "al@example.org", false },
		{ "", "\"\"", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr a, b;
		parse(t[i].a, &a);
		parse(t[i].b, &b);
		CU_ASSERT_EQUAL(maddr_same(&a, &b), t[i].same);
		CU_ASSERT_EQUAL(maddr_same(&b, &a), t[i].same);
	}
}

static void details_are_split_at_the_first_delimiter(void)
{
	static const struct {
		const char *local, *delimiter, *user, *detail;
	} t[] = {
		{ "al+x", "+", "al", "x" },
		{ "al+x+y", "+", "al", "x+y" },
		{ "al+", "+", "al", "" },
		{ "+al+x", "+", "+al", "x" },
		{ "+al", "+", NULL, NULL },
		{ "al", "+", NULL, NULL },
		{ "al+x", "", NULL, NULL },
		{ "al-x", "-", "al", "x" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv user, detail;
		bool split = maddr_split_detail(sv_of(t[i].local), t[i].delimiter, &user, &detail);
		CU_ASSERT_EQUAL(split, t[i].user != NULL);
		if (split && t[i].user)
			CU_ASSERT_TRUE(sv_eqs(user, t[i].user) && sv_eqs(detail, t[i].detail));
	}
}

static void domains_get_their_ascii_form(void)
{
	char name[MADDR_DOMAIN_MAX + 1];

	CU_ASSERT_TRUE(maddr_domain_ascii(SV("BÜCHER.Example"), name, NULL));
	CU_ASSERT_STRING_EQUAL(name, "xn--bcher-kva.example");
	CU_ASSERT_TRUE(maddr_domain_ascii(SV("Example.ORG"), name, NULL));
	CU_ASSERT_STRING_EQUAL(name, "example.org");
	CU_ASSERT_FALSE(maddr_domain_ascii(SV("a\xcc"), name, NULL));
	CU_ASSERT_TRUE(maddr_domain_ok(SV("bücher.example"), true));
	CU_ASSERT_FALSE(maddr_domain_ok(SV("bücher.example"), false));
}

void suite_maddr(void)
{
	static const struct unit_case cases[] = {
		UNIT(good_paths_are_read_and_written_canonically),
		UNIT(bad_paths_are_refused_untouched),
		UNIT(the_whole_text_must_be_the_address),
		UNIT(addresses_are_scanned_off_a_line),
		UNIT(case_and_quotes_and_domain_forms_do_not_make_another_address),
		UNIT(details_are_split_at_the_first_delimiter),
		UNIT(domains_get_their_ascii_form),
		UNIT_END,
	};
	unit_suite("maddr", cases);
}
