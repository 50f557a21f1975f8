#include "unit/tls/pki.h"
#include "base/defs.h"
#include "base/fd.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	BUG_IF(!ext || !X509_add_ext(x, ext, -1));
	X509_EXTENSION_free(ext);
}

/* A file with the certificate, the issuer's behind it, and the key. */
static void store(struct pki *p, const struct pki *issuer)
{
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());
	BUG_IF(!PEM_write_bio_X509(bio, p->cert) || (issuer && !PEM_write_bio_X509(bio, issuer->cert)) ||
		!PEM_write_bio_PrivateKey(bio, p->key, NULL, NULL, 0, NULL, NULL));
	long n = BIO_get_mem_data(bio, &text);
	int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	BUG_IF(fd < 0 || !fd_write_all(fd, text, (size_t)n, NULL));
	fd_close(&fd);
	BIO_free(bio);
}

struct pki pki_make(const char *dir, const struct pki_wish *w)
{
	static long serial = 1;
	struct pki p = { .cert = X509_new(), .key = w->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
	X509 *issuer = w->issuer ? w->issuer->cert : p.cert;
	char san[300];
	BUG_IF(!p.cert || !p.key);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
	X509_set_version(p.cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), w->from_secs ? w->from_secs : -3600);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), w->to_secs ? w->to_secs : 30L * 86400);
	X509_set_pubkey(p.cert, p.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN", MBSTRING_UTF8, (const unsigned char *)w->name, -1, -1, 0);
	X509_set_issuer_name(p.cert, X509_get_subject_name(issuer));
	snprintf(san, sizeof san, "DNS:%s", w->dns);
	if (*w->dns)
		extend(p.cert, issuer, NID_subject_alt_name, san);
	extend(p.cert, issuer, NID_basic_constraints, w->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	BUG_IF(!X509_sign(p.cert, w->issuer ? w->issuer->key : p.key, EVP_sha256()));
	snprintf(p.path, sizeof p.path, "%s/%s.pem", dir, w->name);
	store(&p, w->issuer);
	return p;
}

void pki_free(struct pki *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	*p = (struct pki){ .cert = NULL };
}

void pki_tlsa(const struct pki *p, int selector, unsigned char dst[32])
{
	unsigned char *der = NULL;
	int n = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(p->cert), &der) : i2d_X509(p->cert, &der);
	BUG_IF(n <= 0 || !EVP_Digest(der, (size_t)n, dst, NULL, EVP_sha256(), NULL));
	OPENSSL_free(der);
}

struct tls_cert *pki_load(const struct pki *p)
{
	struct tls_pair pair = { p->path, "" };
	struct err e = { 0 };
	struct tls_cert *c = tls_cert_load(&pair, &e);
	if (!c)
		fprintf(stderr, "%s\n", e.text);
	BUG_IF(!c);
	return c;
}
