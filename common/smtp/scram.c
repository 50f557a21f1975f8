#include "smtp/scram.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define ITERATIONS_MAX 10000000u

static struct sv key_sv(const unsigned char key[SCRAM_KEY]) { return (struct sv){ (const char *)key, SCRAM_KEY }; }

/* --- arithmetic ---------------------------------------------------------------------------------------------------------- */

void scram_hmac(struct sv key, struct sv data, unsigned char ret[SCRAM_KEY])
{
	unsigned len = 0;
	BUG_IF(!HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n, (const unsigned char *)data.p, data.n, ret, &len));
}

void scram_hash(struct sv data, unsigned char ret[SCRAM_KEY])
{
	BUG_IF(!EVP_Digest(data.n ? data.p : "", data.n, ret, NULL, EVP_sha256(), NULL));
}

/* RFC 5802 3 */
void scram_derive(struct sv password, struct sv salt, uint64_t iterations, struct scram_verifier *ret)
{
	unsigned char salted[SCRAM_KEY], client_key[SCRAM_KEY];
	BUG_IF(salt.n > sizeof ret->salt || iterations > ITERATIONS_MAX);
	*ret = (struct scram_verifier){ .iterations = iterations, .salt_len = salt.n };
	memcpy(ret->salt, salt.p, salt.n);
	BUG_IF(!PKCS5_PBKDF2_HMAC(password.n ? password.p : "", (int)password.n, ret->salt, (int)salt.n, (int)iterations,
		EVP_sha256(), SCRAM_KEY, salted));
	scram_hmac(key_sv(salted), SV("Client Key"), client_key);
	scram_hash(key_sv(client_key), ret->stored_key);
	scram_hmac(key_sv(salted), SV("Server Key"), ret->server_key);
	secret_wipe(salted, sizeof salted);
	secret_wipe(client_key, sizeof client_key);
}

/* --- as text ------------------------------------------------------------------------------------------------------------- */

void scram_verifier_text(const struct scram_verifier *v, struct buf *out)
{
	buf_putf(out, "SCRAM-SHA-256$%llu:", (unsigned long long)v->iterations);
	base64_put(out, (struct sv){ (const char *)v->salt, v->salt_len });
	buf_putc(out, '$');
	base64_put(out, key_sv(v->stored_key));
	buf_putc(out, ':');
	base64_put(out, key_sv(v->server_key));
}

static bool decode_into(struct sv text, void *dst, size_t min, size_t max, size_t *ret_len)
{
	struct buf b = BUF_INIT(max);
	bool ok = base64_decode(text, &b) && b.len >= min;
	if (ok) {
		memcpy(dst, buf_str(&b), b.len);
		*ret_len = b.len;
	}
	buf_free(&b);
	return ok;
}

bool scram_verifier_parse(struct sv text, struct scram_verifier *ret)
{
	struct sv name, salted, keys, part;
	struct scram_verifier v = { 0 };
	size_t len;
	if (!sv_cut(&text, '$', &name) || !sv_eqs(name, "SCRAM-SHA-256") || !sv_cut(&text, '$', &salted) ||
		!sv_cut(&text, '$', &keys) || text.p)
		return false;
	if (!sv_cut(&salted, ':', &part) || !salted.p || !num_u64(part, 4096, ITERATIONS_MAX, &v.iterations) ||
		!decode_into(salted, v.salt, 8, sizeof v.salt, &v.salt_len))
		return false;
	if (!sv_cut(&keys, ':', &part) || !keys.p || !decode_into(part, v.stored_key, SCRAM_KEY, SCRAM_KEY, &len) ||
		!decode_into(keys, v.server_key, SCRAM_KEY, SCRAM_KEY, &len))
		return false;
	*ret = v;
	return true;
}

/* --- the exchange -------------------------------------------------------------------------------------------------------- */

void scram_init(struct scram *s, bool plus, bool offered, const struct scram_channel *channel)
{
	*s = (struct scram){ .plus = plus, .offered = offered, .channel = *channel };
	buf_init(&s->first_bare, SCRAM_MESSAGE_MAX);
	buf_init(&s->server_first, SCRAM_MESSAGE_MAX);
}

void scram_free(struct scram *s)
{
	buf_free(&s->first_bare);
	buf_free(&s->server_first);
}

static bool malformed(struct err *e, const char *what) { return err_set(e, ERR_PEER, "SCRAM: %s", what); }

/* "n=al=2Cex": RFC 5802 5.1 saslname. No control characters: it goes into logs and, as an account, into headers. */
static bool take_name(struct sv text, char *dst, size_t size, struct err *e)
{
	struct buf b = BUF_INIT(size - 1);
	bool ok = true;
	for (size_t i = 0; ok && i < text.n; i++) {
		bool comma = sv_eqs(sv_sub(text, i, 3), "=2C"), equals = sv_eqs(sv_sub(text, i, 3), "=3D");
		ok = text.p[i] != '=' || comma || equals;
		buf_putc(&b, comma ? ',' : text.p[i]);
		i += comma || equals ? 2 : 0;
	}
	ok = ok && buf_ok(&b) && b.len > 0 && sv_is_utf8(buf_sv(&b)) && !sv_has_ctl(buf_sv(&b)) && sv_copy(buf_sv(&b), dst, size);
	buf_free(&b);
	return ok || malformed(e, "that is no user name");
}

static bool attribute(struct sv *rest, char name, struct sv *ret_value)
{
	struct sv part;
	if (!rest->p || !sv_cut(rest, ',', &part) || part.n < 2 || part.p[0] != name || part.p[1] != '=')
		return false;
	*ret_value = sv_skip(part, 2);
	return true;
}

static bool choose_binding(struct scram *s, struct sv type, struct err *e)
{
	const struct {
		const char *name;
		struct sv data;
	} known[] = { { "tls-exporter", s->channel.exporter }, { "tls-unique", s->channel.unique },
		{ "tls-server-end-point", s->channel.end_point } };
	for (size_t i = 0; i < COUNT(known); i++)
		if (sv_eqs(type, known[i].name))
			s->binding = known[i].data;
	return s->binding.n > 0 || malformed(e, "this channel has no binding of that type");
}

/* RFC 5802 6 */
static bool check_binding(struct scram *s, struct sv flag, struct err *e)
{
	if (sv_eqs(flag, "n"))
		return !s->plus || malformed(e, "the -PLUS mechanism needs channel binding");
	if (sv_eqs(flag, "y")) {
		if (s->plus)
			return malformed(e, "the -PLUS mechanism needs channel binding");
		return !s->offered || err_set(e, ERR_PERM, "the client was not shown the -PLUS mechanism: someone is in between");
	}
	if (!s->plus || !sv_eqs(sv_sub(flag, 0, 2), "p="))
		return malformed(e, "channel binding belongs to the -PLUS mechanism");
	return choose_binding(s, sv_skip(flag, 2), e);
}

/* gs2-cbind-flag "," [authzid] "," */
static bool take_gs2(struct scram *s, struct sv *rest, struct err *e)
{
	struct sv whole = *rest, flag, authzid;
	if (!sv_cut(rest, ',', &flag) || !rest->p || !sv_cut(rest, ',', &authzid) || !rest->p)
		return malformed(e, "the message ends early");
	if (!check_binding(s, flag, e))
		return false;
	/* "a=" alone, which the grammar does not know, is what GNU SASL says for none. */
	if (authzid.n > 0 && !sv_eqs(sv_sub(authzid, 0, 2), "a="))
		return malformed(e, "there is something between the first commas that is no identity");
	if (authzid.n > 2 && !take_name(sv_skip(authzid, 2), s->authzid, sizeof s->authzid, e))
		return false;
	return sv_copy(sv_sub(whole, 0, whole.n - rest->n), s->gs2, sizeof s->gs2) || malformed(e, "the identity is too long");
}

static bool is_nonce(struct sv n)
{
	for (size_t i = 0; i < n.n; i++)
		if (n.p[i] <= ' ' || n.p[i] > '~')
			return false;
	return n.n > 0 && n.n <= SCRAM_NONCE_MAX;
}

bool scram_take_first(struct scram *s, struct sv message, struct err *e)
{
	struct sv user, nonce;
	if (message.n > SCRAM_MESSAGE_MAX || sv_chr(message, '\0') >= 0)
		return malformed(e, "the message is too long or holds NUL");
	if (!take_gs2(s, &message, e))
		return false;
	buf_reset(&s->first_bare);
	buf_putsv(&s->first_bare, message);
	if (sv_eqs(sv_sub(message, 0, 2), "m="))
		return malformed(e, "mandatory extensions are not known here");
	if (!attribute(&message, 'n', &user) || !attribute(&message, 'r', &nonce) || !is_nonce(nonce))
		return malformed(e, "user name and nonce are missing");
	BUG_IF(!sv_copy(nonce, s->nonce, sizeof s->nonce));
	return take_name(user, s->user, sizeof s->user, e);
}

void scram_challenge(struct scram *s, const struct scram_verifier *v, const char *own_nonce, struct buf *ret_message)
{
	size_t len = strlen(s->nonce);
	BUG_IF(!sv_copy(sv_of(own_nonce), s->nonce + len, sizeof s->nonce - len));
	buf_reset(&s->server_first);
	buf_putf(&s->server_first, "r=%s,s=", s->nonce);
	base64_put(&s->server_first, (struct sv){ (const char *)v->salt, v->salt_len });
	buf_putf(&s->server_first, ",i=%llu", (unsigned long long)v->iterations);
	buf_reset(ret_message);
	buf_putsv(ret_message, buf_sv(&s->server_first));
}

/* c= is the gs2 header as it came, and the data of our side of the channel: RFC 5802 5.1. */
static bool binding_is(const struct scram *s, struct sv text)
{
	struct buf want = BUF_INIT(SCRAM_MESSAGE_MAX), got = BUF_INIT(SCRAM_MESSAGE_MAX);
	buf_puts(&want, s->gs2);
	buf_putsv(&want, s->binding);
	bool same = base64_decode(text, &got) && sv_eq(buf_sv(&want), buf_sv(&got));
	buf_free(&want);
	buf_free(&got);
	return same && (!s->plus || s->binding.n > 0);
}

static bool proof_is_right(
	const struct scram_verifier *v, struct sv auth_message, const unsigned char proof[SCRAM_KEY], struct buf *ret_message)
{
	unsigned char key[SCRAM_KEY], hash[SCRAM_KEY];
	scram_hmac(key_sv(v->stored_key), auth_message, key);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= proof[i];
	scram_hash(key_sv(key), hash);
	bool right = secret_eq(key_sv(hash), key_sv(v->stored_key));
	secret_wipe(key, sizeof key);
	scram_hmac(key_sv(v->server_key), auth_message, hash);
	buf_reset(ret_message);
	buf_puts(ret_message, "v=");
	base64_put(ret_message, key_sv(hash));
	return right;
}

bool scram_take_final(struct scram *s, const struct scram_verifier *v, struct sv message, struct buf *ret_message, struct err *e)
{
	unsigned char proof[SCRAM_KEY];
	struct sv rest = message, binding, nonce;
	size_t len;
	ptrdiff_t at = sv_rchr(message, ',');
	if (message.n > SCRAM_MESSAGE_MAX || at < 0 || !sv_eqs(sv_sub(message, (size_t)at, 3), ",p="))
		return malformed(e, "the proof is missing");
	if (!decode_into(sv_skip(message, (size_t)at + 3), proof, SCRAM_KEY, SCRAM_KEY, &len))
		return malformed(e, "the proof is none");
	rest.n = (size_t)at;
	if (!attribute(&rest, 'c', &binding) || !attribute(&rest, 'r', &nonce))
		return malformed(e, "channel binding and nonce are missing");
	struct buf auth = BUF_INIT(3 * SCRAM_MESSAGE_MAX);
	buf_putsv(&auth, buf_sv(&s->first_bare));
	buf_putc(&auth, ',');
	buf_putsv(&auth, buf_sv(&s->server_first));
	buf_putc(&auth, ',');
	buf_put(&auth, message.p, (size_t)at);
	bool right = proof_is_right(v, buf_sv(&auth), proof, ret_message);
	buf_free(&auth);
	if (!sv_eqs(nonce, s->nonce) || !binding_is(s, binding))
		return err_set(
			e, ERR_PERM, sv_eqs(nonce, s->nonce) ? "the channel binding does not match" : "another nonce came back");
	return right || err_set(e, ERR_PERM, "wrong password");
}
