/* postern-spamcheck: says of a message whether it is spam. */
#include "serve.h"

static const struct svc spamcheck = {
	.name = "spamcheck",
	.user = "postern-spam",
	.model = SVC_POOL,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES,
	.pool = spamcheck_pool,
	.pre_drop = spamcheck_pre_drop,
	.serve = spamcheck_serve,
};

int main(int argc, char **argv) { return svc_main(&spamcheck, argc, argv); }
