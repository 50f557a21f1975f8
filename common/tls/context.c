/* What server and client have in common. */
#include "tls/own.h"

#include <openssl/err.h>

/* Mozilla's intermediate list without its DHE suites: who speaks AEAD suites speaks ECDHE as well, and DHE lets a client make us
 * work hard for little of its own (CVE-2002-20001). For TLS 1.3 OpenSSL's own list is Mozilla's. */
#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"
/* A peer that leaves without close_notify ends the conversation like any other: SMTP says itself where a message ends. */
#define OPTIONS (SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF)
#define MODES (SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS)

SSL_CTX *tls_context(const SSL_METHOD *method, enum tls_level least, struct err *e)
{
	int version = least == TLS_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;
	ERR_clear_error();
	SSL_CTX *ctx = SSL_CTX_new(method);
	if (ctx && SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, 0) &&
		SSL_CTX_set_cipher_list(ctx, CIPHERS) && SSL_CTX_set1_groups_list(ctx, GROUPS)) {
		SSL_CTX_set_options(ctx, OPTIONS);
		SSL_CTX_set_mode(ctx, MODES);
		SSL_CTX_set_read_ahead(ctx, 1);
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		return ctx;
	}
	SSL_CTX_free(ctx);
	tls_fail(e, ERR_PERM, "set up TLS");
	return NULL;
}

void tls_fingerprint(X509 *cert, char dst[65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	dst[0] = '\0';
	if (X509_digest(cert, EVP_sha256(), md, &n) == 1)
		for (unsigned i = 0; i < n; i++)
			snprintf(dst + 2 * i, 3, "%02x", md[i]);
}
