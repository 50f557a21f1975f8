/* One user as text. */
#include "tests/unit/unit.h"

#include "base/base64.h"
#include "record.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER64 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define SCRAM_LINE                                                                                   \
	"scram "                                                                                     \
	"SCRAM-SHA-256$10000:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"

static void a_record_survives_as_text(void)
{
	static const char text[] = "hash $y$j9T$abc$def\n" SCRAM_LINE "disabled 1\ncreated 5\nused 6\nfrozen 7\napp " HEX64
				   " 8 9 My Phone\napp " OTHER64 " 8 0 \xc3\xa9t\xc3\xa9\ncert " HEX64 "\n";
	struct record r;
	struct err e = { 0 };
	struct buf out = BUF_INIT(RECORD_TEXT_MAX);
	record_init(&r);
	CU_ASSERT_TRUE(record_parse(sv_of(text), &r, &e));
	CU_ASSERT_TRUE(r.has_scram && r.disabled && r.created == 5 && r.used == 6 && r.frozen == 7);
	CU_ASSERT_EQUAL(r.apps.len, 2);
	CU_ASSERT_EQUAL(r.certs.len, 1);
	CU_ASSERT_PTR_NOT_NULL(record_app(&r, "My Phone"));
	CU_ASSERT_PTR_NULL(record_app(&r, "my phone"));
	CU_ASSERT_PTR_NOT_NULL(record_cert(&r, HEX64));
	CU_ASSERT_PTR_NULL(record_cert(&r, OTHER64));
	record_put(&r, &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), text);
	record_free(&r);
	buf_free(&out);
}

static void what_a_later_version_wrote_is_no_damage(void)
{
	struct record r;
	record_init(&r);
	CU_ASSERT_TRUE(record_parse(SV("hash $y$x\nquota 5 G\n"), &r, NULL));
	CU_ASSERT_STRING_EQUAL(r.hash, "$y$x");
	record_free(&r);
}

static void damage_is_noticed_and_changes_nothing(void)
{
	static const char *const t[] = { "hash\n", "hash \n", "created x\n", "created -1\n", "disabled 2\n",
		"scram SCRAM-SHA-256$1\n", "app " HEX64 " 8 9\n", "app " HEX64 " 8 9 \n", "app 0123 8 9 label\n", "cert 0123\n",
		"cert\n", "nonsense\n", "created 99999999999999999999\n" };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct record r;
		struct err e = { 0 };
		record_init(&r);
		CU_ASSERT_TRUE(record_parse(SV("hash before\n"), &r, &e));
		CU_ASSERT_FALSE(record_parse(sv_of(t[i]), &r, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_STRING_EQUAL(r.hash, "before");
		CU_ASSERT_EQUAL(r.apps.len + r.certs.len, 0);
		record_free(&r);
	}
}

static void a_record_has_an_end(void)
{
	struct record r;
	struct buf text = BUF_INIT(RECORD_TEXT_MAX);
	for (size_t i = 0; i <= RECORD_APPS_MAX; i++)
		buf_putf(&text, "app " HEX64 " 1 1 label%zu\n", i);
	record_init(&r);
	CU_ASSERT_FALSE(record_parse(buf_sv(&text), &r, NULL));
	record_free(&r);
	buf_free(&text);
}

static void an_app_password_is_found_by_its_hash(void)
{
	struct record r;
	struct buf text = BUF_INIT(1000);
	unsigned char hash[SCRAM_KEY];
	scram_hash(SV("open sesame"), hash);
	buf_puts(&text, "app " HEX64 " 1 1 first\napp ");
	hex_put(&text, (struct sv){ (const char *)hash, sizeof hash });
	buf_puts(&text, " 1 1 second\n");
	record_init(&r);
	CU_ASSERT_TRUE(record_parse(buf_sv(&text), &r, NULL));
	const struct record_app *a = record_app_matching(&r, SV("open sesame"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_STRING_EQUAL(a->label, "second");
	CU_ASSERT_PTR_NULL(record_app_matching(&r, SV("open sesam")));
	CU_ASSERT_PTR_NULL(record_app_matching(&r, SV("")));
	record_free(&r);
	buf_free(&text);
}

static void names_are_judged(void)
{
	static const struct {
		struct sv name;
		bool ok;
	} t[] = {
		{ SV("al"), true },
		{ SV("al.b+c@x.example"), true },
		{ SV("j\xc3\xbcrgen"), true },
		{ SV(""), false },
		{ SV("a b"), false },
		{ SV("a\"b"), false },
		{ SV("a/b"), false },
		{ SV("a\nb"), false },
		{ SV("a\0b"), false },
		{ SV("a\xff"), false },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(record_name_ok(t[i].name), t[i].ok);
	CU_ASSERT_FALSE(record_label_ok(SV("")) || record_label_ok(SV("a\nb")) || !record_label_ok(SV("a b")));
	CU_ASSERT_FALSE(record_fingerprint_ok(SV("ABCDEF")) || record_fingerprint_ok(SV("")));
}

void suite_record(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_record_survives_as_text),
		UNIT(what_a_later_version_wrote_is_no_damage),
		UNIT(damage_is_noticed_and_changes_nothing),
		UNIT(a_record_has_an_end),
		UNIT(an_app_password_is_found_by_its_hash),
		UNIT(names_are_judged),
		UNIT_END,
	};
	unit_suite("record", cases);
}
