/* fetch - asks DNS and web servers what a domain demands: in a child of a keeper, which has no rights but to talk to them. */
#ifndef TLS_POLICY_FETCH_H
#define TLS_POLICY_FETCH_H

#include "config/cfg.h"
#include "ipc/msg_tls.h"
#include "service/keeper.h"

#define FETCH_TIMEOUT_MS 60000 /* RFC 8461 3.3: a minute */

struct fetch_setup;
/* Reads the certificates of CAs. ERR_PERM: they cannot be read. */
struct fetch_setup *fetch_setup_new(const struct cfg *cfg, const char *user, struct err *e);
void fetch_setup_free(struct fetch_setup *s); /* NULL is fine */

/* For struct keeper_options; `arg` is the setup. */
void fetch_judge(const void *q, const void *arg, void *ret);
void fetch_broken(void *ret, const char *why);
bool fetch_confine(const void *arg, struct err *e);

#endif
