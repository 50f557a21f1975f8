/* postern-queue-mgr - owns the spool: lends files, schedules, hands out, retires. DESIGN sections 2 and 3, docs/QUEUE.md. */
#include "daemon.h"

#include <stdio.h>

static const struct svc queue_mgr = {
	.name = "queue-mgr",
	.model = SVC_LOOP,
	.user = "postern-queue",
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES | SB_FORK,
	.pre_drop = daemon_pre_drop,
	.start = daemon_start,
	.drain = daemon_drain,
	.report = daemon_report,
};

int main(int argc, char **argv) { return svc_main(&queue_mgr, argc, argv); }
