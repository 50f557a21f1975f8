/* verdict - from findings to an answer: the header lines, the verdict by the configured scores, words for log and client. Pure. */
#ifndef SPAMCHECK_VERDICT_H
#define SPAMCHECK_VERDICT_H

#include "config/cfg.h"
#include "ipc/msg_spam.h"
#include "rules.h"

void verdict_make(const struct cfg_spam *cfg, const struct findings *f, struct spam_res *ret);
/* The check itself failed: what the configuration says for that. */
void verdict_failed(const struct cfg_spam *cfg, struct spam_res *ret);

#endif
