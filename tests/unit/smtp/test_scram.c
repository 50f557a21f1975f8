/* SCRAM-SHA-256, with the conversation of RFC 7677 section 3. */
#include "tests/unit/unit.h"

#include "base/base64.h"
#include "smtp/scram_client.h"

#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define CHALLENGE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void derive(struct scram_verifier *v)
{
	struct buf salt = BUF_INIT(100);
	CU_ASSERT_TRUE(base64_decode(SV("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt));
	scram_derive(SV("pencil"), buf_sv(&salt), 4096, v);
	buf_free(&salt);
}

static void the_conversation_of_rfc_7677_succeeds(void)
{
	struct scram s;
	struct scram_verifier v;
	struct err e = { 0 };
	struct buf out = BUF_INIT(1000);
	derive(&v);
	scram_init(&s, false, false, &(struct scram_channel){ 0 });
	CU_ASSERT_TRUE(scram_take_first(&s, SV(FIRST), &e));
	CU_ASSERT_STRING_EQUAL(s.user, "user");
	scram_challenge(&s, &v, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), CHALLENGE);
	CU_ASSERT_TRUE(scram_take_final(&s, &v, SV(FINAL), &out, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&out), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	buf_free(&out);
	scram_free(&s);
}

static void a_final_message_that_was_changed_is_refused(void)
{
	static const char *const t[] = {
		"c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=",
		"",
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct scram s;
		struct scram_verifier v;
		struct err e = { 0 };
		struct buf out = BUF_INIT(1000);
		derive(&v);
		scram_init(&s, false, false, &(struct scram_channel){ 0 });
		CU_ASSERT_TRUE(scram_take_first(&s, SV(FIRST), &e));
		scram_challenge(&s, &v, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &out);
		CU_ASSERT_FALSE(scram_take_final(&s, &v, sv_of(t[i]), &out, &e));
		buf_free(&out);
		scram_free(&s);
	}
}

static void first_messages_are_judged(void)
{
	static const struct scram_channel channel = { .exporter = { "0123456789abcdef0123456789abcdef", 32 },
		.end_point = { "fedcba9876543210fedcba9876543210", 32 } };
	static const struct {
		const char *text;
		bool plus, offered;
		enum err_kind want;
		const char *user;
	} t[] = {
		{ "n,,n=al,r=abc", false, true, ERR_NONE, "al" },
		{ "n,a=al,n=al,r=abc", false, false, ERR_NONE, "al" },
		{ "n,a=,n=al,r=abc", false, false, ERR_NONE, "al" },
		{ "n,,n=a=2Cb=3Dc,r=abc", false, false, ERR_NONE, "a,b=c" },
		{ "y,,n=al,r=abc", false, false, ERR_NONE, "al" },
		{ "y,,n=al,r=abc", false, true, ERR_PERM, "" }, /* somebody took -PLUS out of what we offered */
		{ "p=tls-exporter,,n=al,r=abc", true, true, ERR_NONE, "al" },
		{ "p=tls-server-end-point,,n=al,r=abc", true, true, ERR_NONE, "al" },
		{ "p=tls-unique,,n=al,r=abc", true, true, ERR_PEER, "" },
		{ "p=tls-exporter,,n=al,r=abc", false, true, ERR_PEER, "" },
		{ "n,,n=al,r=abc", true, true, ERR_PEER, "" },
		{ "n,,m=x,n=al,r=abc", false, false, ERR_PEER, "" },
		{ "n,,n=,r=abc", false, false, ERR_PEER, "" },
		{ "n,,n=a=2Db,r=abc", false, false, ERR_PEER, "" },
		{ "n,,n=al,r=", false, false, ERR_PEER, "" },
		{ "n,,n=al", false, false, ERR_PEER, "" },
		{ "n,", false, false, ERR_PEER, "" },
		{ "", false, false, ERR_PEER, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct scram s;
		struct err e = { 0 };
		scram_init(&s, t[i].plus, t[i].offered, &channel);
		bool ok = scram_take_first(&s, sv_of(t[i].text), &e);
		CU_ASSERT_EQUAL(ok, t[i].want == ERR_NONE);
		CU_ASSERT_EQUAL(ok ? ERR_NONE : e.kind, t[i].want);
		if (ok)
			CU_ASSERT_STRING_EQUAL(s.user, t[i].user);
		scram_free(&s);
	}
}

static void a_verifier_survives_as_text(void)
{
	struct scram_verifier v, back;
	struct buf text = BUF_INIT(SCRAM_TEXT_MAX);
	derive(&v);
	scram_verifier_text(&v, &text);
	CU_ASSERT_TRUE(scram_verifier_parse(buf_sv(&text), &back));
	CU_ASSERT_EQUAL(memcmp(&v, &back, sizeof v), 0);
	CU_ASSERT_FALSE(scram_verifier_parse(sv_sub(buf_sv(&text), 0, text.len - 1), &back));
	CU_ASSERT_FALSE(scram_verifier_parse(SV("SCRAM-SHA-256$1:QUFBQUFBQUE=$x:y"), &back));
	buf_free(&text);
}

static void the_client_of_rfc_7677_says_the_same(void)
{
	struct scram_client s;
	struct err e = { 0 };
	struct buf out = BUF_INIT(1000);
	scram_client_init(&s, "rOprNGfwEbeRWgbNEkqO");
	scram_client_first(&s, "user", &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), FIRST);
	CU_ASSERT_TRUE(scram_client_final(&s, SV("pencil"), SV(CHALLENGE), &out, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&out), FINAL);
	CU_ASSERT_TRUE(scram_client_verify(&s, SV("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &e));
	CU_ASSERT_FALSE(scram_client_verify(&s, SV("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &e));
	CU_ASSERT_FALSE(scram_client_verify(&s, SV("e=other-error"), &e));
	scram_client_first(&s, "a,b=c", &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO");
	buf_free(&out);
	scram_client_free(&s);
}

static void a_challenge_that_is_none_is_not_answered(void)
{
	static const char *const t[] = { "",
		"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* the server added nothing */
		"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
		"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
		"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999",
		"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct scram_client s;
		struct err e = { 0 };
		struct buf out = BUF_INIT(1000);
		scram_client_init(&s, "rOprNGfwEbeRWgbNEkqO");
		scram_client_first(&s, "user", &out);
		CU_ASSERT_FALSE(scram_client_final(&s, SV("pencil"), sv_of(t[i]), &out, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PEER);
		buf_free(&out);
		scram_client_free(&s);
	}
}

void suite_scram(void)
{
	static const struct unit_case cases[] = {
		UNIT(the_conversation_of_rfc_7677_succeeds),
		UNIT(the_client_of_rfc_7677_says_the_same),
		UNIT(a_challenge_that_is_none_is_not_answered),
		UNIT(a_final_message_that_was_changed_is_refused),
		UNIT(first_messages_are_judged),
		UNIT(a_verifier_survives_as_text),
		UNIT_END,
	};
	unit_suite("scram", cases);
}
