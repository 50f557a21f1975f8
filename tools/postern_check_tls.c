/* postern check: certificates and their keys, as smtpd will find them. */
#include "postern_check.h"
#include "base/clock.h"
#include "mail/date.h"
#include "tls/tls.h"

#include <errno.h>
#include <unistd.h>

#define DAY 86400
#define SOON_DAYS 14

static unsigned line_of(const struct check *c, const char *param)
{
	unsigned line = 0;
	return cfg_was_set(c->t->cfg, param, &line) ? line : 0;
}

static bool wanted(const struct cfg *cfg)
{
	for (size_t i = 0; i < cfg->listeners.len; i++)
		if (VEC_AT(&cfg->listeners, struct cfg_listener, i)->tls != CFG_TLS_OFF)
			return true;
	return false;
}

static void check_dates(struct check *c, const char *path, const struct tls_cert_facts *f)
{
	int64_t now = (int64_t)clock_real_secs();
	char from[DATE_TEXT_MAX], until[DATE_TEXT_MAX];
	date_text((uint64_t)MAX(f->not_before, 0), from);
	date_text((uint64_t)MAX(f->not_after, 0), until);
	if (f->not_after < now)
		check_add(c, CHECK_ERROR, path, 0, "the certificate has expired, on %s: renew it", until);
	else if (f->not_before > now)
		check_add(c, CHECK_ERROR, path, 0, "the certificate is not valid before %s: is this host's clock right?", from);
	else if (f->not_after < now + SOON_DAYS * DAY)
		check_add(c, CHECK_WARNING, path, 0, "the certificate expires in %lld days, on %s: renew it",
			(long long)((f->not_after - now) / DAY), until);
}

/* Who is not root does not see keys: that is as it should be. */
static struct tls_cert *load(struct check *c, const struct cfg_cert *from)
{
	struct tls_pair pair = { from->chain, from->key };
	struct err e = { 0 };
	struct tls_cert *cert = tls_cert_load(&pair, &e);
	if (cert)
		return cert;
	if (e.sys == EACCES && geteuid() != 0)
		check_add(c, CHECK_NOTE, from->chain, 0, "not checked: %s", e.text);
	else if (e.sys != ENOENT || !from->own) /* our own is made at the first start */
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, "tls_certificates"), "tls_certificates: %s", e.text);
	return NULL;
}

struct seen {
	size_t loaded;
	bool names_us;
};

static void check_one(struct check *c, const struct cfg_cert *from, struct seen *seen)
{
	struct tls_cert *cert = load(c, from);
	if (!cert)
		return;
	const struct tls_cert_facts *f = tls_cert_facts(cert);
	seen->loaded++;
	seen->names_us = seen->names_us || tls_cert_names(cert, c->t->cfg->global.hostname);
	check_dates(c, from->chain, f);
	if (f->name[0] == '\0')
		check_add(c, CHECK_WARNING, from->chain, 0, "the certificate has no DNS name: nobody can verify it");
	if (f->self_signed && !from->own)
		check_add(c, CHECK_WARNING, from->chain, 0,
			"the certificate is self-signed: programs of users will warn of it, and other "
			"servers can verify it by DANE alone");
	check_add(c, CHECK_NOTE, from->chain, 0, "certificate for %s (%s), SHA-256 %s", f->name, f->key, f->sha256);
	tls_cert_free(cert);
}

void check_tls(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	struct cfg_cert from;
	struct seen seen = { 0 };
	if (!wanted(cfg))
		return;
	for (size_t i = 0; cfg_cert(cfg, i, &from); i++)
		check_one(c, &from, &seen);
	if (cfg->tls.tls_certificates.n == 0)
		check_add(c, CHECK_WARNING, c->t->conf, 0,
			"tls_certificates is empty: clients get a self-signed certificate, which "
			"encrypts but which nobody can verify");
	if (seen.loaded > 0 && !seen.names_us)
		check_add(c, CHECK_WARNING, c->t->conf, line_of(c, "tls_certificates"),
			"no certificate names this host, %s (hostname): servers that verify it will not send mail here",
			cfg->global.hostname);
	const char *ca = cfg->tls.tls_client_ca_file;
	if (*ca && access(ca, R_OK) < 0)
		check_add(c, CHECK_ERROR, c->t->conf, line_of(c, "tls_client_ca_file"), "tls_client_ca_file = %s: %s", ca,
			strerror(errno));
}
