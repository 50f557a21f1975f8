/* Parameters of TLS towards clients. */
/* clang-format off */
#include "config/own.h"

#include "tls/tls.h"

#define OWN_CERTIFICATE "tls-self-signed.pem" /* in state_directory */

static const char *const levels[] = { [TLS_INTERMEDIATE] = "intermediate", [TLS_MODERN] = "modern", NULL };
static const char *const client_certificates[] = { "no", "ask", NULL };
const struct cfg_param cfg_tls_params[] = {
	CFG_LIST(struct cfg_tls, tls_certificates, "", 1000, "PEM files, each a certificate with its chain: `FILE` holds its key too, `FILE:KEYFILE` has it apart. Keys must be readable by root alone. A client gets the one whose DNS names hold what it asks for, else the first; an ECDSA and an RSA certificate for the same names may stand side by side. Empty: a self-signed one is made."),
	CFG_ENUM(struct cfg_tls, tls_level, "intermediate", levels, "intermediate: TLS 1.2 and 1.3 with forward secrecy. modern: TLS 1.3 alone."),
	CFG_ENUM(struct cfg_tls, tls_client_certificates, "no", client_certificates, "ask: clients are asked for a certificate. None is demanded; its fingerprint is known to rules."),
	CFG_PATH(struct cfg_tls, tls_client_ca_file, "", "Certificates of the CAs that make a client's certificate a verified one. Empty: fingerprints only."),
	CFG_PATH(struct cfg_tls, tls_ca_file, "", "Certificates of the CAs that are believed when mail is sent (tls = verify, MTA-STS) and policies are fetched. Empty: the system's."),
	CFG_SECS(struct cfg_tls, tls_timeout, "30s", 1, 600, "Longest TLS handshake, with clients and with other hosts."),
	CFG_SECS(struct cfg_tls, tls_reread, "30s", 0, 86400, "How often the certificate files are looked at; when they have changed new clients get the new ones. 0: only at `postern reload`."),
	CFG_END
};

/* A path with a colon in it cannot be named here. */
bool cfg_cert(const struct cfg *c, size_t i, struct cfg_cert *ret)
{
	const struct cfg_list *list = &c->tls.tls_certificates;
	*ret = (struct cfg_cert){ .own = list->n == 0 };
	if (ret->own && i == 0)
		return snprintf(ret->chain, sizeof ret->chain, "%s/" OWN_CERTIFICATE, c->global.state_directory) < (int)sizeof ret->chain;
	if (i >= list->n)
		return false;
	struct sv rest = sv_of(list->item[i]), chain;
	return sv_cut(&rest, ':', &chain) && sv_copy(chain, ret->chain, sizeof ret->chain) && sv_copy(rest, ret->key, sizeof ret->key);
}
