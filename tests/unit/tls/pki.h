/* pki - certificates for tests: of any age and key, signed by themselves or by one made before. */
#ifndef UNIT_TLS_PKI_H
#define UNIT_TLS_PKI_H

#include "tls/tls.h"

#include <openssl/x509.h>

struct pki { /* X.509 and key, in memory and as the file dir/name.pem */
	X509 *cert;
	EVP_PKEY *key;
	char path[200];
};
struct pki_wish {
	const char *name; /* of the file */
	const char *dns;  /* "a.example", "*.b.example"; "" none */
	bool rsa, ca;
	long from_secs, to_secs;  /* around now; 0, 0: valid */
	const struct pki *issuer; /* NULL: itself */
};
struct pki pki_make(const char *dir, const struct pki_wish *wish);
void pki_free(struct pki *p);
/* The TLSA record's data: the whole certificate or its key, hashed with SHA-256. */
void pki_tlsa(const struct pki *p, int selector, unsigned char dst[32]);
struct tls_cert *pki_load(const struct pki *p);

#endif
