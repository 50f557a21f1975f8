/* cfg - the configuration: one file, one parser, one table of rows per owner. Syntax: docs/man/postern.conf.5.
 *
 *   name = value          comments start with '#'; a line that starts with blank continues the one before
 *   [listener smtp]       sections `listener`, `domain`, `relay`, `rule`, each with a name; unknown names are errors
 *
 * Every parameter is one row (cfg_param) in its owner's table, common/params/<owner>.c; parser, printer, `postern
 * config`, postern.conf(5) and the checks all come from it. The tables stand in the library and not in the daemons because master
 * and the tools need all of them. master parses the file once and hands every daemon a sealed memfd with the result printed by
 * cfg_print(); daemons read it back with the same parser. A parsed `struct cfg` never changes. */
#ifndef CONFIG_CFG_H
#define CONFIG_CFG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "config/rule.h"
#include "net/addr.h"

enum cfg_type {
	CFG_T_STR, /* const char *, never NULL; PATH is the same but absolute or empty */
	CFG_T_PATH,
	CFG_T_BOOL,   /* bool: yes/no */
	CFG_T_UINT,   /* uint64_t */
	CFG_T_SECS,   /* uint64_t, seconds */
	CFG_T_SIZE,   /* uint64_t, bytes */
	CFG_T_SCORE,  /* int64_t, hundredths: "4.5" is 450 */
	CFG_T_ENUM,   /* int, index into `choices` */
	CFG_T_LIST,   /* struct cfg_list: words between commas or blanks */
	CFG_T_NETS,   /* struct cfg_nets */
	CFG_T_TABLE,  /* const char *: "type:name", "" for none; checked by maps/ in `postern check` */
	CFG_T_MATCH,  /* struct cfg_match; `min` is its enum cfg_subject */
	CFG_T_ACTION, /* struct cfg_action */
};

struct cfg_list {
	const char **item;
	size_t n;
};
struct cfg_nets {
	struct addr_net *item;
	size_t n;
};

struct cfg_param {
	const char *name;
	enum cfg_type type;
	size_t offset;              /* of the member in the owner's struct */
	const char *def;            /* default in the file's own syntax; NULL: computed (cfg_finish) */
	int64_t min, max;           /* numbers: range; STR, PATH, TABLE: max length; LIST, NETS: most items */
	const char *const *choices; /* ENUM: NULL-terminated */
	const char *help;           /* one line or more, for a person; used in the manual */
};

#define CFG_TABLE_MAX 1000 /* bytes of a table's specification, as RESOLVE_TABLE_REQ carries it */

/* Rows. The member's type is checked by the compiler. */
/* clang-format off */
#define CFG_OFF(T, m, ctype) (offsetof(T, m) + 0 * sizeof((ctype *[]){ &((T *)0)->m }))
#define CFG_STR(T, m, d, max_, h)          { #m, CFG_T_STR, CFG_OFF(T, m, const char *), d, 0, max_, NULL, h }
#define CFG_PATH(T, m, d, h)               { #m, CFG_T_PATH, CFG_OFF(T, m, const char *), d, 0, 4000, NULL, h }
#define CFG_BOOL(T, m, d, h)               { #m, CFG_T_BOOL, CFG_OFF(T, m, bool), d, 0, 1, NULL, h }
#define CFG_UINT(T, m, d, min_, max_, h)   { #m, CFG_T_UINT, CFG_OFF(T, m, uint64_t), d, min_, max_, NULL, h }
#define CFG_SECS(T, m, d, min_, max_, h)   { #m, CFG_T_SECS, CFG_OFF(T, m, uint64_t), d, min_, max_, NULL, h }
#define CFG_SIZE(T, m, d, min_, max_, h)   { #m, CFG_T_SIZE, CFG_OFF(T, m, uint64_t), d, min_, max_, NULL, h }
#define CFG_SCORE(T, m, d, min_, max_, h)  { #m, CFG_T_SCORE, CFG_OFF(T, m, int64_t), d, min_, max_, NULL, h }
#define CFG_ENUM(T, m, d, choices_, h)     { #m, CFG_T_ENUM, CFG_OFF(T, m, int), d, 0, 0, choices_, h }
#define CFG_LIST(T, m, d, max_, h)         { #m, CFG_T_LIST, CFG_OFF(T, m, struct cfg_list), d, 0, max_, NULL, h }
#define CFG_NETS(T, m, d, max_, h)         { #m, CFG_T_NETS, CFG_OFF(T, m, struct cfg_nets), d, 0, max_, NULL, h }
#define CFG_TABLE(T, m, d, h)              { #m, CFG_T_TABLE, CFG_OFF(T, m, const char *), d, 0, CFG_TABLE_MAX, NULL, h }
#define CFG_MATCH(T, m, subject, h)        { #m, CFG_T_MATCH, CFG_OFF(T, m, struct cfg_match), "", subject, 1000, NULL, h }
#define CFG_END                            { NULL }
/* clang-format on */

struct cfg_group {
	const char *owner; /* "global", "smtpd", ...; for sections "listener", ... */
	bool section;      /* a [owner NAME] section: many instances */
	const struct cfg_param *params;
	size_t offset; /* in struct cfg: of the owner's struct, or of the section's struct vec */
	size_t size;   /* of the owner's struct; a section's struct begins with `const char *name` and `unsigned line` */
};

/* --- the owners' structs: what daemons read ------------------------------------------------------------------------------ */
struct cfg_global { /* more than one daemon needs these */
	const char *hostname, *origin;
	struct cfg_list domains;
	const char *queue_directory, *runtime_directory, *state_directory, *recipient_delimiter;
	struct cfg_nets trusted_networks;
	uint64_t message_max_size, min_uid;
	const char *virtual_base, *admin_group, *srs_domain;
	bool soft_bounce, srs;
};
struct cfg_master {
	uint64_t stop_timeout, restart_delay_max;
};
struct cfg_log {
	const char *log_file; /* a path, "syslog" or "stderr" */
	int log_format;       /* enum cfg_log_format */
	int log_level;        /* enum log_level */
};
struct cfg_smtpd {
	uint64_t smtpd_workers_min, smtpd_workers_max, smtpd_workers_spare, smtpd_worker_uses;
	uint64_t command_timeout, data_timeout, session_timeout, line_max, recipients_max, received_max;
	uint64_t errors_soft, errors_max, error_delay, connections_per_client_max, alias_expansion_max;
	const char *banner;
	uint64_t future_release_max;
	bool audit;
	bool reverse_dns;
	uint64_t reverse_dns_timeout;
	int bare_newline;      /* enum cfg_bare_newline */
	uint64_t lend_timeout; /* how long to wait for a lent queue file before 452 */
};
struct cfg_limits { /* smtpd's, against floods; rates are per minute, 0 none */
	struct cfg_nets unlimited_networks;
	uint64_t client_connection_rate, client_message_rate, client_recipient_rate, client_tls_rate, client_error_rate;
	uint64_t network_rate_factor, connections_per_network_max;
	uint64_t account_message_rate, account_recipient_rate, connections_per_account_max;
	uint64_t greet_delay, data_rate_min;
};
struct cfg_auth { /* authd, and smtpd where it asks who a client is */
	struct cfg_list auth_mechanisms;
	bool smtp_auth;
	const char *pam_service, *sender_logins;
	uint64_t pam_timeout, auth_helpers, auth_failure_delay, auth_failures_max, auth_lock_time;
	bool hide_client;
	int sender_ownership; /* enum cfg_sender_ownership */
	uint64_t account_messages_per_hour, account_messages_per_day, account_recipients_per_hour, account_recipients_per_day;
	uint64_t account_freeze_after;
};
struct cfg_resolve {
	const char *aliases, *virtual_mailboxes;
	uint64_t nss_timeout, nss_helpers, resolve_cache;
	bool system_users;
};
struct cfg_queue {
	uint64_t retry_min, retry_max, queue_lifetime, bounce_lifetime, delay_warning;
	uint64_t queue_active_max, local_slots, queue_free_min, queue_free_inodes_min, queue_io_helpers;
	int queue_sync;       /* enum cfg_queue_sync */
	int bounce_strangers; /* enum cfg_bounce_strangers */
	uint64_t bounce_strangers_rate;
	uint64_t destination_connections_max, destination_rate;
	bool double_bounce_postmaster;
};
struct cfg_local {
	uint64_t local_workers_min, local_workers_max, local_workers_spare, local_worker_uses, local_timeout;
	const char *maildir; /* relative to the home */
	bool dot_forward;
	int delivery; /* enum cfg_delivery */
};
struct cfg_remote {
	uint64_t remote_workers_min, remote_workers_max, remote_workers_spare, remote_worker_uses;
	uint64_t remote_timeout, remote_connect_timeout, remote_greeting_timeout, remote_hello_timeout, remote_mail_timeout,
		remote_rcpt_timeout, remote_data_timeout, remote_block_timeout, remote_done_timeout;
	uint64_t remote_idle, remote_messages_max, remote_hosts_max, remote_port;
	struct cfg_list own_addresses, dns_servers;
	uint64_t dns_timeout;
	const char *dns_trust_anchor_file, *relay_password_file;
	bool mta_sts, tls_reports;
	const char *tls_report_contact;
};
struct cfg_bounce {
	uint64_t bounce_workers_max, bounce_full_max;
	int bounce_language; /* enum cfg_language */
};
struct cfg_spam {
	uint64_t spam_workers_min, spam_workers_max, spam_workers_spare, spam_worker_uses, spam_timeout;
	int spam_action;  /* enum cfg_spam_action */
	int spam_failure; /* enum cfg_spam_failure */
	int64_t spam_mark_score, spam_reject_score;
	bool spam_bayes;
};
struct cfg_tls {
	struct cfg_list tls_certificates; /* see cfg_cert() */
	int tls_level;                    /* enum tls_level */
	int tls_client_certificates;      /* enum cfg_client_certificates */
	const char *tls_client_ca_file, *tls_ca_file;
	uint64_t tls_timeout, tls_reread;
};
struct cfg_listener {
	const char *name;
	unsigned line;
	struct cfg_list address; /* "*:25", "127.0.0.1:2525", "[::1]:25" */
	int protocol;            /* enum cfg_protocol */
	int tls;                 /* enum cfg_listener_tls */
	struct cfg_nets proxy, xclient;
};
struct cfg_domain {
	const char *name;
	unsigned line;
	int users;             /* enum cfg_users */
	const char *catch_all; /* address that gets mail for unknown users; "" for none */
};
struct cfg_relay {
	const char *name;
	unsigned line;
	struct cfg_list domains;    /* "*" for all others */
	struct cfg_list senders;    /* addresses and domains; empty: all */
	int accept_from;            /* enum cfg_accept */
	const char *host;           /* next hop; "" for the domain's MX */
	int protocol;               /* enum cfg_relay_protocol */
	int tls;                    /* enum cfg_tls_wish */
	uint64_t connections, rate; /* 0: as for all destinations */
	const char *user;
	bool password_to_unverified;
	struct cfg_list source;
};

enum cfg_log_format { CFG_LOG_TEXT, CFG_LOG_JSON };
enum cfg_bare_newline { CFG_BARE_REJECT, CFG_BARE_ACCEPT };
enum cfg_sender_ownership { CFG_OWNERSHIP_OFF, CFG_OWNERSHIP_ENVELOPE, CFG_OWNERSHIP_HEADER };
enum cfg_queue_sync { CFG_SYNC_AUTO, CFG_SYNC_NAME_FIRST, CFG_SYNC_STRICT };
enum cfg_bounce_strangers { CFG_BOUNCE_SEND, CFG_BOUNCE_HOLD };
enum cfg_language { CFG_LANGUAGE_AUTO, CFG_LANGUAGE_EN, CFG_LANGUAGE_DE, CFG_LANGUAGE_FR };
enum cfg_delivery { CFG_DELIVERY_AUTO, CFG_DELIVERY_RENAME, CFG_DELIVERY_COPY };
enum cfg_spam_action { CFG_SPAM_OFF, CFG_SPAM_MARK, CFG_SPAM_REJECT };
enum cfg_spam_failure { CFG_SPAMFAIL_TEMPFAIL, CFG_SPAMFAIL_ACCEPT };
/* What a listener is for. smtp: mail from other servers (port 25), STARTTLS. submission: users' programs (587), STARTTLS, a sender
 * must authenticate. submissions: the same with TLS from the first byte (465, RFC 8314). lmtp: another MTA hands us mail for our
 * users (RFC 2033). */
enum cfg_protocol { CFG_PROTO_SMTP, CFG_PROTO_SUBMISSION, CFG_PROTO_SUBMISSIONS, CFG_PROTO_LMTP };
enum cfg_client_certificates { CFG_CLIENT_CERT_NO, CFG_CLIENT_CERT_ASK };
enum cfg_listener_tls { CFG_TLS_AUTO, CFG_TLS_OFF, CFG_TLS_REQUIRE };
enum cfg_accept { CFG_ACCEPT_USERS, CFG_ACCEPT_ANYONE };
enum cfg_relay_protocol { CFG_RELAY_SMTP, CFG_RELAY_LMTP };
enum cfg_tls_wish { CFG_WISH_NONE, CFG_WISH_MAY, CFG_WISH_REQUIRE, CFG_WISH_VERIFY, CFG_WISH_DANE };
enum cfg_users { CFG_USERS_BOTH, CFG_USERS_SYSTEM, CFG_USERS_VIRTUAL };

struct cfg {
	uint64_t generation; /* counts good (re)loads of this master */
	bool unprivileged;   /* master does not run as root: one uid for all */
	struct cfg_global global;
	struct cfg_master master;
	struct cfg_log log;
	struct cfg_smtpd smtpd;
	struct cfg_limits limits;
	struct cfg_auth auth;
	struct cfg_resolve resolve;
	struct cfg_queue queue;
	struct cfg_local local;
	struct cfg_remote remote;
	struct cfg_bounce bounce;
	struct cfg_spam spam;
	struct cfg_tls tls;
	struct vec listeners, domains, relays; /* of struct cfg_listener, cfg_domain, cfg_relay */
	struct vec rules;                      /* of struct cfg_rule, in the order of the file */
	struct cfg_raw *raw;                   /* where each value was set: file line and text, for messages and `postern config` */
};

extern const struct cfg_group cfg_groups[]; /* ends with owner NULL */

/* The i-th certificate to be used; false: there are no more. Without tls_certificates it is the one that smtpd makes for itself. */
struct cfg_cert {
	char chain[1024], key[1024]; /* key "": in the same file */
	bool own;
};
bool cfg_cert(const struct cfg *c, size_t i, struct cfg_cert *ret) MUST_CHECK;

/* One fault in the configuration. All are collected, so that an admin sees them at once. */
struct cfg_fault {
	unsigned line; /* 0: no line (a default, a missing thing) */
	bool warning;
	char text[400]; /* what is wrong and what would be right */
};

#define CFG_FILE_MAX (1024 * 1024)
/* Parses text. Always returns a struct cfg (defaults where faulty) or NULL when nothing can be made of it; faults are appended to
 * `faults` (of struct cfg_fault, bounded). Usable only when no fault is an error. */
struct cfg *cfg_parse(struct sv text, struct vec *faults);
struct cfg *cfg_load(const char *path, struct vec *faults, struct err *e); /* NULL: the file cannot be read */
size_t cfg_errors(const struct vec *faults);                               /* how many are not warnings */
void cfg_free(struct cfg *c);
/* The whole configuration in the file's own syntax: what a snapshot holds, and `postern config`. */
enum { CFG_PRINT_ALL, CFG_PRINT_CHANGED };
void cfg_print(const struct cfg *c, int what, struct buf *out);
/* Snapshot: `# generation N unprivileged yes|no` and cfg_print(ALL), in a sealed memfd. */
int cfg_snapshot(const struct cfg *c, struct err *e) MUST_CHECK; /* a descriptor, or -1 */
struct cfg *cfg_from_snapshot(int fd, struct err *e);            /* NULL on failure */
/* One value in the file's syntax; false: no such parameter. Section parameters: "listener.smtp.address". */
bool cfg_value_text(const struct cfg *c, const char *name, struct buf *out) MUST_CHECK;
const struct cfg_param *cfg_find(const char *name, const struct cfg_group **ret_group); /* a global parameter, or NULL */
const char *cfg_nearest(const char *name, const char *section); /* the valid name most like it, or NULL; section NULL: top level */
bool cfg_was_set(const struct cfg *c, const char *name, unsigned *ret_line); /* in the file, and where (`ret_line` may be NULL) */
/* Calls on() for each table that is named, in parameters and in the sections' rows; `section` is NULL at the top level. on()
 * returns false to stop, and then so does this. */
typedef bool cfg_on_table(
	const struct cfg_group *owner, const struct cfg_param *p, const char *section, const char *spec, void *arg);
bool cfg_each_table(const struct cfg *c, cfg_on_table *on, void *arg);
bool cfg_net_is_wide(const struct addr_net *net); /* much of the Internet: nobody's own network */
bool cfg_nets_has(const struct cfg_nets *nets, const struct addr *a);
const struct cfg_domain *cfg_domain(const struct cfg *c, struct sv domain); /* its section, or NULL */

#endif
