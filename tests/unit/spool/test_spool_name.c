#include "spool/spool.h"

#include "unit/unit.h"

static void an_id_is_time_counter_random_and_sorts_by_time(void)
{
	struct spool_id a, b, c;
	spool_id_make(1700000000, 0xfffff, 0, &a);
	spool_id_make(1700000001, 0, 0, &b);
	spool_id_make(1700000001, 1, 0x1ffffff, &c);
	CU_ASSERT_EQUAL(strlen(a.text), SPOOL_ID_LEN);
	CU_ASSERT(strcmp(a.text, b.text) < 0 && strcmp(b.text, c.text) < 0);
	CU_ASSERT_EQUAL(spool_id_secs(&c), 1700000001);
	CU_ASSERT_EQUAL(spool_id_shard(&a), 15);
	CU_ASSERT_EQUAL(spool_id_shard(&c), 1);
}

static void ids_are_16_characters_of_base_32(void)
{
	static const struct {
		const char *text;
		bool ok;
	} t[] = {
		{ "0123456789abcdef", true },
		{ "vvvvvvvvvvvvvvvv", true },
		{ "0123456789abcde", false },
		{ "0123456789abcdefg", false },
		{ "0123456789abcdew", false },
		{ "0123456789ABCDEF", false },
		{ "0123456789abcd/f", false },
		{ "", false },
	};
	struct spool_id id;
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(spool_id_parse(sv_of(t[i].text), &id), t[i].ok);
}

static void a_name_is_the_same_when_read_and_written_again(void)
{
	static const char *const t[] = {
		"0123456789abcdef:1700000000,3,0000abcd,12345678,-",
		"0123456789abcdef:0,0,*,00000000,w",
		"0123456789abcdef:4294967295,65535,ffffffff,ffffffff,w",
		"0123456789abcdef:5,1,*,00000000,o",
		"0123456789abcdef:5,1,*,00000000,wo",
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_name n;
		char again[SPOOL_NAME_MAX];
		CU_ASSERT_TRUE_FATAL(spool_name_parse(sv_of(t[i]), &n));
		CU_ASSERT_STRING_EQUAL(spool_name_text(&n, again), t[i]);
	}
}

static void any_other_form_of_a_name_is_refused(void)
{
	static const char *const t[] = {
		"",
		"0123456789abcdef",
		"0123456789abcdef:",
		"0123456789abcdef:1,2,*,12345678",
		"0123456789abcdef:1,2,*,12345678,-,",
		"0123456789abcdef:4294967296,2,*,12345678,-",
		"0123456789abcdef:1,65536,*,12345678,-",
		"0123456789abcdef:1,2,*,12345678,-x",
		"0123456789abcdef:1,2,*,12345678,ow",
		"0123456789abcdef:1,2,*,12345678,ww",
		"0123456789abcdef:01,2,*,12345678,-",
		"0123456789abcdef:1,2,abc,12345678,-",
		"0123456789abcdef:1,2,00000000,12345678,-",
		"0123456789abcdef:1,2,*,1234567G,-",
		"0123456789abcdef:1,2,*,ABCDEF00,-",
		"0123456789abcdef:-1,2,*,12345678,-",
		"0123456789abcdef:1,1000001,*,12345678,-",
		"0123456789abcdef:1099511627777,2,*,12345678,-",
		"0123456789abcdef:1,2,*,12345678,q",
		"0123456789abcdex:1,2,*,12345678,-",
		"0123456789abcdef;1,2,*,12345678,-",
	};
	struct spool_name n;
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_FALSE(spool_name_parse(sv_of(t[i]), &n));
}

void suite_spool_name(void)
{
	static const struct unit_case cases[] = { UNIT(an_id_is_time_counter_random_and_sorts_by_time),
		UNIT(ids_are_16_characters_of_base_32), UNIT(a_name_is_the_same_when_read_and_written_again),
		UNIT(any_other_form_of_a_name_is_refused), UNIT_END };
	unit_suite("spool_name", cases);
}
