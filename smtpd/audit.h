/* audit - with `audit = yes` one log line for each command and what it was answered. Never in it: passwords and other secrets (the
 * arguments of AUTH, whatever is no command of ours), and the content of messages. */
#ifndef SMTPD_AUDIT_H
#define SMTPD_AUDIT_H

#include "session.h"

/* `command`: a line without its end, as it came. `said`: the replies it got; empty when they come later. */
void audit_command(const struct session *s, struct sv command, struct sv said);
/* What was said to something else than a command: "(greeting)", "(content)", ... */
void audit_event(const struct session *s, const char *what, struct sv said);

#endif
