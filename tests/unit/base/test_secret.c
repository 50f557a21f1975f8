#include "unit/unit.h"
#include "base/clock.h"
#include "base/secret.h"

static void only_equal_secrets_are_equal(void)
{
	static const struct {
		struct sv a, b;
		bool eq;
	} t[] = {
		{ { "", 0 }, { "", 0 }, true }, { { NULL, 0 }, { "", 0 }, true }, { { "secret", 6 }, { "secret", 6 }, true },
		{ { "secret", 6 }, { "secreT", 6 }, false }, { { "Secret", 6 }, { "secret", 6 }, false },
		{ { "secret", 6 }, { "secre", 5 }, false }, { { "secre", 5 }, { "secret", 6 }, false },
		{ { "secret", 6 }, { NULL, 0 }, false }, { { NULL, 0 }, { "secret", 6 }, false }, { { "\0", 1 }, { "", 0 }, false },
		{ { "ss", 2 }, { "s", 1 }, false }, /* past the end of b its first byte is compared: no match by that */
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(secret_eq(t[i].a, t[i].b), t[i].eq);
}

static void wiped_bytes_are_zero(void)
{
	char p[8] = "secret!";

	secret_wipe(p, 6);
	CU_ASSERT_EQUAL(memcmp(p, "\0\0\0\0\0\0!", 8), 0);
	secret_wipe(NULL, 0);
}

static void random_bytes_differ_and_clocks_advance(void)
{
	uint64_t a = rnd_u64(), b = rnd_u64(), then = clock_mono_ms();
	char p[300] = { 0 };
	size_t zeros = 0;

	CU_ASSERT_NOT_EQUAL(a, b);
	rnd_bytes(p, sizeof(p));
	for (size_t i = 0; i < sizeof(p); i++)
		zeros += p[i] == 0;
	CU_ASSERT_TRUE(zeros < 30);
	rnd_bytes(p, 0);
	usleep(2000);
	CU_ASSERT_TRUE(clock_mono_ms() > then);
	CU_ASSERT_TRUE(clock_real_ms() / 1000 - clock_real_secs() + 1 <= 1);
	CU_ASSERT_TRUE(clock_real_secs() > 1700000000);
}

void suite_secret(void)
{
	static const struct unit_case cases[] = {
		UNIT(only_equal_secrets_are_equal),
		UNIT(wiped_bytes_are_zero),
		UNIT(random_bytes_differ_and_clocks_advance),
		UNIT_END,
	};
	unit_suite("secret", cases);
}
