/* A certificate of our own, so that a server encrypts from its first start. */
#include "tls/own.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define LIFE_SECS (10L * 365 * 86400)
#define COMMON_NAME_MAX 64 /* X.520's upper bound; the name that counts is the DNS name */

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = ext && X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_serial(X509 *x)
{
	uint64_t serial = rnd_u64() >> 1 | 1; /* positive, RFC 5280 4.1.2.2 */
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial) == 1;
}

static bool set_names(X509 *x, const char *host)
{
	char dns[300];
	X509_NAME *name = X509_get_subject_name(x);
	if (strlen(host) <= COMMON_NAME_MAX &&
		!X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0))
		return false;
	snprintf(dns, sizeof dns, "DNS:%s", host);
	return X509_set_issuer_name(x, name) && add_extension(x, NID_subject_alt_name, dns);
}

static X509 *make_cert(EVP_PKEY *key, const char *host)
{
	X509 *x = X509_new();
	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && X509_gmtime_adj(X509_getm_notBefore(x), -86400) &&
		X509_gmtime_adj(X509_getm_notAfter(x), LIFE_SECS) && X509_set_pubkey(x, key) && set_names(x, host) &&
		add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x, NID_key_usage, "critical,digitalSignature") && add_extension(x, NID_ext_key_usage, "serverAuth") &&
		X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

/* Complete under another name first: a leader that dies in between leaves nothing that looks like a certificate. */
static bool store(const char *path, struct sv text, struct err *e)
{
	char temp[PATH_MAX];
	if (snprintf(temp, sizeof temp, "%s.new", path) >= (int)sizeof temp)
		return err_set(e, ERR_PERM, "%s: the path is too long", path);
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_sys(e, ERR_PERM, "remove %s", temp);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "create %s", temp);
	bool ok = fd_write_all(fd, text.p, text.n, e) && fd_sync(fd, e);
	fd_close(&fd);
	if (ok && rename(temp, path) < 0)
		ok = err_sys(e, ERR_PERM, "rename %s", temp);
	if (!ok)
		unlink(temp);
	return ok;
}

bool tls_cert_make(const char *path, const char *host, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make_cert(key, host) : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	bool ok = x && bio && PEM_write_bio_X509(bio, x) && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	long n = ok ? BIO_get_mem_data(bio, &text) : 0;
	ok = ok ? store(path, (struct sv){ text, (size_t)n }, e) : tls_fail(e, ERR_PERM, "make a certificate for %s", host);
	if (text)
		secret_wipe(text, (size_t)n);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return ok;
}
