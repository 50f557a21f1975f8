/* digest - which message this is, for the classifier: the same for a copy that other hosts, a mailbox or a mail reader put header
 * fields on. */
#ifndef SPAMCHECK_DIGEST_H
#define SPAMCHECK_DIGEST_H

#include "bayes_db.h"
#include "headers.h"

void digest_message(struct sv msg, const struct headers *h, struct bayes_digest *ret);

#endif
