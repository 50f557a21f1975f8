/* The rows of [rule NAME], and their order. */
/* clang-format off */
#include "config/own.h"

const struct cfg_param cfg_rule_params[] = {
	CFG_MATCH(struct cfg_rule, client, CFG_ON_CLIENT, "The client's address: addresses, networks, `local` for programs of this machine; or a table."),
	CFG_MATCH(struct cfg_rule, ptr, CFG_ON_PTR, "The client's name by reverse DNS, if that name leads back to the address: mx.example.org, .example.org for all names below, `unknown` when there is none, `tempfail` when DNS does not tell now; or a table."),
	CFG_MATCH(struct cfg_rule, helo, CFG_ON_HELO, "What the client calls itself: mx.example.org, .example.org for all names below, [192.0.2.1]; or a table."),
	CFG_MATCH(struct cfg_rule, sender, CFG_ON_ADDRESS, "The sender: user@example.org, example.org, .example.org, user@, <> for bounces; or a table."),
	CFG_MATCH(struct cfg_rule, recipient, CFG_ON_ADDRESS, "The recipient as the client names it, in the same words."),
	CFG_MATCH(struct cfg_rule, account, CFG_ON_ACCOUNT, "Who has authenticated: names, `any`, `none`; or a table."),
	CFG_MATCH(struct cfg_rule, tls, CFG_ON_TLS, "`yes`, `no`, `verified` (a client certificate that tls_client_ca_file has signed), fingerprint:SHA256 of a client certificate; or a table of such fingerprints."),
	CFG_MATCH(struct cfg_rule, listener, CFG_ON_LISTENER, "Names of [listener] sections."),
	{ "action", CFG_T_ACTION, CFG_OFF(struct cfg_rule, action, struct cfg_action), "", 0, 1000, NULL,
	  "accept, relay, reject [CODE] [X.Y.Z] [text], tempfail [CODE] [X.Y.Z] [text], hold [why], redirect ADDRESS, tag NAME, or tag Header: value." },
	CFG_END
};
