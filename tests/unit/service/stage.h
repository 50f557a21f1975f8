/* stage - a service run for a test: the test is its master and its clients. */
#ifndef UNIT_SERVICE_STAGE_H
#define UNIT_SERVICE_STAGE_H

#include "ipc/msg_control.h"
#include "service/service.h"

struct stage {
	char dir[32]; /* runtime_directory with the socket NAME.test */
	int dirfd;
	int listener, chan;
	pid_t pid; /* of the leader, which leads a process group */
	char endpoint[32];
	int type;
};

/* Unprivileged, with `conf` as its configuration; one listening socket, "<service>.test" (SOCK_STREAM), for
 * logd its own. */
void stage_start(struct stage *s, const struct svc *svc, const char *conf);
bool stage_ready(struct stage *s, struct leader_ready *ret);
void stage_order(struct stage *s, enum leader_order order);
struct leader_load stage_load(struct stage *s);
int stage_connect(struct stage *s);
bool stage_ended(struct stage *s, uint64_t wait_ms, int *ret_status); /* the leader; reaped then */
bool stage_alone(struct stage *s, uint64_t wait_ms);                  /* no process of its group is left */
void stage_end(struct stage *s);                                      /* whatever still runs is killed */

#endif
