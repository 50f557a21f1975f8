/* client - who has connected: by socket, by the kernel's word for local programs, by a balancer's word for its clients. */
#ifndef SMTPD_CLIENT_H
#define SMTPD_CLIENT_H

#include "worker.h"

/* false: a balancer did not say who its client is; logged, hang up. *ret is set in any case. */
bool client_know(struct worker *w, const struct svc_client *client, struct session_client *ret) MUST_CHECK;

#endif
