/* Each mechanism, from what a client sends to what its caller is asked for. */
#include "tests/unit/unit.h"

#include "base/base64.h"
#include "sasl.h"

#include <openssl/evp.h>

#define EXPORTER "0123456789abcdef0123456789abcdef"
#define OWN_NONCE "0123456789abcdefghijklmn"

static enum sasl_want start(struct sasl *s, const char *mechanism, const struct sasl_facts *facts, struct sv initial)
{
	struct buf text = BUF_INIT(AUTH_LINE_MAX * 2);
	base64_put(&text, initial);
	enum sasl_want want = sasl_start(s, mechanism, facts, initial.p ? initial.n ? buf_sv(&text) : SV("=") : (struct sv){ 0 });
	buf_free(&text);
	return want;
}

static enum sasl_want say(struct sasl *s, struct sv message)
{
	struct buf text = BUF_INIT(AUTH_LINE_MAX * 2);
	base64_put(&text, message);
	enum sasl_want want = sasl_response(s, buf_sv(&text));
	buf_free(&text);
	return want;
}

/* What the client is shown, decoded. */
static struct buf shown(const struct sasl *s)
{
	struct buf text = BUF_INIT(AUTH_LINE_MAX);
	CU_ASSERT_TRUE(base64_decode(buf_sv(&s->out), &text));
	return text;
}

static void plain_has_three_parts(void)
{
	static const struct {
		struct sv message;
		enum sasl_want want;
		const char *user, *password;
	} t[] = {
		{ SV("\0al\0secret"), SASL_PASSWORD, "al", "secret" },
		{ SV("al\0al\0secret"), SASL_PASSWORD, "al", "secret" },
		{ SV("\0al@x.example\0a b"), SASL_PASSWORD, "al@x.example", "a b" },
		{ SV("\0e\xcc\x81\xc2\xad\0e\xcc\x81"), SASL_PASSWORD, "\xc3\xa9", "e\xcc\x81" }, /* RFC 4013; PAM wants bytes */
		{ SV("bea\0al\0secret"), SASL_REFUSED, "", "" },                                  /* acting for another */
		{ SV("\0al\0"), SASL_REFUSED, "", "" },                                           /* RFC 4616 2: not empty */
		{ SV("\0\0secret"), SASL_MALFORMED, "", "" },
		{ SV("\0al"), SASL_MALFORMED, "", "" },
		{ SV("al"), SASL_MALFORMED, "", "" },
		{ SV(""), SASL_MALFORMED, "", "" },
		{ SV("\0al\0sec\0ret"), SASL_MALFORMED, "", "" },
		{ SV("\0a\nl\0secret"), SASL_MALFORMED, "", "" },
		{ SV("\0a\xffl\0secret"), SASL_MALFORMED, "", "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sasl_facts facts = { .local_user = "" };
		struct sasl s;
		CU_ASSERT_EQUAL(start(&s, "PLAIN", &facts, t[i].message), t[i].want);
		if (t[i].want == SASL_PASSWORD) {
			CU_ASSERT_STRING_EQUAL(s.user, t[i].user);
			CU_ASSERT_STRING_EQUAL(s.password, t[i].password);
		}
		sasl_free(&s);
	}
}

static void names_and_passwords_have_an_end(void)
{
	static const struct {
		size_t user, password;
		enum sasl_want want;
	} t[] = {
		{ AUTH_ACCOUNT_MAX, AUTH_PASSWORD_MAX, SASL_PASSWORD },
		{ AUTH_ACCOUNT_MAX + 1, 1, SASL_MALFORMED },
		{ 1, AUTH_PASSWORD_MAX + 1, SASL_MALFORMED },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sasl_facts facts = { .local_user = "" };
		struct buf m = BUF_INIT(4000);
		struct sasl s;
		buf_putc(&m, '\0');
		for (size_t n = 0; n < t[i].user; n++)
			buf_putc(&m, 'u');
		buf_putc(&m, '\0');
		for (size_t n = 0; n < t[i].password; n++)
			buf_putc(&m, 'p');
		CU_ASSERT_EQUAL(start(&s, "PLAIN", &facts, buf_sv(&m)), t[i].want);
		sasl_free(&s);
		buf_free(&m);
	}
}

static void plain_without_an_initial_response_is_asked_for_one(void)
{
	const struct sasl_facts facts = { .local_user = "" };
	struct sasl s;
	CU_ASSERT_EQUAL(start(&s, "PLAIN", &facts, (struct sv){ 0 }), SASL_SEND);
	CU_ASSERT_EQUAL(s.out.len, 0);
	CU_ASSERT_EQUAL(sasl_response(&s, SV("AGFs!")), SASL_MALFORMED);
	CU_ASSERT_EQUAL(say(&s, SV("\0al\0secret")), SASL_PASSWORD);
	sasl_free(&s);
}

static void login_asks_for_name_and_password(void)
{
	const struct sasl_facts facts = { .local_user = "" };
	struct sasl s;
	CU_ASSERT_EQUAL(start(&s, "LOGIN", &facts, (struct sv){ 0 }), SASL_SEND);
	CU_ASSERT_STRING_EQUAL(buf_str(&s.out), "VXNlcm5hbWU6");
	CU_ASSERT_EQUAL(say(&s, SV("al")), SASL_SEND);
	CU_ASSERT_STRING_EQUAL(buf_str(&s.out), "UGFzc3dvcmQ6");
	CU_ASSERT_EQUAL(say(&s, SV("secret")), SASL_PASSWORD);
	CU_ASSERT_STRING_EQUAL(s.user, "al");
	CU_ASSERT_STRING_EQUAL(s.password, "secret");
	sasl_free(&s);
	CU_ASSERT_EQUAL(start(&s, "LOGIN", &facts, SV("al")), SASL_SEND); /* the name may come with the command */
	CU_ASSERT_EQUAL(say(&s, SV("")), SASL_REFUSED);
	sasl_free(&s);
	CU_ASSERT_EQUAL(start(&s, "LOGIN", &facts, SV("")), SASL_MALFORMED);
	sasl_free(&s);
}

static void external_is_who_the_connection_says(void)
{
	static const struct {
		const char *local;
		bool certificate;
		struct sv message;
		enum sasl_want want;
		const char *user;
	} t[] = {
		{ "al", false, SV(""), SASL_PROVED, "al" },
		{ "al", false, SV("al"), SASL_PROVED, "al" },
		{ "al", false, SV("root"), SASL_REFUSED, "" },
		{ "al", true, SV("bea"), SASL_REFUSED, "" },
		{ "", true, SV(""), SASL_CERTIFICATE, "" },
		{ "", true, SV("al"), SASL_CERTIFICATE, "al" },
		{ "", true, SV("a\tl"), SASL_MALFORMED, "" },
		{ "", false, SV("al"), SASL_REFUSED, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sasl_facts facts = { .local_user = t[i].local, .certificate = t[i].certificate };
		struct sasl s;
		CU_ASSERT_EQUAL(start(&s, "EXTERNAL", &facts, t[i].message), t[i].want);
		if (t[i].want == SASL_PROVED || t[i].want == SASL_CERTIFICATE)
			CU_ASSERT_STRING_EQUAL(s.user, t[i].user);
		sasl_free(&s);
	}
}

static void mechanisms_that_are_not_there_are_unknown(void)
{
	static const char *const t[] = { "", "CRAM-MD5", "PLAIN ", "plain", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS" };
	const struct sasl_facts facts = { .local_user = "" }; /* no channel binding */
	struct sasl s;
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(start(&s, t[i], &facts, SV("x")), SASL_UNKNOWN);
		sasl_free(&s);
	}
}

/* --- SCRAM: a client of our own ------------------------------------------------------------------------------------------- */

static void verifier_of(const char *password, struct scram_verifier *v)
{
	scram_derive(sv_of(password), SV("0123456789abcdef"), 4096, v);
}

static void client_key_of(const char *password, unsigned char ret[SCRAM_KEY])
{
	unsigned char salted[SCRAM_KEY];
	CU_ASSERT_EQUAL(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)"0123456789abcdef", 16, 4096,
				EVP_sha256(), SCRAM_KEY, salted),
		1);
	scram_hmac((struct sv){ (const char *)salted, SCRAM_KEY }, SV("Client Key"), ret);
}

struct final {
	const char *password, *gs2, *bare, *binding, *nonce;
};

/* client-final-message for the challenge that was sent */
static void final_message(const struct final *f, const struct sasl *s, struct buf *out)
{
	unsigned char key[SCRAM_KEY], stored[SCRAM_KEY], signature[SCRAM_KEY];
	struct buf auth = BUF_INIT(4000), server = shown(s), bound = BUF_INIT(500);
	buf_puts(&bound, f->gs2);
	buf_puts(&bound, f->binding);
	buf_puts(out, "c=");
	base64_put(out, buf_sv(&bound));
	buf_putf(out, ",r=%s", f->nonce);
	buf_putf(&auth, "%s,%s,%s", f->bare, buf_str(&server), buf_str(out));
	client_key_of(f->password, key);
	scram_hash((struct sv){ (const char *)key, SCRAM_KEY }, stored);
	scram_hmac((struct sv){ (const char *)stored, SCRAM_KEY }, buf_sv(&auth), signature);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= signature[i];
	buf_puts(out, ",p=");
	base64_put(out, (struct sv){ (const char *)key, SCRAM_KEY });
	buf_free(&auth);
	buf_free(&server);
	buf_free(&bound);
}

static void scram_proves_both_sides_or_refuses(void)
{
	static const struct {
		const char *mechanism;
		bool plus_offered;
		struct final f;
		enum sasl_want want;
	} t[] = {
		{ "SCRAM-SHA-256", false, { "pencil", "n,,", "n=al,r=abc", "", "abc" OWN_NONCE }, SASL_SEND },
		{ "SCRAM-SHA-256", true, { "pencil", "n,,", "n=al,r=abc", "", "abc" OWN_NONCE }, SASL_SEND },
		{ "SCRAM-SHA-256", false, { "pencil", "y,,", "n=al,r=abc", "", "abc" OWN_NONCE }, SASL_SEND },
		{ "SCRAM-SHA-256", false, { "pencil", "n,a=al,", "n=al,r=abc,x=extension", "", "abc" OWN_NONCE }, SASL_SEND },
		{ "SCRAM-SHA-256-PLUS", true, { "pencil", "p=tls-exporter,,", "n=al,r=abc", EXPORTER, "abc" OWN_NONCE },
			SASL_SEND },
		{ "SCRAM-SHA-256", false, { "pencil!", "n,,", "n=al,r=abc", "", "abc" OWN_NONCE }, SASL_REFUSED },
		{ "SCRAM-SHA-256", false, { "pencil", "n,,", "n=al,r=abc", "", "abc" }, SASL_REFUSED },
		{ "SCRAM-SHA-256", false, { "pencil", "n,,", "n=al,r=abc", "", "xyz" OWN_NONCE }, SASL_REFUSED },
		{ "SCRAM-SHA-256", false, { "pencil", "n,,", "n=al,r=abc", EXPORTER, "abc" OWN_NONCE }, SASL_REFUSED },
		{ "SCRAM-SHA-256-PLUS", true, { "pencil", "p=tls-exporter,,", "n=al,r=abc", "", "abc" OWN_NONCE }, SASL_REFUSED },
		{ "SCRAM-SHA-256-PLUS", true,
			{ "pencil", "p=tls-exporter,,", "n=al,r=abc", "another-channel-of-somebody-else!", "abc" OWN_NONCE },
			SASL_REFUSED },
	};
	struct scram_verifier v;
	verifier_of("pencil", &v);
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sasl_facts facts = {
			.local_user = "", .channel.exporter = SV(EXPORTER), .plus_offered = t[i].plus_offered
		};
		struct buf first = BUF_INIT(500), final = BUF_INIT(1000);
		struct sasl s;
		buf_putf(&first, "%s%s", t[i].f.gs2, t[i].f.bare);
		CU_ASSERT_EQUAL(start(&s, t[i].mechanism, &facts, buf_sv(&first)), SASL_VERIFIER);
		CU_ASSERT_STRING_EQUAL(s.user, "al");
		CU_ASSERT_EQUAL(sasl_verifier(&s, &v, OWN_NONCE), SASL_SEND);
		final_message(&t[i].f, &s, &final);
		CU_ASSERT_EQUAL(say(&s, buf_sv(&final)), t[i].want);
		if (t[i].want == SASL_SEND) {
			struct buf proof = shown(&s);
			CU_ASSERT_TRUE(sv_starts(buf_sv(&proof), SV("v=")));
			CU_ASSERT_EQUAL(say(&s, SV("")), SASL_PROVED);
			buf_free(&proof);
		}
		sasl_free(&s);
		buf_free(&first);
		buf_free(&final);
	}
}

static void a_downgraded_or_ill_bound_client_goes_no_further(void)
{
	static const struct {
		const char *mechanism;
		bool plus_offered;
		const char *first;
		enum sasl_want want;
	} t[] = {
		{ "SCRAM-SHA-256", true, "y,,n=al,r=abc",
			SASL_REFUSED }, /* RFC 5802 6: the list of mechanisms was changed on its way */
		{ "SCRAM-SHA-256", true, "p=tls-exporter,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256-PLUS", true, "y,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256-PLUS", true, "n,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256-PLUS", true, "p=,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256-PLUS", true, "p=tls-other,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,a=bea,n=al,r=abc", SASL_REFUSED },
		{ "SCRAM-SHA-256", false, "n,bea,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "x,,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,,m=must,n=al,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,,r=abc,n=al", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,,n=al,r=a\tb", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,,n=a=l,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "n,,n=,r=abc", SASL_MALFORMED },
		{ "SCRAM-SHA-256", false, "", SASL_MALFORMED },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sasl_facts facts = {
			.local_user = "", .channel.exporter = SV(EXPORTER), .plus_offered = t[i].plus_offered
		};
		struct sasl s;
		CU_ASSERT_EQUAL(start(&s, t[i].mechanism, &facts, sv_of(t[i].first)), t[i].want);
		sasl_free(&s);
	}
}

static void scram_messages_out_of_shape_or_order_are_malformed(void)
{
	static const char *const finals[] = { "", "p=", "c=biws", "c=biws,r=abc" OWN_NONCE, "c=biws,r=abc" OWN_NONCE ",p=AAAA",
		"r=abc" OWN_NONCE ",c=biws,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };
	const struct sasl_facts facts = { .local_user = "" };
	struct scram_verifier v;
	struct sasl s;
	verifier_of("pencil", &v);
	for (size_t i = 0; i < COUNT(finals); i++) {
		CU_ASSERT_EQUAL(start(&s, "SCRAM-SHA-256", &facts, SV("n,,n=al,r=abc")), SASL_VERIFIER);
		CU_ASSERT_EQUAL(sasl_verifier(&s, &v, OWN_NONCE), SASL_SEND);
		CU_ASSERT_EQUAL(say(&s, sv_of(finals[i])), SASL_MALFORMED);
		sasl_free(&s);
	}
	/* what follows the server's proof must be empty */
	const struct final f = { "pencil", "n,,", "n=al,r=abc", "", "abc" OWN_NONCE };
	struct buf final = BUF_INIT(1000);
	CU_ASSERT_EQUAL(start(&s, "SCRAM-SHA-256", &facts, SV("n,,n=al,r=abc")), SASL_VERIFIER);
	CU_ASSERT_EQUAL(sasl_verifier(&s, &v, OWN_NONCE), SASL_SEND);
	final_message(&f, &s, &final);
	CU_ASSERT_EQUAL(say(&s, buf_sv(&final)), SASL_SEND);
	CU_ASSERT_EQUAL(say(&s, SV("x")), SASL_MALFORMED);
	sasl_free(&s);
	buf_free(&final);
}

void suite_sasl(void)
{
	static const struct unit_case cases[] = {
		UNIT(plain_has_three_parts),
		UNIT(names_and_passwords_have_an_end),
		UNIT(plain_without_an_initial_response_is_asked_for_one),
		UNIT(login_asks_for_name_and_password),
		UNIT(external_is_who_the_connection_says),
		UNIT(mechanisms_that_are_not_there_are_unknown),
		UNIT(scram_proves_both_sides_or_refuses),
		UNIT(a_downgraded_or_ill_bound_client_goes_no_further),
		UNIT(scram_messages_out_of_shape_or_order_are_malformed),
		UNIT_END,
	};
	unit_suite("sasl", cases);
}
