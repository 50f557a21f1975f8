#include "logd.h"

static const struct svc logd = {
	.name = "logd",
	.user = "postern-log",
	.model = SVC_LOOP,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES,
	.pre_drop = logd_open,
	.start = logd_start,
	.drain = logd_drain,
	.reopen = logd_reopen,
	.report = logd_report,
};

int main(int argc, char **argv) { return svc_main(&logd, argc, argv); }
