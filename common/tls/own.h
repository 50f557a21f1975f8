/* own - what the files of tls/ share. */
#ifndef TLS_OWN_H
#define TLS_OWN_H

#include "tls/tls.h"

#include <openssl/ssl.h>

struct tls_cert {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* the rest of the file */
	struct tls_cert_facts facts;
};

/* OpenSSL's first complaint, with ours in front. Always false. */
bool tls_fail(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What both sides want: no compression, no renegotiation, our groups and ciphers. NULL on failure. */
SSL_CTX *tls_context(const SSL_METHOD *method, enum tls_level least, struct err *e);
void tls_fingerprint(X509 *cert, char dst[65]);

/* How OpenSSL reaches the conn: one for each context. */
BIO_METHOD *tls_bio_method(struct err *e); /* NULL on failure */

/* Takes ssl (freed on failure), shakes hands, and puts itself under the conn. */
bool tls_stream_open(
	struct conn *c, SSL *ssl, const BIO_METHOD *method, uint64_t deadline_ms, struct tls_facts *ret, struct err *e) MUST_CHECK;

#endif
