/* reporter - sends a domain its report, in a child of a keeper (web.h): by mail through our own submission socket, or by HTTPS. */
#ifndef TLS_POLICY_REPORTER_H
#define TLS_POLICY_REPORTER_H

#include "ipc/msg_tls.h"

/* For struct keeper_options: struct report_ask in, struct report_answer out; `arg` is a struct web_setup. */
void reporter_judge(const void *q, const void *arg, void *ret);
void reporter_broken(void *ret, const char *why);

#endif
