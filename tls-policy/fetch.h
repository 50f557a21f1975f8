/* fetch - a domain's policy, from DNS and its web server: in a child of a keeper (web.h). */
#ifndef TLS_POLICY_FETCH_H
#define TLS_POLICY_FETCH_H

#include "ipc/msg_tls.h"

/* For struct keeper_options: struct fetch_ask in, struct fetch_answer out; `arg` is a struct web_setup. */
void fetch_judge(const void *q, const void *arg, void *ret);
void fetch_broken(void *ret, const char *why);

#endif
