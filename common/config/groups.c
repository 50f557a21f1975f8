/* All tables, in the order in which `postern config` prints them. */
/* clang-format off */
#include "config/own.h"

#define GROUP(name, params_) { #name, false, params_, offsetof(struct cfg, name), sizeof(struct cfg_##name) }
#define SECTION(name, vec, params_) { #name, true, params_, offsetof(struct cfg, vec), sizeof(struct cfg_##name) }
const struct cfg_group cfg_groups[] = {
	GROUP(global, cfg_global_params),
	GROUP(master, cfg_master_params),
	GROUP(log, cfg_log_params),
	GROUP(smtpd, cfg_smtpd_params),
	GROUP(limits, cfg_limits_params),
	GROUP(auth, cfg_auth_params),
	GROUP(resolve, cfg_resolve_params),
	GROUP(queue, cfg_queue_params),
	GROUP(local, cfg_local_params),
	GROUP(remote, cfg_remote_params),
	GROUP(bounce, cfg_bounce_params),
	GROUP(spam, cfg_spam_params),
	GROUP(tls, cfg_tls_params),
	SECTION(listener, listeners, cfg_listener_params),
	SECTION(domain, domains, cfg_domain_params),
	SECTION(relay, relays, cfg_relay_params),
	SECTION(rule, rules, cfg_rule_params),
	{ NULL },
};

bool cfg_nets_has(const struct cfg_nets *nets, const struct addr *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (addr_net_has(&nets->item[i], a))
			return true;
	return false;
}
