#include "unit/unit.h"
#include "base/hmap.h"
#include "base/siphash.h"

struct text_key {
	char text[16];
};

static struct sv name(struct text_key *k, unsigned i)
{
	snprintf(k->text, sizeof(k->text), "key%u", i);
	return sv_of(k->text);
}

static char values[5000];

static void what_was_put_is_found_through_growth_and_deletion(void)
{
	struct hmap *m = hmap_new(10000);
	struct text_key k;

	for (unsigned i = 0; i < COUNT(values); i++)
		CU_ASSERT_TRUE(hmap_put(m, name(&k, i), &values[i]));
	CU_ASSERT_EQUAL(hmap_len(m), COUNT(values));
	for (unsigned i = 0; i < COUNT(values); i += 2)
		CU_ASSERT_PTR_EQUAL(hmap_del(m, name(&k, i)), &values[i]);
	CU_ASSERT_EQUAL(hmap_len(m), COUNT(values) / 2);
	for (unsigned i = 0; i < COUNT(values); i++)
		CU_ASSERT_PTR_EQUAL(hmap_get(m, name(&k, i)), i % 2 ? &values[i] : NULL);
	CU_ASSERT_PTR_NULL(hmap_del(m, SV("key0")));
	CU_ASSERT_PTR_NULL(hmap_get(m, SV("key")));
	hmap_free(m, NULL);
	hmap_free(NULL, NULL);
}

static void a_map_that_only_turns_over_stays_correct(void)
{
	struct hmap *m = hmap_new(8);
	struct text_key k;

	for (unsigned i = 0; i < 100000; i++) {
		CU_ASSERT_TRUE_FATAL(hmap_put(m, name(&k, i), &values[i % 100]));
		if (i >= 5)
			CU_ASSERT_PTR_EQUAL_FATAL(hmap_del(m, name(&k, i - 5)), &values[(i - 5) % 100]);
	}
	CU_ASSERT_EQUAL(hmap_len(m), 5);
	hmap_free(m, NULL);
}

static void a_full_map_refuses_new_keys_only(void)
{
	struct hmap *m = hmap_new(2);

	CU_ASSERT_TRUE(hmap_put(m, SV("a"), &values[0]));
	CU_ASSERT_TRUE(hmap_put(m, SV(""), &values[1]));
	CU_ASSERT_FALSE(hmap_put(m, SV("c"), &values[2]));
	CU_ASSERT_TRUE(hmap_put(m, SV("a"), &values[3]));
	CU_ASSERT_PTR_EQUAL(hmap_get(m, SV("a")), &values[3]);
	CU_ASSERT_PTR_EQUAL(hmap_get(m, sv_of(NULL)), &values[1]);
	CU_ASSERT_EQUAL(hmap_len(m), 2);
	hmap_del(m, SV(""));
	CU_ASSERT_TRUE(hmap_put(m, SV("c"), &values[2]));
	hmap_free(m, NULL);
}

static void keys_are_copied_bytes(void)
{
	struct hmap *m = hmap_new(10);
	char key[3] = { 'a', '\0', 'b' };

	CU_ASSERT_TRUE(hmap_put(m, (struct sv){ key, 3 }, &values[0]));
	key[2] = 'c';
	CU_ASSERT_PTR_NULL(hmap_get(m, (struct sv){ key, 3 }));
	CU_ASSERT_PTR_EQUAL(hmap_get(m, SV("a\0b")), &values[0]);
	CU_ASSERT_PTR_NULL(hmap_get(m, SV("a")));
	hmap_free(m, NULL);
}

static void a_walk_sees_each_entry_once_even_when_it_deletes(void)
{
	struct hmap *m = hmap_new(10000);
	struct text_key k;
	bool seen[1000] = { false };
	size_t cursor = 0, n = 0;
	struct sv key;
	void *value;

	CU_ASSERT_FALSE(hmap_next(m, &cursor, &key, &value));
	for (unsigned i = 0; i < COUNT(seen); i++)
		CU_ASSERT_TRUE(hmap_put(m, name(&k, i), &values[i]));
	while (hmap_next(m, &cursor, &key, &value)) {
		size_t i = (size_t)((char *)value - values);
		CU_ASSERT_FALSE(seen[i]);
		seen[i] = true;
		n++;
		if (i % 3)
			CU_ASSERT_PTR_EQUAL(hmap_del(m, key), value);
	}
	CU_ASSERT_EQUAL(n, COUNT(seen));
	CU_ASSERT_EQUAL(hmap_len(m), 334);
	hmap_free(m, NULL);
}

static void clearing_frees_each_value(void)
{
	struct hmap *m = hmap_new(100);
	struct text_key k;

	for (unsigned i = 0; i < 50; i++)
		CU_ASSERT_TRUE(hmap_put(m, name(&k, i), malloc(1))); /* the leak checker counts */
	hmap_clear(m, free);
	CU_ASSERT_EQUAL(hmap_len(m), 0);
	CU_ASSERT_PTR_NULL(hmap_get(m, SV("key1")));
	CU_ASSERT_TRUE(hmap_put(m, SV("key1"), malloc(1)));
	hmap_free(m, free);
}

/* From the reference vectors of SipHash-2-4: key 00..0f, input 00, 01, 02, ... of each length. */
static void siphash_gives_the_reference_values(void)
{
	static const struct {
		size_t n;
		uint64_t want;
	} t[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
		{ 63, 0x958a324ceb064572 },
	};
	struct siphash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)i;
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(siphash(&key, (struct sv){ in, t[i].n }), t[i].want);
}

static void the_unkeyed_hash_is_fnv_1a(void)
{
	CU_ASSERT_EQUAL(hash_bytes(SV("")), 0xcbf29ce484222325);
	CU_ASSERT_EQUAL(hash_bytes(SV("a")), 0xaf63dc4c8601ec8c);
	CU_ASSERT_EQUAL(hash_bytes(SV("foobar")), 0x85944171f73967e8);
}

void suite_hmap(void)
{
	static const struct unit_case cases[] = {
		UNIT(what_was_put_is_found_through_growth_and_deletion),
		UNIT(a_map_that_only_turns_over_stays_correct),
		UNIT(a_full_map_refuses_new_keys_only),
		UNIT(keys_are_copied_bytes),
		UNIT(a_walk_sees_each_entry_once_even_when_it_deletes),
		UNIT(clearing_frees_each_value),
		UNIT(siphash_gives_the_reference_values),
		UNIT(the_unkeyed_hash_is_fnv_1a),
		UNIT_END,
	};
	unit_suite("hmap", cases);
}
