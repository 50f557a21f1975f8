/* What a client says in AUTH, whatever it is: each line a response. Only PLAIN and LOGIN ask for a password to be judged, nobody
 * proves himself by SCRAM with a verifier that fits nobody, and challenges are base64 of a bounded length. */
#include "base/base64.h"
#include "sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_challenge(const struct sasl *s)
{
	struct buf text = BUF_INIT(AUTH_LINE_MAX);
	BUG_IF(!base64_decode(buf_sv(&s->out), &text));
	buf_free(&text);
}

static void check_user(const struct sasl *s) { BUG_IF(!*s->user || sv_has_ctl(sv_of(s->user)) || !sv_is_utf8(sv_of(s->user))); }

static void talk(const char *mechanism, struct sv in)
{
	static const struct scram_verifier nobody = { .iterations = 4096, .salt_len = SCRAM_SALT };
	const struct sasl_facts facts = {
		.local_user = "", .channel.exporter = SV("0123456789abcdef0123456789abcdef"), .plus_offered = true
	};
	struct sasl s;
	struct sv line;
	struct buf encoded = BUF_INIT(AUTH_LINE_MAX);
	bool first = true;
	enum sasl_want want = SASL_SEND;
	while (want == SASL_SEND && sv_cut(&in, '\n', &line)) {
		buf_reset(&encoded);
		if (sv_starts(line, SV("!"))) /* as it is; anything else is encoded first */
			buf_putsv(&encoded, sv_skip(line, 1));
		else
			base64_put(&encoded, line);
		want = first ? sasl_start(&s, mechanism, &facts, buf_sv(&encoded)) : sasl_response(&s, buf_sv(&encoded));
		first = false;
		if (want == SASL_VERIFIER) {
			check_user(&s);
			want = sasl_verifier(&s, &nobody, "0123456789abcdefghijklmn");
		}
		if (want == SASL_SEND)
			check_challenge(&s);
	}
	BUG_IF(want == SASL_PROVED || want == SASL_CERTIFICATE);
	if (want == SASL_PASSWORD)
		check_user(&s);
	BUG_IF(want == SASL_PASSWORD && (s.mech == NULL || !*s.password || *mechanism == 'S'));
	if (!first)
		sasl_free(&s);
	buf_free(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL" };
	if (n > 1 && n <= 20000)
		talk(mechanisms[p[0] % COUNT(mechanisms)], (struct sv){ (const char *)p + 1, n - 1 });
	return 0;
}
