#include "mail/srs.h"

#include "unit/unit.h"

#define NOW 1795464636u
#define DAY 86400u
#define KEY_A "000102030405060708090a0b0c0d0e0f\n"
#define KEY_B "ffeeddccbbaa99887766554433221100\n"

static struct srs_keys keys(const char *text)
{
	struct srs_keys k;
	CU_ASSERT_TRUE_FATAL(srs_keys_parse(sv_of(text), &k));
	return k;
}

static struct maddr address(const char *text)
{
	struct maddr a;
	CU_ASSERT_TRUE_FATAL(maddr_parse(sv_of(text), MADDR_UTF8_OK, &a, NULL));
	return a;
}

static const char *text_of(const struct maddr *a)
{
	static char text[MADDR_TEXT_MAX + 1];
	return maddr_text(a, text);
}

static void what_is_rewritten_leads_back(void)
{
	static const char *const t[] = { "alice@example.org", "Alice.B+x@Example.org", "\"odd one\"@example.org",
		"a=b=c@example.org", "j\xc3\xb6rg@example.org", "a@[192.0.2.1]", "srs@example.org", "SRS0x@example.org" };
	struct srs_keys k = keys(KEY_A);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr sender = address(t[i]), out, back;
		CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &out));
		CU_ASSERT_STRING_EQUAL(out.domain, "ours.example");
		CU_ASSERT_TRUE(srs_is(&out));
		CU_ASSERT_EQUAL_FATAL(srs_reverse(&k, &out, NOW + 20 * DAY, &back), SRS_OK);
		CU_ASSERT_TRUE(maddr_same(&back, &sender));
	}
}

static void a_chain_of_forwards_does_not_grow(void)
{
	struct srs_keys a = keys(KEY_A), b = keys(KEY_B);
	struct maddr sender = address("alice@example.org"), one, two, three, back;
	CU_ASSERT_TRUE_FATAL(srs_forward(&a, &sender, "first.example", NOW, &one));
	CU_ASSERT_TRUE_FATAL(srs_forward(&b, &one, "second.example", NOW, &two));
	CU_ASSERT_EQUAL(strncmp(text_of(&two), "SRS1=", 5), 0);
	CU_ASSERT_TRUE_FATAL(srs_forward(&a, &two, "third.example", NOW, &three));
	CU_ASSERT_EQUAL(strlen(text_of(&three)), strlen(text_of(&two)) - 1); /* "third" for "second" */
	CU_ASSERT_EQUAL_FATAL(srs_reverse(&a, &three, NOW, &back), SRS_OK);  /* straight to the first */
	CU_ASSERT_TRUE(maddr_same(&back, &one));
	CU_ASSERT_EQUAL_FATAL(srs_reverse(&b, &two, NOW, &back), SRS_OK);
	CU_ASSERT_TRUE(maddr_same(&back, &one));
	CU_ASSERT_EQUAL(srs_reverse(&a, &back, NOW, &back), SRS_OK);
	CU_ASSERT_TRUE(maddr_same(&back, &sender));
}

static void other_hosts_separators_are_kept(void)
{
	static const char *const t[] = { "SRS0+abcd=ef=org=al@first.example", "SRS0-abcd=ef=org=al@first.example",
		"srs0=abcd=ef=org=al@first.example" };
	struct srs_keys k = keys(KEY_A);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr sender = address(t[i]), out, back;
		CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &out));
		CU_ASSERT_EQUAL_FATAL(srs_reverse(&k, &out, NOW, &back), SRS_OK);
		CU_ASSERT_TRUE(maddr_same(&back, &sender));
	}
}

static void case_may_be_lost_on_the_way(void)
{
	struct srs_keys k = keys(KEY_A);
	struct maddr sender = address("Alice@example.org"), out, back;
	CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &out));
	for (size_t i = 0; i < out.local_len; i++)
		out.local[i] = ascii_lower(out.local[i]);
	CU_ASSERT_EQUAL_FATAL(srs_reverse(&k, &out, NOW, &back), SRS_OK);
	CU_ASSERT_STRING_EQUAL(text_of(&back), "alice@example.org");
}

static void any_changed_byte_is_found(void)
{
	struct srs_keys k = keys(KEY_A);
	struct maddr sender = address("alice@example.org"), out, back;
	CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &out));
	for (size_t i = 5; i < out.local_len; i++) {
		struct maddr bad = out;
		bad.local[i] = bad.local[i] == 'q' ? 'r' : 'q';
		CU_ASSERT_EQUAL(srs_reverse(&k, &bad, NOW, &back), SRS_FORGED);
		bad = out;
		bad.local_len = i;
		bad.local[i] = '\0';
		enum srs_result r = srs_reverse(&k, &bad, NOW, &back);
		CU_ASSERT(r == SRS_FORGED || (i < 6 && r == SRS_NONE));
	}
}

static void an_address_holds_for_three_weeks(void)
{
	static const struct {
		int64_t after;
		enum srs_result want;
	} t[] = { { 0, SRS_OK }, { 21 * (int64_t)DAY, SRS_OK }, { 22 * (int64_t)DAY, SRS_EXPIRED },
		{ 400 * (int64_t)DAY, SRS_EXPIRED }, { -(int64_t)DAY, SRS_OK }, { -3 * (int64_t)DAY, SRS_EXPIRED } };
	struct srs_keys k = keys(KEY_A);
	struct maddr sender = address("alice@example.org"), out, back;
	CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &out));
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(srs_reverse(&k, &out, (uint64_t)(NOW + t[i].after), &back), t[i].want);
}

static void an_old_key_is_believed_and_another_is_not(void)
{
	struct srs_keys a = keys(KEY_A), b = keys(KEY_B), both = keys(KEY_B KEY_A);
	struct maddr sender = address("alice@example.org"), out, back;
	CU_ASSERT_TRUE_FATAL(srs_forward(&a, &sender, "ours.example", NOW, &out));
	CU_ASSERT_EQUAL(srs_reverse(&both, &out, NOW, &back), SRS_OK);
	CU_ASSERT_EQUAL(srs_reverse(&b, &out, NOW, &back), SRS_FORGED);
}

static void what_cannot_be_rewritten_stays(void)
{
	struct srs_keys k = keys(KEY_A), none = { .n = 0 };
	struct maddr null = { .null = true }, plain = address("alice@example.org"), out, longest;
	char text[MADDR_TEXT_MAX + 1];
	CU_ASSERT_FALSE(srs_forward(&k, &null, "ours.example", NOW, &out));
	CU_ASSERT_FALSE(srs_forward(&none, &plain, "ours.example", NOW, &out));
	snprintf(text, sizeof(text), "%0120d@example.org", 0);
	longest = address(text);
	CU_ASSERT_FALSE(srs_forward(&k, &longest, "ours.example", NOW, &out));
	CU_ASSERT_EQUAL(srs_reverse(&k, &plain, NOW, &out), SRS_NONE);
}

static void odd_addresses_are_no_srs_or_forged(void)
{
	static const char *const t[] = { "srs0@x.example", "SRS0=@x.example", "SRS0=a@x.example", "SRS1==@x.example",
		"SRS0=====@x.example", "SRS1=abcdefgh=x@x.example", "SRS2=abcdefgh=aa=b=c@x.example" };
	struct srs_keys k = keys(KEY_A);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr a = address(t[i]), out;
		CU_ASSERT_NOT_EQUAL(srs_reverse(&k, &a, NOW, &out), SRS_OK);
		if (srs_is(&a) && srs_forward(&k, &a, "ours.example", NOW, &out)) /* others may have their own forms */
			CU_ASSERT_TRUE(srs_is(&out));
	}
}

static void keys_are_lines_of_32_digits(void)
{
	static const struct {
		const char *text;
		size_t n;
	} t[] = { { KEY_A, 1 }, { KEY_A "\n" KEY_B, 2 }, { "", 0 }, { "\n", 0 }, { "0011\n", 0 }, { "x" KEY_A, 0 },
		{ KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A, 0 } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct srs_keys k = { .n = 0 };
		CU_ASSERT_EQUAL(srs_keys_parse(sv_of(t[i].text), &k), t[i].n > 0);
		CU_ASSERT_EQUAL(k.n, t[i].n);
	}
}

static void half_a_chain_is_an_address_like_any_other(void)
{
	static const char *const t[] = { "SRS1=abcdefgh=first.example=@x.example", "SRS1=abcdefgh=@x.example", "SRS1=ab@x.example",
		"SRS1=abcdefgh=first.example==@x.example" };
	struct srs_keys k = keys(KEY_A);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr a = address(t[i]), back;
		CU_ASSERT_TRUE_FATAL(srs_forward(&k, &a, "our.example", NOW, &a)); /* in place */
		CU_ASSERT(sv_starts(maddr_local(&a), SV("SRS0=")));
		CU_ASSERT_EQUAL(srs_reverse(&k, &a, NOW, &back), SRS_OK);
		CU_ASSERT_STRING_EQUAL(text_of(&back), t[i]);
	}
	struct maddr whole = address("SRS1=abcdefgh=first.example==aa=bb=x=al@x.example");
	CU_ASSERT_TRUE(srs_forward(&k, &whole, "our.example", NOW, &whole));
	CU_ASSERT(sv_ends(maddr_local(&whole), SV("=first.example==aa=bb=x=al")));
}

static void a_rotated_key_is_believed_as_long_as_what_it_signed(void)
{
	struct srs_keys k = keys(KEY_A), again;
	struct maddr sender = address("alice@example.org"), old, fresh, back;
	struct buf text = BUF_INIT(4096);
	CU_ASSERT_TRUE_FATAL(srs_forward(&k, &sender, "ours.example", NOW, &old));
	CU_ASSERT_TRUE_FATAL(srs_keys_rotate(&k, NOW));
	srs_keys_print(&k, &text);
	CU_ASSERT_TRUE_FATAL(srs_keys_parse(buf_sv(&text), &again));
	CU_ASSERT(again.n == 2 && again.until[0] == 0 && again.until[1] == NOW + 22 * DAY);
	CU_ASSERT_TRUE_FATAL(srs_forward(&again, &sender, "ours.example", NOW, &fresh));
	CU_ASSERT_FALSE(maddr_same(&fresh, &old));
	CU_ASSERT_EQUAL(srs_reverse(&again, &old, NOW + 20 * DAY, &back), SRS_OK);
	CU_ASSERT_EQUAL(srs_reverse(&again, &old, NOW + 23 * DAY, &back), SRS_FORGED); /* whatever day a thief of the key writes */
	CU_ASSERT_TRUE(srs_keys_rotate(&again, NOW + 23 * DAY) && again.n == 2);       /* the first is gone */
	for (size_t i = again.n; i < SRS_KEYS_MAX; i++)
		CU_ASSERT_TRUE(srs_keys_rotate(&again, NOW + 23 * DAY));
	CU_ASSERT_FALSE(srs_keys_rotate(&again, NOW + 23 * DAY));
	buf_free(&text);
}

void suite_srs(void)
{
	static const struct unit_case cases[] = { UNIT(what_is_rewritten_leads_back), UNIT(a_chain_of_forwards_does_not_grow),
		UNIT(other_hosts_separators_are_kept), UNIT(case_may_be_lost_on_the_way), UNIT(any_changed_byte_is_found),
		UNIT(an_address_holds_for_three_weeks), UNIT(an_old_key_is_believed_and_another_is_not),
		UNIT(what_cannot_be_rewritten_stays), UNIT(odd_addresses_are_no_srs_or_forged), UNIT(keys_are_lines_of_32_digits),
		UNIT(half_a_chain_is_an_address_like_any_other), UNIT(a_rotated_key_is_believed_as_long_as_what_it_signed),
		UNIT_END };
	unit_suite("srs", cases);
}
