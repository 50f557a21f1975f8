/* passwords - of [relay] sections with a `user`, by the sections' names. */
#ifndef REMOTE_PASSWORDS_H
#define REMOTE_PASSWORDS_H

#include "base/err.h"
#include "config/cfg.h"

#define PASSWORD_MAX 255 /* RFC 4616 2 */

struct passwords;
/* Reads relay_password_file, which is root's alone, so before rights are dropped. ERR_PERM: the text says what is wrong with it, or
 * which section with a user has no line. NULL on failure. */
struct passwords *passwords_load(const struct cfg *cfg, struct err *e);
void passwords_free(struct passwords *p); /* wiped */
/* "" none. A view into p. */
struct sv password_of(const struct passwords *p, const char *section);

#endif
