#include "unit/unit.h"
#include "mail/sts.h"

#include <string.h>

static void the_record_is_known_by_its_version_and_has_an_id(void)
{
	static const struct {
		const char *txt;
		bool is;
		const char *id;
	} t[] = {
		{ "v=STSv1; id=20160831085700Z;", true, "20160831085700Z" }, /* RFC 8461 3.1 */
		{ "v=STSv1;id=a1", true, "a1" },
		{ "v=STSv1 ; future=x; id=7 ;", true, "7" },
		{ "v=STSv1; id=", true, "" },
		{ "v=STSv1; id=has-hyphen", true, "" },
		{ "v=STSv1; id=123456789012345678901234567890123", true, "" }, /* 33 */
		{ "v=STSv1", false, "" },
		{ "v=STSv10; id=1", false, "" },
		{ " v=spf1 -all", false, "" },
		{ "id=1; v=STSv1;", false, "" },
		{ "", false, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char id[STS_ID_MAX + 1] = "x";
		CU_ASSERT_EQUAL(sts_is_record(sv_of(t[i].txt), id), t[i].is);
		CU_ASSERT_STRING_EQUAL(id, t[i].id);
	}
}

static void a_policy_is_read_as_the_rfc_writes_it(void)
{
	struct sts_policy p;
	struct err e = { 0 };
	CU_ASSERT_TRUE(sts_policy_parse(SV("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\n"
					   "mx: backupmx.example.com\r\nmax_age: 604800\r\n"),
		&p, &e));
	CU_ASSERT_EQUAL(p.mode, STS_ENFORCE);
	CU_ASSERT_EQUAL(p.max_age, 604800);
	CU_ASSERT_STRING_EQUAL(p.mx, "mail.example.com *.example.net backupmx.example.com");
	CU_ASSERT_TRUE(
		sts_policy_parse(SV("version:STSv1\nmax_age: 99999999999\nnew: x\nmode: testing\nmode: enforce\nmx:a.b"), &p, &e));
	CU_ASSERT_EQUAL(p.mode, STS_TESTING); /* the first counts */
	CU_ASSERT_EQUAL(p.max_age, STS_AGE_MAX);
	CU_ASSERT_TRUE(sts_policy_parse(SV("version: STSv1\nmode: none\nmax_age: 0\n"), &p, &e));
	CU_ASSERT_EQUAL(p.mode, STS_NONE);
}

static void what_is_no_policy_is_refused_with_the_reason(void)
{
	static const struct {
		const char *text, *why;
	} t[] = {
		{ "", "no version" },
		{ "<html>hello</html>", "without a colon" },
		{ "version: STSv2\nmode: none\nmax_age: 1\n", "not STSv1" },
		{ "version: STSv1\nmax_age: 1\nmx: a.b\n", "no mode" },
		{ "version: STSv1\nmode: enforce\nmx: a.b\n", "no max_age" },
		{ "version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx" },
		{ "version: STSv1\nmode: Enforce\nmx: a.b\nmax_age: 1\n", "mode" },
		{ "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: -1\n", "max_age" },
		{ "version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n", "host name" },
		{ "version: STSv1\nmode: enforce\nmx: *.*.b\nmax_age: 1\n", "host name" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sts_policy p;
		struct err e = { 0 };
		CU_ASSERT_FALSE(sts_policy_parse(sv_of(t[i].text), &p, &e));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].why));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	}
}

static void a_policy_is_bounded(void)
{
	struct buf b = BUF_INIT(1u << 20);
	struct sts_policy p;
	struct err e = { 0 };
	buf_puts(&b, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	while (b.len < STS_PATTERNS_MAX * 2)
		buf_puts(&b, "mx: a-rather-long-name-of-a-host.example.com\n");
	CU_ASSERT_FALSE(sts_policy_parse(buf_sv(&b), &p, &e));
	buf_fill(&b, '\n', STS_POLICY_MAX);
	CU_ASSERT_FALSE(sts_policy_parse(buf_sv(&b), &p, &e));
	buf_free(&b);
}

static void a_wildcard_stands_for_one_label(void)
{
	static const struct {
		const char *patterns, *host;
		bool allowed;
	} t[] = {
		{ "mail.example.com", "mail.example.com", true },
		{ "mail.example.com", "MAIL.Example.com.", true },
		{ "mail.example.com", "a.mail.example.com", false },
		{ "*.example.com", "mx.example.com", true },
		{ "*.example.com", "example.com", false },
		{ "*.example.com", "a.b.example.com", false },
		{ "*.example.com", ".example.com", false },
		{ "x.y *.z.org", "m.z.org", true },
		{ "", "a.b", false },
		{ "a.b", "", false },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(sts_allows(t[i].patterns, t[i].host), t[i].allowed);
}

void suite_sts(void)
{
	static const struct unit_case cases[] = { UNIT(the_record_is_known_by_its_version_and_has_an_id),
		UNIT(a_policy_is_read_as_the_rfc_writes_it), UNIT(what_is_no_policy_is_refused_with_the_reason),
		UNIT(a_policy_is_bounded), UNIT(a_wildcard_stands_for_one_label), UNIT_END };
	unit_suite("sts", cases);
}
