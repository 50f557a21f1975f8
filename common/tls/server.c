#include "tls/own.h"

#include <openssl/err.h>

#define KEY_TYPES_MAX 8 /* OpenSSL has a place for one certificate of each */

struct tls_server {
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	struct tls_cert **certs;
	size_t n_certs;
	bool has_ca;
};

/* --- which certificate? ------------------------------------------------------------------------------------------------------ */

struct chosen {
	SSL *ssl;
	int types[KEY_TYPES_MAX];
	size_t n;
};

/* The first of each type of key wins. */
static bool use(struct chosen *c, const struct tls_cert *cert)
{
	int type = EVP_PKEY_get_base_id(cert->key);
	for (size_t i = 0; i < c->n; i++)
		if (c->types[i] == type)
			return true;
	if (c->n == KEY_TYPES_MAX || SSL_use_cert_and_key(c->ssl, cert->leaf, cert->key, cert->chain, 1) != 1)
		return false;
	c->types[c->n++] = type;
	return true;
}

static bool use_named(const struct tls_server *s, struct chosen *c, const char *name)
{
	for (size_t i = 0; i < s->n_certs; i++)
		if (tls_cert_names(s->certs[i], name) && !use(c, s->certs[i]))
			return false;
	return true;
}

static int on_certificate(SSL *ssl, void *arg)
{
	const struct tls_server *s = arg;
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct chosen c = { .ssl = ssl };
	/* A ticket of TLS 1.2 holds the keys of its session: who gets hold of the tickets' own key, which lives as long as the
	 * leader, could read all that was recorded. Resuming in TLS 1.3 comes with a key exchange. */
	if (SSL_version(ssl) < TLS1_3_VERSION)
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	if (sni && !use_named(s, &c, sni))
		return 0;
	if (c.n > 0)
		return 1;
	/* RFC 6066 3: a name that is not ours is no reason to fail; most clients that send mail do not verify at all. */
	return use(&c, s->certs[0]) && use_named(s, &c, s->certs[0]->facts.name);
}

/* Without this answer OpenSSL would not keep the name. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

/* --- client certificates ----------------------------------------------------------------------------------------------------- */

/* Never a reason to end the handshake: what it is worth is seen from peer_verified, and rules may know its fingerprint. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static bool ask_client(struct tls_server *s, const char *ca_file, struct err *e)
{
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, on_verify);
	if (!*ca_file)
		return true;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
	if (!names || SSL_CTX_load_verify_file(s->ctx, ca_file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return tls_fail(e, ERR_PERM, "certificates of CAs in %s", ca_file);
	}
	SSL_CTX_set_client_CA_list(s->ctx, names); /* takes names */
	s->has_ca = true;
	return true;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

/* OpenSSL makes ticket keys for each context: those of another listener do not open ours. The session id context says the same
 * once more. */
static bool set_tickets(SSL_CTX *ctx, const char *context)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	return EVP_Digest(context, strlen(context), id, &n, EVP_sha256(), NULL) == 1 &&
	       SSL_CTX_set_session_id_context(ctx, id, MIN(n, SSL_MAX_SID_CTX_LENGTH)) == 1;
}

/* A certificate that OpenSSL does not take (a short key) is to fail here, not at each handshake. */
static bool try_certs(const struct tls_server *s, struct err *e)
{
	for (size_t i = 0; i < s->n_certs; i++) {
		SSL *ssl = SSL_new(s->ctx);
		struct chosen c = { .ssl = ssl };
		bool ok = ssl && use(&c, s->certs[i]);
		SSL_free(ssl);
		if (!ok)
			return tls_fail(e, ERR_PERM, "the certificate of %s cannot be used", s->certs[i]->facts.name);
	}
	return true;
}

static bool set_up(struct tls_server *s, const struct tls_server_options *o, struct err *e)
{
	s->bio = tls_bio_method(e);
	s->ctx = s->bio ? tls_context(TLS_server_method(), o->level, e) : NULL;
	if (!s->ctx)
		return false;
	SSL_CTX_set_options(s->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_security_level(s->ctx, 2); /* 112 bits: RSA keys from 2048 on */
	SSL_CTX_set_cert_cb(s->ctx, on_certificate, s);
	SSL_CTX_set_tlsext_servername_callback(s->ctx, on_name);
	if (!set_tickets(s->ctx, o->ticket_context))
		return tls_fail(e, ERR_PERM, "set up TLS");
	return (!o->ask_client || ask_client(s, o->client_ca_file, e)) && try_certs(s, e);
}

struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *e)
{
	if (o->n_certs == 0) {
		err_set(e, ERR_PERM, "there is no certificate");
		return NULL;
	}
	struct tls_server *s = mem_new(sizeof *s);
	*s = (struct tls_server){ .certs = mem_new(o->n_certs * sizeof *s->certs), .n_certs = o->n_certs };
	memcpy(s->certs, o->certs, o->n_certs * sizeof *s->certs);
	ERR_clear_error();
	if (set_up(s, o, e))
		return s;
	tls_server_free(s);
	return NULL;
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	BIO_meth_free(s->bio);
	free(s->certs);
	free(s);
}

bool tls_accept(struct tls_server *s, struct conn *c, uint64_t deadline_ms, struct tls_facts *ret, struct err *e)
{
	ERR_clear_error();
	SSL *ssl = SSL_new(s->ctx);
	if (!ssl)
		return tls_fail(e, ERR_TEMP, "TLS");
	SSL_set_accept_state(ssl);
	if (!tls_stream_open(c, ssl, s->bio, deadline_ms, ret, e))
		return false;
	ret->peer_verified = s->has_ca && *ret->peer && SSL_get_verify_result(ssl) == X509_V_OK;
	return true;
}
