#include "unit/unit.h"
#include "mail/hdr.h"

static void fields_are_walked_in_order(void)
{
	static const struct {
		const char *msg, *names; /* a blank after each */
		size_t body;
		bool broken;
	} t[] = {
		{ "A: 1\nB: 2\n\nbody\n", "A B ", 11, false },
		{ "A: 1\r\n\tmore\r\nB: 2\r\n\r\nbody\r\n", "A B ", 21, false },
		{ "A: 1\n \n\nbody", "A ", 8, false },
		{ "\nbody", "", 1, false },
		{ "", "", 0, false },
		{ "A: 1", "A ", 4, false },
		{ "A : 1\n\n", "A ", 7, false },
		{ "From al Mon\nA: 1\n\n", "", 0, true },
		{ " cont\nA: 1\n\n", "", 0, true },
		{ "A: 1\nno field\nB: 2\n\n", "A ", 5, true },
		{ ": 1\n\n", "", 0, true },
		{ "A\tB: 1\n\n", "", 0, true },
		{ "Ä: 1\n\n", "", 0, true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf names = BUF_INIT(100);
		struct hdr_field f;
		size_t at = 0;
		bool broken;
		while (hdr_next(sv_of(t[i].msg), &at, &f, &broken)) {
			buf_putsv(&names, f.name);
			buf_putc(&names, ' ');
		}
		CU_ASSERT_STRING_EQUAL(buf_str(&names), t[i].names);
		CU_ASSERT_EQUAL(at, t[i].body);
		CU_ASSERT_EQUAL(broken, t[i].broken);
		CU_ASSERT_EQUAL(hdr_body(sv_of(t[i].msg)), t[i].body);
		buf_free(&names);
	}
}

static void a_field_is_found_whatever_its_case(void)
{
	const struct sv msg = SV("To: a\nsubject: one\n two\nSUBJECT: three\n\nSubject: body\n");
	struct buf b = BUF_INIT(100);
	struct hdr_field f;

	CU_ASSERT_TRUE_FATAL(hdr_find(msg, "Subject", &f));
	CU_ASSERT_TRUE(sv_eqs(f.value, " one\n two"));
	CU_ASSERT_TRUE(sv_eqs(f.whole, "subject: one\n two\n"));
	hdr_unfold(f.value, &b);
	CU_ASSERT_STRING_EQUAL(buf_str(&b), "one two");
	CU_ASSERT_EQUAL(hdr_count(msg, "Subject"), 2);
	CU_ASSERT_EQUAL(hdr_count(msg, "Cc"), 0);
	CU_ASSERT_FALSE(hdr_find(msg, "Cc", &f));
	buf_free(&b);
}

static void on_address(struct sv spec, void *arg)
{
	buf_putsv(arg, spec);
	buf_putc(arg, ';');
}

static void address_lists_give_their_addresses(void)
{
	static const struct {
		const char *value, *want;
		bool ok;
	} t[] = {
		{ "al@example.org", "al@example.org;", true },
		{ " Al Bo <al@example.org>, bea@example.org\n\t, root", "al@example.org;bea@example.org;root;", true },
		{ "\"Bo, Al\" <al@b>, \"x <y@z>\" <c@d>", "al@b;c@d;", true },
		{ "al@b (comment (nested, x@y) \\) z), c@d", "al@b;c@d;", true },
		{ "al (x) @ (y) b . c", "al@b.c;", true },
		{ "Group: a@b, <c@d>;, Undisclosed recipients:;, e@f", "a@b;c@d;e@f;", true },
		{ "<@r.example,@s.example:al@b>", "al@b;", true },
		{ "\"a b\"@c, d@[192.0.2.1], e@[IPv6:2001:db8::1]", "\"a b\"@c;d@[192.0.2.1];e@[IPv6:2001:db8::1];", true },
		{ ",, a@b ,,", "a@b;", true },
		{ "", "", true },
		{ "<>", "", true },
		{ "a@b, no address here, c@d", "a@b;c@d;", false },
		{ "a@b, \"open <c@d>", "a@b;", false },
		{ "a@b, (open c@d", "a@b;", false },
		{ "a@b, <c@d", "a@b;", false },
		{ "a@b> c", "", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(1000);
		CU_ASSERT_EQUAL(hdr_addresses(sv_of(t[i].value), on_address, &b), t[i].ok);
		CU_ASSERT_STRING_EQUAL(buf_str(&b), t[i].want);
		buf_free(&b);
	}
}

static void text_becomes_encoded_words_only_where_it_must(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
		{ "plain text", "plain text" },
		{ "", "" },
		{ "Grüße", "=?UTF-8?B?R3LDvMOfZQ==?=" },
		{ "a=?b", "=?UTF-8?B?YT0/Yg==?=" },
		{ "a\r\nBcc: x", "=?UTF-8?B?YT8/QmNjOiB4?=" },
		{ "\xff\xc3", "=?UTF-8?B?Pz8=?=" },
		{ "äääääääääääääääääääääää",
			"=?UTF-8?B?w6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6Q=?=\n =?UTF-8?B?w6Q=?=" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(1000);
		hdr_encode_word(sv_of(t[i].in), &b);
		CU_ASSERT_STRING_EQUAL(buf_str(&b), t[i].want);
		buf_free(&b);
	}
}

static void parameters_are_found_in_all_their_forms(void)
{
	static const struct {
		const char *value, *want; /* NULL: none */
	} t[] = {
		{ "text/plain; name=x", "x" },
		{ "text/plain;\n\tNAME = \"x; y\" ; z=1", "x; y" },
		{ "text/plain; a=\"; name=wrong\"; name=right", "right" },
		{ "text/plain; (name=wrong) name=right", "right" },
		{ "text/plain; name=\"a\\\"b\"", "a\"b" },
		{ "text/plain; name*=UTF-8''a%20b%C3%A4", "a bä" },
		{ "text/plain; name*1=b; name*0=a; name*2*=%63", "abc" },
		{ "text/plain; name*0*=UTF-8'en'%61; name*1=b", "ab" },
		{ "text/plain; name=\"open", "open" },
		{ "text/plain; nam=x; name2=y; name; =z", NULL },
		{ "text/plain", NULL },
		{ "name=x", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(100);
		CU_ASSERT_EQUAL(hdr_param(sv_of(t[i].value), "name", &b), t[i].want != NULL);
		CU_ASSERT_STRING_EQUAL(buf_str(&b), t[i].want ? t[i].want : "");
		buf_free(&b);
	}
	struct buf small = BUF_INIT(3);
	CU_ASSERT_FALSE(hdr_param(SV("x; name=longer"), "name", &small));
	CU_ASSERT_TRUE(sv_eqs(hdr_token(SV(" text/plain ; charset=x")), "text/plain"));
	CU_ASSERT_TRUE(sv_eqs(hdr_token(SV(" 7bit\r\n")), "7bit"));
	buf_free(&small);
}

void suite_hdr(void)
{
	static const struct unit_case cases[] = {
		UNIT(fields_are_walked_in_order),
		UNIT(a_field_is_found_whatever_its_case),
		UNIT(address_lists_give_their_addresses),
		UNIT(text_becomes_encoded_words_only_where_it_must),
		UNIT(parameters_are_found_in_all_their_forms),
		UNIT_END,
	};
	unit_suite("hdr", cases);
}
