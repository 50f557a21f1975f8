#include "tls/own.h"
#include "net/addr.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

struct tls_client {
	SSL_CTX *ctx;
	BIO_METHOD *bio;
};

/* --- life -------------------------------------------------------------------------------------------------------------------- */

/* As one file, for a sandboxed process cannot look into OpenSSL's directory of single ones. Where systems keep it: Debian, Fedora,
 * SUSE, Alpine. */
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };

static bool load_cas(SSL_CTX *ctx, const char *ca_file, struct err *e)
{
	if (*ca_file)
		return SSL_CTX_load_verify_file(ctx, ca_file) == 1 || tls_fail(e, ERR_PERM, "certificates of CAs in %s", ca_file);
	for (size_t i = 0; i < COUNT(bundles); i++)
		if (access(bundles[i], R_OK) == 0 && SSL_CTX_load_verify_file(ctx, bundles[i]) == 1)
			break;
	ERR_clear_error(); /* none: then nobody is verified by WebPKI, which tls_connect() will say */
	return true;
}

struct tls_client *tls_client_new(const char *ca_file, enum tls_level least, struct err *e)
{
	struct tls_client *t = mem_new(sizeof *t);
	*t = (struct tls_client){ .bio = tls_bio_method(e) };
	t->ctx = t->bio ? tls_context(TLS_client_method(), least, e) : NULL;
	if (t->ctx && load_cas(t->ctx, ca_file, e)) {
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL); /* the result is kept all the same */
		if (SSL_CTX_dane_enable(t->ctx) == 1)
			return t;
		tls_fail(e, ERR_PERM, "set up DANE");
	}
	tls_client_free(t);
	return NULL;
}

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->bio);
	free(t);
}

/* --- whom do we believe? ----------------------------------------------------------------------------------------------------- */

bool tls_tlsa_usable(const struct tls_tlsa *t)
{
	static const size_t lengths[] = { 0, 32, 64 }; /* RFC 6698 2.1.3: whole, SHA-256, SHA-512 */
	return (t->usage == 2 || t->usage == 3) && t->selector <= 1 && t->matching <= 2 && t->len > 0 &&
	       (t->matching == 0 || t->len == lengths[t->matching]);
}

static bool add_names(SSL *ssl, const char *const *names)
{
	for (; names && *names; names++)
		if (SSL_add1_host(ssl, *names) != 1)
			return false;
	return true;
}

/* A record that OpenSSL cannot use (a whole certificate that is none) is as good as none: RFC 7672 3.1.3. */
static bool set_dane(SSL *ssl, const struct tls_connect_options *o, size_t *ret_usable)
{
	*ret_usable = 0;
	if (SSL_dane_enable(ssl, o->sni) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS); /* RFC 7672 3.1.1 */
	for (size_t i = 0; i < o->n_tlsa; i++) {
		const struct tls_tlsa *t = &o->tlsa[i];
		if (tls_tlsa_usable(t) && SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching, t->data, t->len) > 0)
			++*ret_usable;
	}
	ERR_clear_error();
	return add_names(ssl, o->names);
}

static bool set_expectations(SSL *ssl, const struct tls_connect_options *o, size_t *ret_usable)
{
	struct addr ip;
	bool named = o->sni && *o->sni && !addr_parse_ip(sv_of(o->sni), &ip); /* RFC 6066 3: no addresses */
	if (named && SSL_set_tlsext_host_name(ssl, o->sni) != 1)
		return false;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* Who would otherwise get the message in the clear may have a weak key. */
	SSL_set_security_level(ssl, o->verify == TLS_VERIFY_NONE ? 1 : 2);
	if (o->verify == TLS_VERIFY_DANE)
		return named && set_dane(ssl, o, ret_usable);
	if (o->verify == TLS_VERIFY_NAME)
		return o->names ? *o->names && add_names(ssl, o->names) : named && SSL_set1_host(ssl, o->sni) == 1;
	return true;
}

static enum tls_fault fault_of(long result)
{
	switch (result) {
	case X509_V_OK:
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_FAULT_TLSA;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return TLS_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_EXPIRED;
	default:
		return TLS_FAULT_UNTRUSTED;
	}
}

static void judge(SSL *ssl, const struct tls_connect_options *o, size_t usable, struct tls_facts *ret)
{
	long result = SSL_get_verify_result(ssl);
	const char *why = "";
	if (o->verify == TLS_VERIFY_NONE)
		return;
	if (o->verify == TLS_VERIFY_DANE && usable == 0)
		why = "no TLSA record is usable";
	else if (!*ret->peer)
		why = "the server showed no certificate";
	else if (result != X509_V_OK)
		why = X509_verify_cert_error_string(result);
	else if (o->verify == TLS_VERIFY_DANE && SSL_get0_dane_authority(ssl, NULL, NULL) < 0)
		why = "no TLSA record matches";
	snprintf(ret->why, sizeof ret->why, "%s", why);
	ret->peer_verified = !*why;
	if (*why)
		ret->fault = *ret->peer ? fault_of(result) : TLS_FAULT_UNTRUSTED;
}

bool tls_connect(struct tls_client *t, struct conn *c, const struct tls_connect_options *o, uint64_t deadline_ms,
	struct tls_facts *ret, struct err *e)
{
	size_t usable = 0;
	ERR_clear_error();
	SSL *ssl = SSL_new(t->ctx);
	if (!ssl || !set_expectations(ssl, o, &usable)) {
		SSL_free(ssl);
		return tls_fail(e, ERR_PERM, "TLS to %s", o->sni ? o->sni : "?");
	}
	SSL_set_connect_state(ssl);
	if (!tls_stream_open(c, ssl, t->bio, deadline_ms, ret, e))
		return false;
	judge(ssl, o, usable, ret);
	return true;
}
