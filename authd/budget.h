/* budget - how much each account has sent in the present hour and day. In memory (and counters.h). */
#ifndef AUTHD_BUDGET_H
#define AUTHD_BUDGET_H

#include "config/cfg.h"
#include "ipc/msg_auth.h"

struct budgets;
struct budgets *budgets_new(const struct cfg_auth *cfg);
void budgets_free(struct budgets *b);
/* Grants and counts, or says what is used up. AUTH_FROZEN: it was refused so often that the caller shall freeze the account; from
 * then on the caller does not ask. An hour begins with the first message in it, and so does a day. */
enum auth_budget budget_spend(
	struct budgets *b, const char *account, uint64_t messages, uint64_t recipients, uint64_t now_secs, char text[200]);
/* For counters.h: one account more as a line; false: that was all. */
bool budget_save_next(const struct budgets *b, size_t *cursor, uint64_t now_secs, struct buf *out);
bool budget_load(struct budgets *b, struct sv line, uint64_t now_secs) MUST_CHECK; /* false: damaged */
void budget_forget(struct budgets *b, const char *account);                        /* after an unfreeze, or with the account */

#endif
