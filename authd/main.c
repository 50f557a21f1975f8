/* postern-authd - says who a client is, and how much it may still send. */
#include "server.h"

static const struct svc authd = {
	.name = "authd",
	.user = "postern-auth",
	.model = SVC_LOOP,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES | SB_FORK,
	.pre_drop = authd_pre_drop,
	.start = authd_start,
	.drain = authd_drain,
	.report = authd_report,
};

int main(int argc, char **argv) { return svc_main(&authd, argc, argv); }
