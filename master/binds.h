/* binds - the listening sockets. Unix ones stay for master's life; TCP ones follow the configuration.
 *
 * They are bound here and stay open across restarts of the daemons: a client waits in the backlog and is not refused. */
#ifndef MASTER_BINDS_H
#define MASTER_BINDS_H

#include "base/vec.h"
#include "config/cfg.h"

#define BIND_NAME_MAX 63

struct bind_tcp {
	struct addr at;
	char section[BIND_NAME_MAX + 1]; /* [listener NAME] */
	int fd;
	bool kept; /* taken over from the vector before */
};

struct binds {
	int rundir;    /* locked */
	int *unix_fds; /* in the order of svc_endpoints; -1: closed */
	size_t n_unix;
	size_t activated; /* index + 1 of the endpoint that systemd bound for us; 0: none */
	struct vec tcp;   /* of struct bind_tcp */
};

/* rundir is taken. All endpoints of the catalog; modes and groups as there, or 0600 when unprivileged. */
bool binds_open_unix(struct binds *b, int rundir, const struct cfg *cfg, struct err *e) MUST_CHECK;
/* A vector for the configuration: sockets of `old` are reused, others bound, trying for wait_ms while a port is taken. On failure
 * nothing has changed. */
bool binds_open_tcp(const struct cfg *cfg, const struct vec *old, uint64_t wait_ms, struct vec *ret_new, struct err *e) MUST_CHECK;
/* Closes what `v` has and `kept_in` has not (NULL: everything), and frees it. */
void binds_drop_tcp(struct vec *v, const struct vec *kept_in);
void binds_log(const struct binds *b); /* `listening` for each TCP socket that is new */
/* Nobody can come in any more; who is inside may finish. */
void binds_close_service(struct binds *b, const char *service);
void binds_close(struct binds *b); /* also removes the Unix sockets */

#endif
