/* keys - certificates, and TLS for each listener: made by the leader while it may read them, shared by its workers. */
#ifndef SMTPD_KEYS_H
#define SMTPD_KEYS_H

#include "service/service.h"
#include "tls/tls.h"

struct keys {
	struct vec certs;   /* of struct tls_cert * */
	struct vec servers; /* of struct keys_server */
};
struct keys_server {
	const struct cfg_listener *listener;
	struct tls_server *tls;
};

/* A bad certificate does not stop the mail: what can be used is used, the rest is logged. But a leader that is to take the place of
 * a running one fails instead, so that the one with the good certificates stays. */
bool keys_load(struct keys *k, const struct svc_ctx *ctx, struct err *e) MUST_CHECK;
struct tls_server *keys_for(const struct keys *k, const struct cfg_listener *l); /* NULL: no TLS there */

#endif
