#include "tables.h"
#include "unit/unit.h"

static const char configuration[] =
	"hostname = mx.here.example\naliases = inline:{secret=x}\nsender_logins = inline:{al@x.example=al}\n"
	"[rule a]\nclient = inline:{192.0.2.1=yes}\naction = reject\n"
	"[rule b]\nsender = !inline:{192.0.2.1=yes}\naction = hold\n";

static void tables_of_rules_and_smtpd_are_looked_into(void)
{
	static const struct {
		const char *spec, *key, *want;
	} t[] = { { "inline:{192.0.2.1=yes}", "192.0.2.1", "yes" }, { "inline:{al@x.example=al}", "AL@x.example", "al" } };
	struct vec faults = VEC_INIT(struct cfg_fault, 100);
	struct cfg *c = cfg_parse(sv_of(configuration), &faults);
	struct hmap *tables = named_tables_new(c, 1);
	struct buf value = BUF_INIT(100);

	CU_ASSERT_EQUAL(cfg_errors(&faults), 0);
	CU_ASSERT_EQUAL(hmap_len(tables), COUNT(t)); /* one that two rules share is open once */
	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_EQUAL(named_tables_get(tables, t[i].spec, sv_of(t[i].key), 2, &value, &e), MAP_FOUND);
		CU_ASSERT_STRING_EQUAL(buf_str(&value), t[i].want);
		CU_ASSERT_EQUAL(named_tables_get(tables, t[i].spec, SV("other"), 2, &value, &e), MAP_NONE);
	}
	named_tables_free(tables);
	buf_free(&value);
	cfg_free(c);
	vec_free(&faults);
}

static void a_table_that_is_not_named_for_smtpd_is_refused(void)
{
	static const char *const specs[] = { "text:/etc/passwd", "inline:{secret=x}", "inline:{a=b}", "" };
	struct vec faults = VEC_INIT(struct cfg_fault, 100);
	struct cfg *c = cfg_parse(sv_of(configuration), &faults);
	CU_ASSERT_EQUAL_FATAL(cfg_errors(&faults), 0);
	struct hmap *tables = named_tables_new(c, 1);
	struct buf value = BUF_INIT(100);

	for (size_t i = 0; i < COUNT(specs); i++) {
		struct err e = { .kind = ERR_NONE };
		CU_ASSERT_EQUAL(named_tables_get(tables, specs[i], SV("secret"), 2, &value, &e), MAP_FAILED);
		CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	}
	named_tables_free(tables);
	buf_free(&value);
	cfg_free(c);
	vec_free(&faults);
}

void suite_named(void)
{
	static const struct unit_case cases[] = { UNIT(tables_of_rules_and_smtpd_are_looked_into),
		UNIT(a_table_that_is_not_named_for_smtpd_is_refused), UNIT_END };

	unit_suite("named", cases);
}
