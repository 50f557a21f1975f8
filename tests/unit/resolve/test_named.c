#include "tables.h"
#include "unit/unit.h"

static const char configuration[] = "hostname = mx.here.example\naliases = inline:{secret=x}\n";

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
	static const struct unit_case cases[] = { UNIT(a_table_that_is_not_named_for_smtpd_is_refused), UNIT_END };

	unit_suite("named", cases);
}
