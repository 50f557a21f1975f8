#include "smtp/scram_client.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/secret.h"

#include <openssl/evp.h>

#define GS2 "n,," /* no channel binding, no other identity */
#define GS2_BASE64 "biws"

static struct sv key_sv(const unsigned char key[SCRAM_KEY]) { return (struct sv){ (const char *)key, SCRAM_KEY }; }

void scram_client_init(struct scram_client *s, const char *own_nonce)
{
	*s = (struct scram_client){ .nonce = "" };
	buf_init(&s->first_bare, SCRAM_MESSAGE_MAX);
	BUG_IF(!sv_copy(sv_of(own_nonce), s->nonce, sizeof s->nonce));
}

void scram_client_free(struct scram_client *s) { buf_free(&s->first_bare); }

/* RFC 5802 5.1 saslname */
void scram_client_first(struct scram_client *s, const char *user, struct buf *ret_message)
{
	buf_reset(&s->first_bare);
	buf_puts(&s->first_bare, "n=");
	for (; *user; user++)
		if (*user == ',' || *user == '=')
			buf_puts(&s->first_bare, *user == ',' ? "=2C" : "=3D");
		else
			buf_putc(&s->first_bare, *user);
	buf_putf(&s->first_bare, ",r=%s", s->nonce);
	buf_reset(ret_message);
	buf_puts(ret_message, GS2);
	buf_putsv(ret_message, buf_sv(&s->first_bare));
}

struct challenge {
	struct sv nonce;
	struct buf salt;
	uint64_t iterations;
};

static bool attribute(struct sv *rest, const char *name, struct sv *ret_value)
{
	struct sv part;
	if (!rest->p || !sv_cut(rest, ',', &part) || !sv_starts(part, sv_of(name)))
		return false;
	*ret_value = sv_skip(part, strlen(name));
	return true;
}

/* RFC 5802 5.1: the nonce begins with ours; extensions may follow and mean nothing here. */
static bool read_challenge(const struct scram_client *s, struct sv text, struct challenge *c)
{
	struct sv salt, count;
	return attribute(&text, "r=", &c->nonce) && attribute(&text, "s=", &salt) && attribute(&text, "i=", &count) &&
	       sv_starts(c->nonce, sv_of(s->nonce)) && c->nonce.n > strlen(s->nonce) && base64_decode(salt, &c->salt) &&
	       c->salt.len > 0 && num_u64(count, 4096, SCRAM_CLIENT_ITERATIONS_MAX, &c->iterations);
}

/* RFC 5802 3 */
static void prove(
	struct scram_client *s, struct sv password, const struct challenge *c, struct sv auth, unsigned char proof[SCRAM_KEY])
{
	unsigned char salted[SCRAM_KEY], key[SCRAM_KEY], stored[SCRAM_KEY], signature[SCRAM_KEY];
	BUG_IF(!PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)c->salt.data, (int)c->salt.len,
		(int)c->iterations, EVP_sha256(), SCRAM_KEY, salted));
	scram_hmac(key_sv(salted), SV("Client Key"), key);
	scram_hash(key_sv(key), stored);
	scram_hmac(key_sv(stored), auth, signature);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		proof[i] = key[i] ^ signature[i];
	scram_hmac(key_sv(salted), SV("Server Key"), key);
	scram_hmac(key_sv(key), auth, s->server_signature);
	secret_wipe(salted, sizeof salted);
	secret_wipe(key, sizeof key);
}

bool scram_client_final(struct scram_client *s, struct sv password, struct sv challenge, struct buf *ret_message, struct err *e)
{
	struct challenge c = { .salt = BUF_INIT(SCRAM_MESSAGE_MAX) };
	struct buf auth = BUF_INIT(3 * SCRAM_MESSAGE_MAX);
	unsigned char proof[SCRAM_KEY];
	bool ok = challenge.n <= SCRAM_MESSAGE_MAX && read_challenge(s, challenge, &c);
	if (ok) {
		buf_reset(ret_message);
		buf_puts(ret_message, "c=" GS2_BASE64 ",r=");
		buf_putsv(ret_message, c.nonce);
		buf_putsv(&auth, buf_sv(&s->first_bare));
		buf_putc(&auth, ',');
		buf_putsv(&auth, challenge);
		buf_putc(&auth, ',');
		buf_putsv(&auth, buf_sv(ret_message));
		prove(s, password, &c, buf_sv(&auth), proof);
		buf_puts(ret_message, ",p=");
		base64_put(ret_message, key_sv(proof));
	}
	buf_free(&auth);
	buf_free(&c.salt);
	return ok || err_set(e, ERR_PEER, "SCRAM: the server's challenge is none");
}

bool scram_client_verify(const struct scram_client *s, struct sv message, struct err *e)
{
	struct buf got = BUF_INIT(SCRAM_KEY + 1);
	struct sv value;
	bool ok = attribute(&message, "v=", &value) && base64_decode(value, &got) &&
		  secret_eq(buf_sv(&got), key_sv(s->server_signature));
	buf_free(&got);
	return ok || err_set(e, ERR_PEER, "SCRAM: the server does not know the password");
}
