/* counters - failures and budgets in a file, so that neither a reload nor a restart gives an account, or who attacks it, a fresh
 * start.
 *
 * state_directory/auth/counters: a line for each entry, in Unix time, of at most as many as are in memory. Written at the end, at a
 * reload and once a minute when something was counted, by who holds the user data base. It is no record of anything: a lost one
 * costs a minute of counting, a damaged line is left out, and it is not worth an fsync. */
#ifndef AUTHD_COUNTERS_H
#define AUTHD_COUNTERS_H

#include "budget.h"
#include "throttle.h"

#define COUNTERS_EVERY_MS 60000

bool counters_save(int dirfd, const struct throttle *t, const struct budgets *b, struct throttle_now now, struct err *e) MUST_CHECK;
/* Joins what the file has to what is known. *ret_damaged: lines left out. No file is fine. */
bool counters_load(
	int dirfd, struct throttle *t, struct budgets *b, struct throttle_now now, uint64_t *ret_damaged, struct err *e) MUST_CHECK;

#endif
