/* Parameters of authd, and those of smtpd that have to do with who a client is. */
/* clang-format off */
#include "config/own.h"

static const char *const sender_ownerships[] = { "off", "envelope", "header", NULL };
const struct cfg_param cfg_auth_params[] = {
	CFG_LIST(struct cfg_auth, auth_mechanisms, "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL", 10, "SASL mechanisms offered. SCRAM needs an entry made by `postern user`: system users that have none can only use PLAIN and LOGIN, and while nobody has one it is not shown."),
	CFG_BOOL(struct cfg_auth, smtp_auth, "no", "Offer AUTH to clients of listeners with protocol smtp (port 25) too, not only on submission ports."),
	CFG_STR(struct cfg_auth, pam_service, "postern", 64, "PAM service that checks the passwords of system users, from min_uid on. Empty: only users made with `postern user` can log in. Always off when Postern does not run as root."),
	CFG_SECS(struct cfg_auth, pam_timeout, "10s", 1, 120, "How long a check of a password may take; then its process is killed and the client is asked to come again."),
	CFG_UINT(struct cfg_auth, auth_helpers, "4", 1, 64, "Passwords checked at once by PAM, and as many by hash."),
	CFG_SECS(struct cfg_auth, auth_failure_delay, "1s", 0, 30, "A failed authentication is answered after this time. It doubles with each further failure, up to eight times. It should be longer than a check of a password takes (PAM with a slow directory): otherwise the time tells which names are known, and 0s always does."),
	CFG_UINT(struct cfg_auth, auth_failures_max, "10", 1, 10000, "After so many failures for one account from networks it was not used from before, or five times as many from one network (/24, /64), further attempts are refused for auth_lock_time."),
	CFG_SECS(struct cfg_auth, auth_lock_time, "15m", 1, 604800, "How long, and how long failures are remembered."),
	CFG_ENUM(struct cfg_auth, sender_ownership, "envelope", sender_ownerships, "Authenticated clients may use only sender addresses of their own. off: any. envelope: MAIL FROM is checked. header: From in the message too."),
	CFG_TABLE(struct cfg_auth, sender_logins, "", "Whose a sender address is: `user@domain`, `@domain` or `user` (of a local domain) to one or more accounts. An address that is not in it belongs to the account of the same name; user+detail to that of user."),
	CFG_BOOL(struct cfg_auth, hide_client, "yes", "Leave the address of authenticated clients out of the Received line: where users are is nobody's business. The log has it."),
	CFG_UINT(struct cfg_auth, account_messages_per_hour, "200", 0, 1000000000, "Messages that an account may send in an hour; more get 450. 0: any number. The same for those below."),
	CFG_UINT(struct cfg_auth, account_messages_per_day, "1000", 0, 1000000000, "Messages that an account may send in a day."),
	CFG_UINT(struct cfg_auth, account_recipients_per_hour, "1000", 0, 1000000000, "Recipients of an account's messages in an hour."),
	CFG_UINT(struct cfg_auth, account_recipients_per_day, "5000", 0, 1000000000, "Recipients of an account's messages in a day."),
	CFG_UINT(struct cfg_auth, account_freeze_after, "100", 0, 1000000000, "An account that is refused so often in a day because it has used up its budget is frozen: it can send nothing until `postern user unfreeze`. 0: never."),
	CFG_END
};
