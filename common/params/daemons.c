/* Parameters of the daemons, a table for each owner. */
/* clang-format off */
#include "config/own.h"

static const char *const bare_newline[] = { "reject", "accept", NULL };
const struct cfg_param cfg_smtpd_params[] = {
	CFG_UINT(struct cfg_smtpd, smtpd_workers_min, "2", 1, 10000, "SMTP server processes that always exist."),
	CFG_UINT(struct cfg_smtpd, smtpd_workers_max, "200", 1, 10000, "Most SMTP server processes, hence clients at once. When all are busy, strangers that do nothing have to go."),
	CFG_UINT(struct cfg_smtpd, smtpd_workers_spare, "2", 1, 1000, "Idle processes kept ready for the next client."),
	CFG_UINT(struct cfg_smtpd, smtpd_worker_uses, "1000", 1, 1000000, "A process ends after this many clients."),
	CFG_SECS(struct cfg_smtpd, command_timeout, "5m", 1, 3600, "How long a client may take to send its next command (RFC 5321 4.5.3.2.7: at least 5 minutes)."),
	CFG_SECS(struct cfg_smtpd, data_timeout, "3m", 1, 3600, "How long a client may pause within a message."),
	CFG_SECS(struct cfg_smtpd, session_timeout, "4h", 1, 604800, "Longest session, however busy."),
	CFG_UINT(struct cfg_smtpd, line_max, "2048", 512, 65536, "Longest command line in bytes, CRLF included (RFC 5321 4.5.3.1.4: at least 512)."),
	CFG_UINT(struct cfg_smtpd, recipients_max, "1000", 100, 50000, "Most recipients of one message (RFC 5321 4.5.3.1.8: at least 100)."),
	CFG_UINT(struct cfg_smtpd, received_max, "50", 10, 1000, "A message with more Received lines is in a loop and is refused."),
	CFG_BOOL(struct cfg_smtpd, reverse_dns, "yes", "Look up the names of clients, for `ptr` in rules, Received lines and the log. A name counts only if it leads back to the address. The greeting never waits for it."),
	CFG_SECS(struct cfg_smtpd, reverse_dns_timeout, "2s", 1, 30, "How long after a client's connection its name may come; then it is `tempfail` to rules."),
	CFG_UINT(struct cfg_smtpd, errors_soft, "5", 1, 1000, "After this many errors each further one is answered with a delay."),
	CFG_UINT(struct cfg_smtpd, errors_max, "20", 1, 1000, "After this many errors the connection is closed."),
	CFG_SECS(struct cfg_smtpd, error_delay, "1s", 0, 60, "The delay (tarpit)."),
	CFG_UINT(struct cfg_smtpd, connections_per_client_max, "50", 1, 100000, "Connections at once from one client address, and to the submission socket from one user. Trusted networks and root have no limit."),
	CFG_UINT(struct cfg_smtpd, alias_expansion_max, "10000", 100, 100000, "Most addresses that the recipients of one message may become through aliases."),
	CFG_STR(struct cfg_smtpd, banner, "", 200, "Text after the host name in the greeting."),
	CFG_SECS(struct cfg_smtpd, future_release_max, "30d", 0, 31536000, "Senders who may relay can ask that a message be held for so long at most (FUTURERELEASE, RFC 4865). 0: nobody can."),
	CFG_BOOL(struct cfg_smtpd, audit, "no", "Log every command of every client and what it was answered. Passwords, other secrets of AUTH and the content of messages are left out."),
	CFG_ENUM(struct cfg_smtpd, bare_newline, "reject", bare_newline, "What to do with a message that holds a CR or LF alone: refuse it, or take a lone LF for a line end within the text. Neither ends a message in any case."),
	CFG_SECS(struct cfg_smtpd, lend_timeout, "10s", 1, 300, "How long to wait for room in the queue before a message is answered with 452."),
	CFG_END
};

const struct cfg_param cfg_resolve_params[] = {
	CFG_TABLE(struct cfg_resolve, aliases, "text:/etc/aliases", "Aliases: name to one or more addresses."),
	CFG_TABLE(struct cfg_resolve, virtual_mailboxes, "", "Address to mailbox: `user@domain  path [uid:gid]`; path is relative to virtual_base."),
	CFG_BOOL(struct cfg_resolve, system_users, "yes", "Users of this system get mail in their home. Always off when Postern does not run as root."),
	CFG_SECS(struct cfg_resolve, nss_timeout, "10s", 1, 120, "How long a look-up of a system user may take."),
	CFG_UINT(struct cfg_resolve, nss_helpers, "2", 1, 64, "Look-ups of system users at once."),
	CFG_SECS(struct cfg_resolve, resolve_cache, "5s", 0, 300, "How long an answer about a system user is remembered."),
	CFG_END
};

static const char *const queue_syncs[] = { "auto", "name-first", "strict", NULL };
static const char *const bounce_strangers[] = { "send", "hold", NULL };
const struct cfg_param cfg_queue_params[] = {
	CFG_SECS(struct cfg_queue, retry_min, "5m", 1, 86400, "Pause before the second attempt; it doubles from then on."),
	CFG_SECS(struct cfg_queue, retry_max, "1h", 1, 604800, "Longest pause between attempts."),
	CFG_SECS(struct cfg_queue, queue_lifetime, "5d", 0, 31536000, "A message that could not be delivered for so long is returned."),
	CFG_SECS(struct cfg_queue, bounce_lifetime, "2d", 0, 31536000, "The same for bounces."),
	CFG_SECS(struct cfg_queue, delay_warning, "4h", 0, 31536000, "The sender is told once that a message is delayed. 0: never."),
	CFG_UINT(struct cfg_queue, queue_active_max, "1000", 10, 100000, "Messages in delivery at once."),
	CFG_UINT(struct cfg_queue, destination_connections_max, "20", 1, 1000, "Most connections to one domain at once. It begins with fewer and gets more while deliveries succeed."),
	CFG_UINT(struct cfg_queue, destination_rate, "0", 0, 1000000, "Most messages to one domain in a minute, evenly spread. 0: no limit but what the domain itself asks for."),
	CFG_UINT(struct cfg_queue, local_slots, "8", 1, 1000, "Local deliveries at once."),
	CFG_SIZE(struct cfg_queue, queue_free_min, "128M", 0, (int64_t)1 << 40, "With less space free on the queue's file system new mail gets 452."),
	CFG_UINT(struct cfg_queue, queue_free_inodes_min, "2000", 0, 1000000000, "The same for inodes."),
	CFG_UINT(struct cfg_queue, queue_io_helpers, "2", 1, 32, "Processes that do the slow work on queue files."),
	CFG_ENUM(struct cfg_queue, queue_sync, "auto", queue_syncs, "How a queue file gets a name that a power failure leaves: `name-first` (created, written, one fsync) is what ext4, xfs and btrfs keep; `strict` syncs the directory too. `auto` knows the file system; force name-first for tests alone."),
	CFG_ENUM(struct cfg_queue, bounce_strangers, "send", bounce_strangers, "A message of an unauthenticated stranger that cannot be delivered: return it, or hold it and tell the postmaster."),
	CFG_UINT(struct cfg_queue, bounce_strangers_rate, "100", 0, 1000000, "Most reports to strangers in an hour: a flood of forged mail becomes no flood of reports to people who wrote nothing. Beyond it their undeliverable messages are held, and the postmaster is told of the first. Warnings of delays and reports of success, which they may ask for, are counted apart, and left out beyond it. 0: no limit."),
	CFG_BOOL(struct cfg_queue, double_bounce_postmaster, "no", "Tell the postmaster about bounces that cannot be delivered."),
	CFG_END
};

static const char *const deliveries[] = { "auto", "rename", "copy", NULL };
const struct cfg_param cfg_local_params[] = {
	CFG_UINT(struct cfg_local, local_workers_min, "1", 1, 1000, "Delivery processes that always exist."),
	CFG_UINT(struct cfg_local, local_workers_max, "20", 1, 1000, "Most delivery processes."),
	CFG_UINT(struct cfg_local, local_workers_spare, "1", 1, 100, "Idle delivery processes kept ready."),
	CFG_UINT(struct cfg_local, local_worker_uses, "1000", 1, 1000000, "A process ends after serving this many of queue-mgr's channels."),
	CFG_SECS(struct cfg_local, local_timeout, "5m", 1, 3600, "Longest time for one delivery."),
	CFG_STR(struct cfg_local, maildir, "Maildir", 255, "The Maildir of a system user, relative to the home."),
	CFG_BOOL(struct cfg_local, dot_forward, "yes", "Follow a system user's ~/.forward, postern-forward(5). no: it is not looked at, and mail goes into the Maildir."),
	CFG_ENUM(struct cfg_local, delivery, "auto", deliveries, "How a message reaches a Maildir: by rename where that is possible, or always by copy. `rename` defers what cannot be renamed (for tests)."),
	CFG_END
};

static const char *const languages[] = { "auto", "en", "de", "fr", NULL };
const struct cfg_param cfg_bounce_params[] = {
	CFG_UINT(struct cfg_bounce, bounce_workers_max, "2", 1, 100, "Most processes that write delivery reports."),
	CFG_SIZE(struct cfg_bounce, bounce_full_max, "50K", 0, 1 << 30, "Messages up to this size are returned whole, of longer ones the header, unless the sender asked for one or the other (RFC 3461 RET)."),
	CFG_ENUM(struct cfg_bounce, bounce_language, "auto", languages, "The language of reports for people. auto: that of the message's Accept-Language or Content-Language field if it is one of these, else English."),
	CFG_END
};

static const char *const spam_actions[] = { "off", "mark", "reject", NULL };
static const char *const spam_failures[] = { "tempfail", "accept", NULL };
const struct cfg_param cfg_spam_params[] = {
	CFG_UINT(struct cfg_spam, spam_workers_min, "1", 1, 1000, "Content check processes that always exist."),
	CFG_UINT(struct cfg_spam, spam_workers_max, "20", 1, 1000, "Most content check processes."),
	CFG_UINT(struct cfg_spam, spam_workers_spare, "1", 1, 100, "Idle content check processes kept ready."),
	CFG_UINT(struct cfg_spam, spam_worker_uses, "1000", 1, 1000000, "A process ends after this many messages."),
	CFG_SECS(struct cfg_spam, spam_timeout, "30s", 1, 600, "Longest time for one check."),
	CFG_ENUM(struct cfg_spam, spam_action, "reject", spam_actions, "off: no content check. mark: headers only. reject: refuse from spam_reject_score on, mark below."),
	CFG_ENUM(struct cfg_spam, spam_failure, "tempfail", spam_failures, "When the content check does not answer: ask the client to come again, or accept unchecked."),
	CFG_SCORE(struct cfg_spam, spam_mark_score, "5", -100000, 100000, "Messages are marked as spam from this score on."),
	CFG_SCORE(struct cfg_spam, spam_reject_score, "15", -100000, 100000, "Messages are refused from this score on, if spam_action is reject."),
	CFG_BOOL(struct cfg_spam, spam_bayes, "yes", "Use the classifier that `postern spam learn` trains."),
	CFG_END
};

static const char *const protocols[] = { "smtp", "submission", "submissions", "lmtp", NULL };
static const char *const listener_tls[] = { "auto", "off", "require", NULL };
const struct cfg_param cfg_listener_params[] = {
	CFG_LIST(struct cfg_listener, address, "", 100, "Addresses and ports to listen on: 192.0.2.1:25, [2001:db8::1]:25, or *:25 for all of both families."),
	CFG_ENUM(struct cfg_listener, protocol, "smtp", protocols, "What is spoken there."),
	CFG_ENUM(struct cfg_listener, tls, "auto", listener_tls, "auto: TLS is offered when there is a certificate. off: never. require: a sender must use it. Always so where the protocol is submissions."),
	CFG_NETS(struct cfg_listener, proxy, "", 1000, "Balancers that speak the PROXY protocol (version 1 or 2) there and say who their client is. They must; others are taken for what their address says."),
	CFG_NETS(struct cfg_listener, xclient, "", 1000, "Clients that may say with XCLIENT who their own client is, and who has authenticated with them: a filter or proxy of your own."),
	CFG_END
};

static const char *const users[] = { "both", "system", "virtual", NULL };
const struct cfg_param cfg_domain_params[] = {
	CFG_ENUM(struct cfg_domain, users, "both", users, "Who has mailboxes in this domain: system users, those of virtual_mailboxes, or both."),
	CFG_STR(struct cfg_domain, catch_all, "", 320, "Address that gets the mail for unknown users of this domain. Empty: they are refused."),
	CFG_END
};
