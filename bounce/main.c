/* bounce: writes delivery reports and submits them like any mail. See README.md and postern-bounce(8). */
#include "worker.h"

#define USES_MAX 1000

static void pool(const struct cfg *cfg, struct svc_pool *ret)
{
	*ret = (struct svc_pool){ .min = 1, .max = cfg->bounce.bounce_workers_max, .spare = 1, .uses = USES_MAX };
}

static const struct svc bounce = {
	.name = "bounce",
	.user = "postern-bounce",
	.model = SVC_POOL,
	.sandbox = SB_STDIO | SB_SOCKETS,
	.pool = pool,
	.serve = bounce_serve,
};

int main(int argc, char **argv) { return svc_main(&bounce, argc, argv); }
