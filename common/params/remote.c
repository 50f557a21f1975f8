/* Parameters of remote-delivery, and of the routes that it takes. */
/* clang-format off */
#include "config/own.h"

static const char *const tls_wishes[] = { "none", "may", "require", "verify", "dane", NULL };
const struct cfg_param cfg_remote_params[] = {
	CFG_UINT(struct cfg_remote, remote_workers_min, "1", 1, 1000, "Processes for delivery to other hosts that always exist."),
	CFG_UINT(struct cfg_remote, remote_workers_max, "50", 1, 1000, "Most such processes, hence connections to other hosts at once."),
	CFG_UINT(struct cfg_remote, remote_workers_spare, "1", 1, 100, "Idle ones kept ready."),
	CFG_UINT(struct cfg_remote, remote_worker_uses, "100", 1, 1000000, "A process ends after serving this many of queue-mgr's channels."),
	CFG_SECS(struct cfg_remote, remote_timeout, "1h", 1, 86400, "Longest time for one delivery, all hosts that are tried included."),
	CFG_SECS(struct cfg_remote, remote_connect_timeout, "30s", 1, 3600, "How long the addresses of one host may take to accept a connection."),
	CFG_SECS(struct cfg_remote, remote_greeting_timeout, "5m", 1, 3600, "How long a host may take to greet (RFC 5321 4.5.3.2.1: 5 minutes)."),
	CFG_SECS(struct cfg_remote, remote_hello_timeout, "5m", 1, 3600, "How long it may take to answer EHLO, STARTTLS and AUTH."),
	CFG_SECS(struct cfg_remote, remote_mail_timeout, "5m", 1, 3600, "How long it may take to answer MAIL (RFC 5321 4.5.3.2.2)."),
	CFG_SECS(struct cfg_remote, remote_rcpt_timeout, "5m", 1, 3600, "How long it may take to answer RCPT (RFC 5321 4.5.3.2.3)."),
	CFG_SECS(struct cfg_remote, remote_data_timeout, "2m", 1, 3600, "How long it may take to answer DATA (RFC 5321 4.5.3.2.4)."),
	CFG_SECS(struct cfg_remote, remote_block_timeout, "3m", 1, 3600, "How long it may take none of a message that is being sent (RFC 5321 4.5.3.2.5)."),
	CFG_SECS(struct cfg_remote, remote_done_timeout, "10m", 1, 3600, "How long it may take to answer the end of a message (RFC 5321 4.5.3.2.6). Shorter makes duplicates."),
	CFG_SECS(struct cfg_remote, remote_idle, "5s", 0, 300, "How long a connection is kept for the next message to the same destination. 0: not at all."),
	CFG_UINT(struct cfg_remote, remote_messages_max, "100", 1, 100000, "Most messages over one connection."),
	CFG_UINT(struct cfg_remote, remote_hosts_max, "5", 1, 50, "Most hosts of one destination that are tried in one attempt."),
	CFG_UINT(struct cfg_remote, remote_port, "25", 1, 65535, "The port of other mail servers, where a route does not name one."),
	CFG_PATH(struct cfg_remote, relay_password_file, "", "Passwords of [relay] sections with user: each line a section's name, a blank, the password. Only root may read it."),
	CFG_LIST(struct cfg_remote, own_addresses, "", 100, "Addresses under which this host is known outside (behind address translation). Mail is never sent to them."),
	CFG_LIST(struct cfg_remote, dns_servers, "", 8, "Resolvers, address or address@port. Empty: those of /etc/resolv.conf."),
	CFG_SECS(struct cfg_remote, dns_timeout, "20s", 1, 300, "Longest time for a look-up."),
	CFG_PATH(struct cfg_remote, dns_trust_anchor_file, "/usr/share/dns/root.key", "Keys to validate DNSSEC with. Without the file nothing is validated, and DANE is off."),
	CFG_BOOL(struct cfg_remote, mta_sts, "yes", "Fetch and obey the MTA-STS policies (RFC 8461) of the domains that mail goes to."),
	CFG_BOOL(struct cfg_remote, tls_reports, "no", "Send a report each day to the domains that ask for one: how TLS with their hosts went (RFC 8460)."),
	CFG_STR(struct cfg_remote, tls_report_contact, "", 254, "Sender of these reports, and whom their readers may ask. Empty: postmaster."),
	CFG_END
};

static const char *const accepts[] = { "users", "anyone", NULL };
static const char *const protocols[] = { "smtp", "lmtp", NULL };
const struct cfg_param cfg_relay_params[] = {
	CFG_LIST(struct cfg_relay, domains, "", 10000, "Domains that take this route. `*`: that of all other domains."),
	CFG_LIST(struct cfg_relay, senders, "", 10000, "Only mail from these senders, addresses or domains, takes this route, and only when they authenticated or are local programs. Empty: all."),
	CFG_ENUM(struct cfg_relay, accept_from, "users", accepts, "Who may send to these domains. users: those who may send anywhere; the section says only where mail goes. anyone: every client, as this host is their backup MX or gateway; not with senders, nor for `*`."),
	CFG_STR(struct cfg_relay, host, "", 300, "Next hop: host or host:port, whose MX is asked for; [host] or [host]:port, [192.0.2.1]:port: no MX; unix:/path for LMTP. Empty: the domain's MX."),
	CFG_ENUM(struct cfg_relay, protocol, "smtp", protocols, "What the next hop speaks."),
	CFG_ENUM(struct cfg_relay, tls, "may", tls_wishes, "none: never TLS. may: when offered, and as DANE or MTA-STS demand. require: always, whoever answers. verify: the certificate must be good for the host's name; for a host that an unsigned MX record names, and no MTA-STS policy, it must be good for the domain, or a name below it. dane: it must be the one that DNS names (RFC 7672)."),
	CFG_UINT(struct cfg_relay, connections, "0", 0, 1000, "Most deliveries at once to the host, or to each domain, of this route, below destination_connections_max. 0: only that."),
	CFG_UINT(struct cfg_relay, rate, "0", 0, 1000000, "Most messages to it in a minute, evenly spread. 0: destination_rate."),
	CFG_STR(struct cfg_relay, user, "", 128, "Authenticate as this user (AUTH, by SCRAM-SHA-256, PLAIN or LOGIN), with the password in relay_password_file; only under TLS, but to the loopback. PLAIN and LOGIN, which show the password, only to a host whose certificate is verified, whatever tls says."),
	CFG_BOOL(struct cfg_relay, password_to_unverified, "no", "PLAIN and LOGIN also to a host whose certificate is not verified: whoever poses as it learns the password."),
	CFG_LIST(struct cfg_relay, source, "", 2, "Local addresses to connect from, at most one of each family."),
	CFG_END
};
