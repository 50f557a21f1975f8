/* own - the owners' tables, joined in cfg_groups. Private to config/. */
#ifndef CONFIG_OWN_H
#define CONFIG_OWN_H

#include "config/cfg.h"

extern const struct cfg_param cfg_global_params[], cfg_master_params[], cfg_log_params[], cfg_smtpd_params[], cfg_resolve_params[],
	cfg_queue_params[], cfg_local_params[], cfg_remote_params[], cfg_bounce_params[], cfg_spam_params[], cfg_tls_params[],
	cfg_listener_params[], cfg_domain_params[], cfg_relay_params[], cfg_limits_params[], cfg_auth_params[], cfg_rule_params[];

#endif
