/* postern-resolve: says who a recipient is. */
#include "serve.h"

static const struct svc resolve = {
	.name = "resolve",
	.user = "postern-resolve",
	.model = SVC_LOOP,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES | SB_FORK | SB_NSS, /* name services load what they like */
	.pre_drop = resolve_pre_drop,
	.start = resolve_start,
	.drain = resolve_drain,
	.report = resolve_report,
};

int main(int argc, char **argv) { return svc_main(&resolve, argc, argv); }
