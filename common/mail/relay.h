/* relay - which [relay] section a message for a domain takes. */
#ifndef MAIL_RELAY_H
#define MAIL_RELAY_H

#include "config/cfg.h"
#include "mail/maddr.h"

/* NULL: none, so the domain's own mail exchangers. `sender` NULL: not to be believed, so that no section with `senders` is his. */
const struct cfg_relay *relay_find(const struct cfg *cfg, const struct maddr *sender, const char *domain);

#endif
