#include "unit/unit.h"
#include "unit/spool/spool_file.h"
#include "unit/tls/pki.h"
#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE_FATAL(fd >= 0 && fd_write_all(fd, text, strlen(text), NULL) && fchmod(fd, mode) == 0);
	fd_close(&fd);
}

static void a_made_certificate_loads_and_says_whose_it_is(void)
{
	struct temp_dir dir;
	char path[200];
	struct err e = { 0 };
	struct stat st;
	temp_dir_make(&dir);
	snprintf(path, sizeof path, "%s/own.pem", dir.path);
	CU_ASSERT_TRUE_FATAL(tls_cert_make(path, "mx.example.org", &e));
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	struct tls_pair pair = { path, "" };
	struct tls_cert *c = tls_cert_load(&pair, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	const struct tls_cert_facts *f = tls_cert_facts(c);
	int64_t now = (int64_t)clock_real_secs();
	CU_ASSERT_STRING_EQUAL(f->name, "mx.example.org");
	CU_ASSERT_STRING_EQUAL(f->key, "EC");
	CU_ASSERT_EQUAL(strlen(f->sha256), 64);
	CU_ASSERT_TRUE(f->self_signed);
	CU_ASSERT_TRUE(f->not_before <= now && f->not_after > now + 9 * 365 * 86400L && f->not_after < now + 11 * 365 * 86400L);
	CU_ASSERT_TRUE(tls_cert_names(c, "MX.example.org"));
	CU_ASSERT_FALSE(tls_cert_names(c, "example.org"));
	CU_ASSERT_FALSE(tls_cert_names(c, ""));
	tls_cert_free(c);
	temp_dir_remove(&dir);
}

static void a_bad_pair_is_refused_and_the_text_says_why(void)
{
	struct temp_dir dir;
	struct pki one, two;
	char missing[200], empty[200];
	temp_dir_make(&dir);
	one = pki_make(dir.path, &(struct pki_wish){ .name = "one", .dns = "one.example" });
	two = pki_make(dir.path, &(struct pki_wish){ .name = "two", .dns = "two.example" });
	snprintf(missing, sizeof missing, "%s/missing.pem", dir.path);
	snprintf(empty, sizeof empty, "%s/empty.pem", dir.path);
	write_file(empty, "# nothing\n", 0600);
	const struct {
		const char *chain, *key, *want;
	} t[] = {
		{ one.path, two.path, "does not belong to the certificate" },
		{ missing, "", "No such file" },
		{ one.path, missing, "No such file" },
		{ empty, "", "there is no certificate" },
		{ one.path, empty, "there is no private key" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct tls_pair pair = { t[i].chain, t[i].key };
		struct err e = { 0 };
		CU_ASSERT_PTR_NULL(tls_cert_load(&pair, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].want));
	}
	pki_free(&one);
	pki_free(&two);
	temp_dir_remove(&dir);
}

static void a_key_that_others_can_read_is_refused_a_chain_is_not(void)
{
	struct temp_dir dir;
	struct pki p;
	char open_path[200];
	struct err e = { 0 };
	struct buf text = BUF_INIT(65536);
	temp_dir_make(&dir);
	p = pki_make(dir.path, &(struct pki_wish){ .name = "one", .dns = "one.example" });
	CU_ASSERT_TRUE_FATAL(fd_read_path(AT_FDCWD, p.path, &text, NULL));
	snprintf(open_path, sizeof open_path, "%s/open.pem", dir.path);
	write_file(open_path, buf_str(&text), 0640);
	struct tls_pair together = { open_path, "" }, apart = { open_path, p.path }, wrong = { p.path, open_path };
	CU_ASSERT_PTR_NULL(tls_cert_load(&together, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "can be read by others (mode 0640)"));
	CU_ASSERT_PTR_NULL(tls_cert_load(&wrong, &e));
	struct tls_cert *c = tls_cert_load(&apart, &e);
	CU_ASSERT_PTR_NOT_NULL(c);
	tls_cert_free(c);
	buf_free(&text);
	pki_free(&p);
	temp_dir_remove(&dir);
}

static void an_expired_certificate_loads_and_says_so(void)
{
	struct temp_dir dir;
	temp_dir_make(&dir);
	struct pki p =
		pki_make(dir.path, &(struct pki_wish){ .name = "old", .dns = "old.example", .from_secs = -7200, .to_secs = -3600 });
	struct tls_cert *c = pki_load(&p);
	CU_ASSERT_TRUE(tls_cert_facts(c)->not_after < (int64_t)clock_real_secs());
	tls_cert_free(c);
	pki_free(&p);
	temp_dir_remove(&dir);
}

void suite_tls_cert(void)
{
	static const struct unit_case cases[] = { UNIT(a_made_certificate_loads_and_says_whose_it_is),
		UNIT(a_bad_pair_is_refused_and_the_text_says_why), UNIT(a_key_that_others_can_read_is_refused_a_chain_is_not),
		UNIT(an_expired_certificate_loads_and_says_so), UNIT_END };
	unit_suite("tls_cert", cases);
}
