#include "sasl.h"

#include "base/base64.h"
#include "base/secret.h"
#include "smtp/saslprep.h"

#define DECODED_MAX (AUTH_LINE_MAX / 4 * 3)

struct sasl_mech {
	const char *name;
	bool plus;
	enum sasl_want (*take)(struct sasl *s, struct sv message); /* p NULL: nothing was said yet */
};

/* --- what a message may hold ---------------------------------------------------------------------------------------------- */

static enum sasl_want malformed(struct sasl *s, const char *what)
{
	err_set(&s->why, ERR_PEER, "%s", what);
	return SASL_MALFORMED;
}

static enum sasl_want refused(struct sasl *s, const char *why)
{
	err_set(&s->why, ERR_PERM, "%s", why);
	return SASL_REFUSED;
}

static enum sasl_want challenge(struct sasl *s, struct sv text)
{
	buf_reset(&s->out);
	base64_put(&s->out, text);
	return SASL_SEND;
}

/* It goes into logs, headers and data base keys: without control characters, in one form (RFC 4013). */
static bool take_user(struct sasl *s, struct sv name) { return saslprep(name, s->user, sizeof s->user, NULL); }

/* RFC 4616 2: an empty password is no password, whatever PAM thinks of it. */
static enum sasl_want take_password(struct sasl *s, struct sv password)
{
	if (password.n == 0)
		return refused(s, "empty password");
	if (!sv_copy(password, s->password, sizeof s->password))
		return malformed(s, "The password is too long, or holds NUL");
	return SASL_PASSWORD;
}

/* --- mechanisms ----------------------------------------------------------------------------------------------------------- */

static enum sasl_want take_plain(struct sasl *s, struct sv message)
{
	struct sv authzid, user, password;
	if (!message.p)
		return challenge(s, SV(""));
	if (!sv_cut(&message, '\0', &authzid) || !message.p || !sv_cut(&message, '\0', &user) || !message.p)
		return malformed(s, "PLAIN is identity NUL user NUL password");
	password = message;
	if (!take_user(s, user))
		return malformed(s, "That is no user name");
	if (authzid.n > 0 && !sv_eq(authzid, user))
		return refused(s, "wants to act as another user");
	return take_password(s, password);
}

/* Never standardised; what clients expect to see is by custom. */
static enum sasl_want take_login(struct sasl *s, struct sv message)
{
	if (!message.p)
		return challenge(s, SV("Username:"));
	if (s->step++ > 0)
		return take_password(s, message);
	if (!take_user(s, message))
		return malformed(s, "That is no user name");
	return challenge(s, SV("Password:"));
}

static enum sasl_want scram_failed(struct sasl *s, const struct err *e)
{
	return e->kind == ERR_PEER ? malformed(s, e->text) : refused(s, e->text);
}

static enum sasl_want scram_first(struct sasl *s, struct sv message)
{
	struct err e = { 0 };
	if (!scram_take_first(&s->scram, message, &e))
		return scram_failed(s, &e);
	if (!take_user(s, sv_of(s->scram.user)))
		return malformed(s, "That is no user name");
	s->step = 1;
	if (*s->scram.authzid && strcmp(s->scram.authzid, s->scram.user) != 0)
		return refused(s, "wants to act as another user");
	return SASL_VERIFIER;
}

/* RFC 4954 4: SMTP has no place for data beside success, so that the server's proof is a challenge, answered by an empty line. */
static enum sasl_want scram_final(struct sasl *s, struct sv message)
{
	struct err e = { 0 };
	struct buf proof = BUF_INIT(200);
	bool ok = scram_take_final(&s->scram, &s->verifier, message, &proof, &e);
	enum sasl_want want = ok ? challenge(s, buf_sv(&proof)) : scram_failed(s, &e);
	buf_free(&proof);
	s->step = 2;
	return want;
}

static enum sasl_want take_scram(struct sasl *s, struct sv message)
{
	if (!message.p)
		return challenge(s, SV(""));
	if (s->step == 0)
		return scram_first(s, message);
	if (s->step == 1)
		return scram_final(s, message);
	return message.n == 0 ? SASL_PROVED : malformed(s, "An empty response was expected");
}

/* RFC 4422 A: the message is who the client wants to be, or empty. */
static enum sasl_want take_external(struct sasl *s, struct sv message)
{
	const char *local = s->facts.local_user;
	if (!*local && !s->facts.certificate)
		return refused(s, "neither a local program nor a client certificate");
	if (!message.p)
		return challenge(s, SV(""));
	if (message.n > 0 && !take_user(s, message))
		return malformed(s, "That is no user name");
	if (!*local)
		return SASL_CERTIFICATE;
	if (*s->user && strcmp(s->user, local) != 0)
		return refused(s, "wants to act as another user");
	return take_user(s, sv_of(local)) ? SASL_PROVED : refused(s, "a user without a name");
}

static const struct sasl_mech mechs[] = {
	{ "PLAIN", false, take_plain },
	{ "LOGIN", false, take_login },
	{ "SCRAM-SHA-256", false, take_scram },
	{ "SCRAM-SHA-256-PLUS", true, take_scram },
	{ "EXTERNAL", false, take_external },
};

/* --- the exchange --------------------------------------------------------------------------------------------------------- */

static enum sasl_want take(struct sasl *s, struct sv text)
{
	struct buf message = BUF_INIT(DECODED_MAX);
	enum sasl_want want;
	if (base64_decode(text, &message))
		want = s->mech->take(s, message.len ? buf_sv(&message) : SV(""));
	else
		want = malformed(s, "That is not base64");
	if (message.data)
		secret_wipe(message.data, message.cap);
	buf_free(&message);
	return want;
}

enum sasl_want sasl_start(struct sasl *s, const char *mechanism, const struct sasl_facts *facts, struct sv initial)
{
	*s = (struct sasl){ .facts = *facts };
	buf_init(&s->out, AUTH_LINE_MAX);
	for (size_t i = 0; i < COUNT(mechs); i++)
		if (strcmp(mechs[i].name, mechanism) == 0)
			s->mech = &mechs[i];
	if (!s->mech || (s->mech->plus && facts->channel.exporter.n == 0))
		return SASL_UNKNOWN;
	scram_init(&s->scram, s->mech->plus, facts->plus_offered, &facts->channel);
	if (!initial.p)
		return s->mech->take(s, (struct sv){ 0 });
	return take(s, sv_eqs(initial, "=") ? SV("") : initial);
}

enum sasl_want sasl_response(struct sasl *s, struct sv response) { return take(s, response); }

enum sasl_want sasl_verifier(struct sasl *s, const struct scram_verifier *v, const char *own_nonce)
{
	struct buf text = BUF_INIT(SCRAM_MESSAGE_MAX);
	s->verifier = *v;
	scram_challenge(&s->scram, v, own_nonce, &text);
	enum sasl_want want = challenge(s, buf_sv(&text));
	buf_free(&text);
	return want;
}

void sasl_free(struct sasl *s)
{
	secret_wipe(s->password, sizeof s->password);
	secret_wipe(&s->verifier, sizeof s->verifier);
	scram_free(&s->scram);
	buf_free(&s->out);
}
