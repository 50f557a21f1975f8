/* Parameters that more than one daemon needs, and master's. */
/* clang-format off */
#include "base/paths.h"
#include "config/own.h"

const struct cfg_param cfg_global_params[] = {
	CFG_STR(struct cfg_global, hostname, NULL, 255, "This host's fully qualified name: in the greeting, in Received lines and bounces. Default: the system's name."),
	CFG_STR(struct cfg_global, origin, NULL, 255, "Domain that is added to addresses without one. Default: /etc/mailname, else hostname."),
	CFG_LIST(struct cfg_global, domains, NULL, 10000, "Domains whose mail is delivered here. Default: hostname, localhost, and /etc/mailname."),
	CFG_PATH(struct cfg_global, queue_directory, POSTERN_STATEDIR "/queue", "The mail queue. Best on the same mount as the homes (see docs/QUEUE.md)."),
	CFG_PATH(struct cfg_global, runtime_directory, POSTERN_RUNDIR, "Sockets between the daemons."),
	CFG_PATH(struct cfg_global, state_directory, POSTERN_STATEDIR "/state", "Databases that the daemons keep."),
	CFG_STR(struct cfg_global, recipient_delimiter, "+", 1, "user+detail is delivered to user when no alias or mailbox has the whole name. Empty: off."),
	CFG_NETS(struct cfg_global, trusted_networks, "", 1000, "Clients that may relay without authentication, e.g. 192.0.2.0/24. Nobody by default, loopback included."),
	CFG_SIZE(struct cfg_global, message_max_size, "50M", 1024, (int64_t)2 << 30, "Largest message accepted."),
	CFG_UINT(struct cfg_global, min_uid, "1000", 1, 4294967294, "System users with a smaller uid get no mail of their own: they need an alias."),
	CFG_PATH(struct cfg_global, virtual_base, "", "Every virtual mailbox must lie below this directory. Empty: virtual mailboxes are off."),
	CFG_STR(struct cfg_global, admin_group, "postern-adm", 32, "Members may do with the queue what root may."),
	CFG_BOOL(struct cfg_global, srs, "yes", "Mail of others that an alias sends on to another host leaves with a sender of ours (SRS), so that SPF does not fail there; reports to it come back here and are sent on for 21 days. The key is srs-key in state_directory, one a line, the first signs: `postern srs rotate` puts a new one before the old."),
	CFG_STR(struct cfg_global, srs_domain, NULL, 255, "The domain of such senders: one of domains, whose SPF record names this host. Default: origin if it is one of domains, else the first of them."),
	CFG_BOOL(struct cfg_global, soft_bounce, "no", "Turns every permanent refusal of a recipient or message into a temporary one, and permanent delivery failures into deferrals: for a cut-over."),
	CFG_END
};

const struct cfg_param cfg_master_params[] = {
	CFG_SECS(struct cfg_master, stop_timeout, "60s", 1, 3600, "How long sessions in DATA may take to finish when the system stops or reloads."),
	CFG_SECS(struct cfg_master, restart_delay_max, "60s", 1, 3600, "Longest pause before a daemon that keeps dying is started again."),
	CFG_END
};

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };
const struct cfg_param cfg_log_params[] = {
	CFG_STR(struct cfg_log, log_file, POSTERN_LOGDIR "/postern.log", 4000, "The mail log: a path, `syslog`, or `stderr`."),
	CFG_ENUM(struct cfg_log, log_format, "text", log_formats, "One event per line, as text or as a JSON object."),
	CFG_ENUM(struct cfg_log, log_level, "info", log_levels, "The least important events that are logged."),
	CFG_END
};
