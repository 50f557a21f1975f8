#include "unit/unit.h"
#include "base/clock.h"
#include "base/crc32c.h"

/* RFC 3720 B.4, and the usual check value. */
static void known_inputs_give_known_values(void)
{
	unsigned char zeros[32] = { 0 }, ones[32], up[32];

	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; i < sizeof(up); i++)
		up[i] = (unsigned char)i;
	const struct {
		const void *p;
		size_t n;
		uint32_t want;
	} t[] = {
		{ "123456789", 9, 0xe3069283 },
		{ zeros, 32, 0x8a9136aa },
		{ ones, 32, 0x62a8ab43 },
		{ up, 32, 0x46dd794e },
		{ "", 0, 0 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(crc32c(0, t[i].p, t[i].n), t[i].want);
		CU_ASSERT_EQUAL(crc32c_by_table(0, t[i].p, t[i].n), t[i].want);
	}
}

static void table_and_cpu_agree_at_every_length_and_alignment(void)
{
	char p[600];

	rnd_bytes(p, sizeof(p));
	for (size_t at = 0; at < 9; at++)
		for (size_t n = 0; n < 300; n++)
			CU_ASSERT_EQUAL(crc32c(7, p + at, n), crc32c_by_table(7, p + at, n));
}

static void pieces_give_the_same_as_the_whole(void)
{
	char p[5000];

	rnd_bytes(p, sizeof(p));
	uint32_t whole = crc32c(0, p, sizeof(p));
	for (size_t cut = 0; cut <= sizeof(p); cut += 123) {
		uint32_t a = crc32c(0, p, cut), b = crc32c(0, p + cut, sizeof(p) - cut);
		CU_ASSERT_EQUAL(crc32c(a, p + cut, sizeof(p) - cut), whole);
		CU_ASSERT_EQUAL(crc32c_join(a, b, sizeof(p) - cut), whole);
	}
	CU_ASSERT_EQUAL(crc32c_join(whole, 0, 0), whole);
	CU_ASSERT_EQUAL(crc32c_join(0, whole, sizeof(p)), whole);
}

static void joining_does_not_depend_on_the_order_of_joins(void)
{
	uint32_t a = 0x12345678, b = 0x9abcdef0, c = 0x0fedcba9;
	uint64_t nb = 1ull << 40, nc = 12345678901;

	CU_ASSERT_EQUAL(crc32c_join(crc32c_join(a, b, nb), c, nc), crc32c_join(a, crc32c_join(b, c, nc), nb + nc));
}

static void a_flipped_bit_shows(void)
{
	char p[100] = "a queue file";
	uint32_t was = crc32c(0, p, sizeof(p));

	for (size_t bit = 0; bit < 8 * sizeof(p); bit++) {
		p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
		CU_ASSERT_NOT_EQUAL(crc32c(0, p, sizeof(p)), was);
		p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
	}
}

void suite_crc32c(void)
{
	static const struct unit_case cases[] = {
		UNIT(known_inputs_give_known_values),
		UNIT(table_and_cpu_agree_at_every_length_and_alignment),
		UNIT(pieces_give_the_same_as_the_whole),
		UNIT(joining_does_not_depend_on_the_order_of_joins),
		UNIT(a_flipped_bit_shows),
		UNIT_END,
	};
	unit_suite("crc32c", cases);
}
