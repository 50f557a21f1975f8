/* What TLS parameters must be to each other. Whether the files are good is `postern check`'s work. */
#include "config/raw.h"

static void check_certificate(const char *item, unsigned line, struct vec *faults)
{
	struct sv rest = sv_of(item), chain = SV("");
	bool cut = sv_cut(&rest, ':', &chain);
	if (!cut || !sv_starts(chain, SV("/")) || chain.n >= 1024)
		cfg_fault(faults, line, "tls_certificates: %.200s must begin with the absolute path of a file", item);
	else if (sv_chr(sv_of(item), ':') >= 0 && (!sv_starts(rest, SV("/")) || rest.n >= 1024))
		cfg_fault(faults, line, "tls_certificates: %.200s: behind the colon stands the absolute path of the key's file",
			item);
}

void cfg_check_tls(const struct cfg *c, struct vec *faults)
{
	unsigned line = 0;
	const struct cfg_list *certs = &c->tls.tls_certificates;
	if (!cfg_was_set(c, "tls_certificates", &line))
		line = 0;
	for (size_t i = 0; i < certs->n; i++)
		check_certificate(certs->item[i], line, faults);
	if (c->tls.tls_client_ca_file[0] && c->tls.tls_client_certificates == CFG_CLIENT_CERT_NO &&
		cfg_was_set(c, "tls_client_ca_file", &line))
		cfg_warn(faults, line, "tls_client_ca_file has no effect without tls_client_certificates = ask");
	for (size_t i = 0; i < c->listeners.len; i++) {
		const struct cfg_listener *l = VEC_AT(&c->listeners, struct cfg_listener, i);
		if (l->protocol == CFG_PROTO_SUBMISSIONS && l->tls == CFG_TLS_OFF)
			cfg_fault(faults, l->line,
				"[listener %.60s]: protocol = submissions is TLS from the first byte: remove tls = off", l->name);
	}
}
