#include "mail/verp.h"

#include "unit/unit.h"

static void a_sender_holds_its_recipient(void)
{
	static const struct {
		const char *sender, *rcpt, *delimiters, *want; /* NULL: it stays as it is */
	} t[] = {
		{ "owner@example.org", "al@example.net", "+=", "owner+al=example.net@example.org" },
		{ "owner@example.org", "al+x=y@example.net", "-=", "owner-al+x=y=example.net@example.org" },
		{ "owner@example.org", "\"a b\"@example.net", "+=", "\"owner+a b=example.net\"@example.org" },
		{ "\"o o\"@example.org", "al@[192.0.2.1]", "+=", "\"o o+al=[192.0.2.1]\"@example.org" },
		{ "owner@example.org", "jürgen@bücher.example", "+=", "owner+jürgen=bücher.example@example.org" },
		{ "owner@example.org",
			"a123456789012345678901234567890123456789012345678901234567890123@b1234567890123456789012345678901"
			"23456789012345678901234567890.c12345678901234567890.example",
			"+=", NULL },
		{ "", "al@example.net", "+=", NULL },
		{ "owner@example.org", "al", "+=", NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr sender = { .null = true }, rcpt, got = { .null = false };
		char text[MADDR_TEXT_MAX + 1];
		CU_ASSERT_TRUE_FATAL(!*t[i].sender || maddr_parse(sv_of(t[i].sender), 0, &sender, NULL));
		CU_ASSERT_TRUE_FATAL(maddr_parse(sv_of(t[i].rcpt), MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &rcpt, NULL));
		CU_ASSERT_EQUAL(verp_sender(&sender, &rcpt, t[i].delimiters, &got), t[i].want != NULL);
		if (t[i].want != NULL)
			CU_ASSERT_STRING_EQUAL(maddr_text(&got, text), t[i].want);
	}
}

static void delimiters_are_two_of_three(void)
{
	static const struct {
		const char *text;
		bool ok;
	} t[] = { { "+=", true }, { "-=", true }, { "==", true }, { "", false }, { "+", false }, { "+=+", false }, { "@=", false },
		{ "+\n", false } };
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(verp_delimiters_ok(sv_of(t[i].text)), t[i].ok);
}

void suite_verp(void)
{
	static const struct unit_case cases[] = { UNIT(a_sender_holds_its_recipient), UNIT(delimiters_are_two_of_three), UNIT_END };
	unit_suite("verp", cases);
}
