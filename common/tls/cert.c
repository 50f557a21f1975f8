/* Certificates and their keys: from files, checked so that a mistake is named before a client meets it. */
#include "tls/own.h"
#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (1024 * 1024)

/* --- files ------------------------------------------------------------------------------------------------------------------- */

static bool is_private(int fd, const char *path, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_PERM, "%s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, ERR_PERM, "the key in %s belongs to uid %u: it must belong to root (chown root)", path,
			(unsigned)st.st_uid);
	if (st.st_mode & 077)
		return err_set(e, ERR_PERM, "the key in %s can be read by others (mode %04o): only root may (chmod 600)", path,
			(unsigned)st.st_mode & 07777);
	return true;
}

static bool read_file(const char *path, bool key, struct buf *b, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "%s", path);
	bool ok = (!key || is_private(fd, path, e)) && fd_read_file(fd, b, e);
	fd_close(&fd);
	return ok;
}

static void wipe(struct buf *b)
{
	if (b->data)
		secret_wipe(b->data, b->cap);
	buf_free(b);
}

/* Nobody is there to type it. */
static int no_password(char *dst, int size, int writing, void *arg)
{
	(void)dst;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static bool parse_key(struct tls_cert *c, const struct buf *text, const char *path, struct err *e)
{
	bool locked = false;
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	c->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &locked) : NULL;
	BIO_free(bio);
	if (c->key)
		return true;
	ERR_clear_error();
	return err_set(
		e, ERR_PERM, locked ? "the key in %s has a password: store it without" : "there is no private key in %s", path);
}

static bool parse_chain(struct tls_cert *c, const struct buf *text, const char *path, struct err *e)
{
	X509 *x;
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	c->leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	c->chain = sk_X509_new_null();
	while (c->leaf && c->chain && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (!sk_X509_push(c->chain, x))
			X509_free(x);
	bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; /* that is how its end looks */
	BIO_free(bio);
	ERR_clear_error();
	if (!c->leaf)
		return err_set(e, ERR_PERM, "there is no certificate in %s", path);
	return (whole && c->chain) || err_set(e, ERR_PERM, "a certificate in %s is damaged", path);
}

/* --- facts ------------------------------------------------------------------------------------------------------------------- */

static int64_t unix_time(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void first_name(X509 *leaf, char *dst, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	dst[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !dst[0]; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		if (g->type != GEN_DNS)
			continue;
		struct sv name = { (const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName) };
		if (sv_has_ctl(name) || !sv_copy(name, dst, size))
			dst[0] = '\0';
	}
	GENERAL_NAMES_free(names);
}

static void take_facts(struct tls_cert *c)
{
	struct tls_cert_facts *f = &c->facts;
	first_name(c->leaf, f->name, sizeof f->name);
	snprintf(f->key, sizeof f->key, "%s", EVP_PKEY_get0_type_name(c->key));
	tls_fingerprint(c->leaf, f->sha256);
	f->not_before = unix_time(X509_get0_notBefore(c->leaf));
	f->not_after = unix_time(X509_get0_notAfter(c->leaf));
	f->self_signed = X509_NAME_cmp(X509_get_issuer_name(c->leaf), X509_get_subject_name(c->leaf)) == 0;
	ERR_clear_error();
}

const struct tls_cert_facts *tls_cert_facts(const struct tls_cert *c) { return &c->facts; }

bool tls_cert_names(const struct tls_cert *c, const char *host)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	bool yes = *host && X509_check_host(c->leaf, host, 0, flags, NULL) == 1;
	ERR_clear_error();
	return yes;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

static bool load(struct tls_cert *c, const struct tls_pair *pair, struct err *e)
{
	struct buf chain = BUF_INIT(FILE_MAX_BYTES), key = BUF_INIT(FILE_MAX_BYTES);
	bool together = pair->key_path[0] == '\0';
	const char *key_path = together ? pair->chain_path : pair->key_path;
	ERR_clear_error();
	bool ok = read_file(pair->chain_path, together, &chain, e) && (together || read_file(key_path, true, &key, e)) &&
		  parse_chain(c, &chain, pair->chain_path, e) && parse_key(c, together ? &chain : &key, key_path, e);
	wipe(&chain);
	wipe(&key);
	if (ok && X509_check_private_key(c->leaf, c->key) != 1)
		ok = err_set(e, ERR_PERM, "the key in %s does not belong to the certificate in %s", key_path, pair->chain_path);
	ERR_clear_error();
	return ok;
}

struct tls_cert *tls_cert_load(const struct tls_pair *pair, struct err *e)
{
	struct tls_cert *c = mem_new(sizeof *c);
	*c = (struct tls_cert){ 0 };
	if (load(c, pair, e)) {
		take_facts(c);
		return c;
	}
	tls_cert_free(c);
	return NULL;
}

void tls_cert_free(struct tls_cert *c)
{
	if (!c)
		return;
	X509_free(c->leaf);
	EVP_PKEY_free(c->key);
	sk_X509_pop_free(c->chain, X509_free);
	free(c);
}
