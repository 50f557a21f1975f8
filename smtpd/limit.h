/* limit - how often something may happen per minute, counted by all smtpd processes together.
 *
 * Each (who, what) is one 64-bit number in memory that the workers share: the moment up to which the rate is used up (the generic
 * cell rate algorithm, as in ITU-T I.371). It changes by compare-and-swap alone, so a worker that is killed leaves nothing to
 * mend. The table has a fixed size; where it is full, who was quiet longest is forgotten. */
#ifndef SMTPD_LIMIT_H
#define SMTPD_LIMIT_H

#include "base/err.h"
#include "base/log.h"
#include "net/addr.h"

enum limit_kind { LIMIT_CONNECTIONS, LIMIT_MESSAGES, LIMIT_RECIPIENTS, LIMIT_TLS, LIMIT_ERRORS, LIMIT_KINDS };

struct limits;
struct limits *limits_new(struct err *e); /* by the leader, before it forks; NULL on failure */

/* Who is counted. 0: nobody. */
uint64_t limits_client(const struct limits *l, const struct addr *a);  /* an IPv4 address, an IPv6 /64 */
uint64_t limits_network(const struct limits *l, const struct addr *a); /* an IPv4 /24, an IPv6 /48 */
uint64_t limits_account(const struct limits *l, const char *account);

/* Takes n out of per_minute (0: no limit). false: that much is not left, and nothing was taken. */
bool limits_take(struct limits *l, uint64_t who, enum limit_kind what, uint64_t per_minute, uint64_t n, uint64_t now_ms);
struct log_rate *limits_log(struct limits *l); /* for lines that a program of this machine can cause without end */
/* A fact that is remembered for a time, as far as there is room: this client waited for our greeting. */
void limits_remember(struct limits *l, uint64_t who, uint64_t until_ms, uint64_t now_ms);
bool limits_remembered(const struct limits *l, uint64_t who, uint64_t now_ms);

#endif
