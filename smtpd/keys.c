#include "keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "mail/date.h"

#include <errno.h>
#include <sys/stat.h>

#define CERTS_MAX 1000
#define SOON_SECS (14 * 86400)

static bool any_listener(const struct cfg *cfg)
{
	for (size_t i = 0; i < cfg->listeners.len; i++)
		if (VEC_AT(&cfg->listeners, struct cfg_listener, i)->tls != CFG_TLS_OFF)
			return true;
	return false;
}

/* --- certificates ------------------------------------------------------------------------------------------------------------ */

/* Mail is encrypted from the first start on; whoever verifies needs a real certificate. */
static void make_own(const struct svc_ctx *ctx, const char *path)
{
	const char *host = svc_cfg(ctx)->global.hostname;
	struct stat st;
	struct err e = { 0 };
	if (stat(path, &st) == 0 || errno != ENOENT)
		return; /* what is wrong with it is seen when it is loaded */
	if (tls_cert_make(path, host, &e))
		LOG_WARN("certificate-made", KV_STR("file", path), KV_STR("host", host));
	else
		LOG_ERROR("certificate-not-made", KV_ERR(&e));
}

/* Had the running leader the same file? Then nothing better is lost by going on with it. */
static bool is_older(const char *path, uint64_t unix_secs)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_ctim.tv_sec < (time_t)unix_secs;
}

static bool check_dates(const struct svc_ctx *ctx, const struct cfg_cert *from, const struct tls_cert_facts *f, struct err *e)
{
	int64_t now = (int64_t)clock_real_secs();
	uint64_t replaces = svc_replaces(ctx);
	char until[DATE_TEXT_MAX], since[DATE_TEXT_MAX];
	date_text((uint64_t)MAX(f->not_after, 0), until);
	date_text((uint64_t)MAX(f->not_before, 0), since);
	if (f->not_after < now)
		err_set(e, ERR_PERM, "the certificate in %s has expired: it was valid until %s", from->chain, until);
	else if (f->not_before > now)
		err_set(e, ERR_PERM, "the certificate in %s is not valid yet: it will be from %s", from->chain, since);
	else {
		if (f->not_after < now + SOON_SECS)
			LOG_WARN("certificate-expires", KV_STR("file", from->chain), KV_STR("until", until));
		return true;
	}
	if (replaces && !is_older(from->chain, replaces))
		return false;
	LOG_WARN("certificate-dates", KV_ERR(e)); /* it encrypts as well as before */
	return true;
}

static bool load_one(struct keys *k, const struct svc_ctx *ctx, const struct cfg_cert *from, struct err *e)
{
	struct tls_pair pair = { from->chain, from->key };
	struct tls_cert *cert = tls_cert_load(&pair, e), **place = NULL;
	if (!cert)
		return false;
	if (check_dates(ctx, from, tls_cert_facts(cert), e) && (place = vec_push(&k->certs))) {
		const struct tls_cert_facts *f = tls_cert_facts(cert);
		*place = cert;
		LOG_INFO("certificate", KV_STR("file", from->chain), KV_STR("name", f->name), KV_STR("key", f->key),
			KV_STR("sha256", f->sha256));
		return true;
	}
	tls_cert_free(cert);
	return false;
}

static bool load_all(struct keys *k, const struct svc_ctx *ctx, struct err *e)
{
	struct cfg_cert from;
	for (size_t i = 0; cfg_cert(svc_cfg(ctx), i, &from); i++) {
		if (from.own)
			make_own(ctx, from.chain);
		if (load_one(k, ctx, &from, e))
			continue;
		if (svc_replaces(ctx))
			return false;
		LOG_ERROR("certificate-bad", KV_ERR(e));
	}
	return true;
}

/* --- listeners --------------------------------------------------------------------------------------------------------------- */

static bool open_listener(struct keys *k, const struct cfg *cfg, const struct cfg_listener *l, struct err *e)
{
	struct tls_server_options o = {
		.certs = k->certs.data,
		.n_certs = k->certs.len,
		.level = (enum tls_level)cfg->tls.tls_level,
		.ask_client = cfg->tls.tls_client_certificates == CFG_CLIENT_CERT_ASK,
		.client_ca_file = cfg->tls.tls_client_ca_file,
		.ticket_context = l->name,
	};
	struct tls_server *tls = tls_server_new(&o, e);
	if (!tls)
		return false;
	struct keys_server *s = vec_push(&k->servers);
	BUG_IF(!s); /* as many as sections */
	*s = (struct keys_server){ l, tls };
	return true;
}

bool keys_load(struct keys *k, const struct svc_ctx *ctx, struct err *e)
{
	const struct cfg *cfg = svc_cfg(ctx);
	k->certs = (struct vec)VEC_INIT(struct tls_cert *, CERTS_MAX);
	k->servers = (struct vec)VEC_INIT(struct keys_server, MAX(cfg->listeners.len, 1));
	if (!any_listener(cfg))
		return true;
	if (!load_all(k, ctx, e))
		return false;
	for (size_t i = 0; i < cfg->listeners.len; i++) {
		const struct cfg_listener *l = VEC_AT(&cfg->listeners, struct cfg_listener, i);
		if (l->tls == CFG_TLS_OFF || open_listener(k, cfg, l, e))
			continue;
		if (svc_replaces(ctx))
			return false;
		LOG_ERROR("tls-off", KV_STR("listener", l->name), KV_ERR(e));
	}
	return true;
}

struct tls_server *keys_for(const struct keys *k, const struct cfg_listener *l)
{
	for (size_t i = 0; l && i < k->servers.len; i++)
		if (VEC_AT(&k->servers, struct keys_server, i)->listener == l)
			return VEC_AT(&k->servers, struct keys_server, i)->tls;
	return NULL;
}
