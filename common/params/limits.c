/* Parameters of smtpd's limits. */
/* clang-format off */
#include "config/own.h"

const struct cfg_param cfg_limits_params[] = {
	CFG_NETS(struct cfg_limits, unlimited_networks, "127.0.0.0/8, ::1", 1000, "Clients for whom no rate below counts and who are greeted at once. trusted_networks are among them."),
	CFG_UINT(struct cfg_limits, client_connection_rate, "300", 0, 1000000, "Connections per minute from one client: an IPv4 address or an IPv6 /64. 0, here and below: no limit."),
	CFG_UINT(struct cfg_limits, client_message_rate, "600", 0, 1000000, "Messages per minute from one client."),
	CFG_UINT(struct cfg_limits, client_recipient_rate, "6000", 0, 1000000, "Recipients per minute from one client."),
	CFG_UINT(struct cfg_limits, client_tls_rate, "300", 0, 1000000, "TLS handshakes per minute from one client."),
	CFG_UINT(struct cfg_limits, client_error_rate, "120", 0, 1000000, "Errors (refused recipients, wrong commands) per minute from one client; beyond them its connections are closed."),
	CFG_UINT(struct cfg_limits, network_rate_factor, "10", 0, 1000, "A network, an IPv4 /24 or an IPv6 /48, has so many times the rates of a client."),
	CFG_UINT(struct cfg_limits, connections_per_network_max, "75", 0, 100000, "Connections at once from one network."),
	CFG_UINT(struct cfg_limits, account_message_rate, "120", 0, 1000000, "Messages per minute of one authenticated account."),
	CFG_UINT(struct cfg_limits, account_recipient_rate, "2000", 0, 1000000, "Recipients per minute of one authenticated account."),
	CFG_UINT(struct cfg_limits, connections_per_account_max, "30", 0, 100000, "Connections at once of one authenticated account."),
	CFG_SECS(struct cfg_limits, greet_delay, "2s", 0, 60, "A stranger is greeted after this time. One that talks before it is no mail server and is refused; one that waited is greeted at once for a day. Not on listeners for submission."),
	CFG_UINT(struct cfg_limits, data_rate_min, "100", 1, 1000000, "A message must come with so many bytes per second at least, data_timeout aside."),
	CFG_END
};
