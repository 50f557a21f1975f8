/* saslprep - names and passwords in the one form that RFC 4013 gives them: two keyboards, or a telephone and a computer, write the
 * same password in different bytes. Characters that Unicode has had since 3.2 alone (emoji) pass as they are. */
#ifndef SMTP_SASLPREP_H
#define SMTP_SASLPREP_H

#include "base/err.h"
#include "base/sv.h"

/* ERR_PERM: not UTF-8, a character that is prohibited (control characters among them), right-to-left text mixed with other, nothing
 * left, or no room. `dst` holds a secret then, too, if `text` is one. */
bool saslprep(struct sv text, char *dst, size_t size, struct err *e) MUST_CHECK;

#endif
