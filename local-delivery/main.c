/* local-delivery: puts messages into Maildirs. See README.md and postern-local-delivery(8). */
#include "worker.h"

#include "service/service.h"

#include <linux/capability.h>

#define CAP(c) (UINT64_C(1) << (c))

static void pool(const struct cfg *cfg, struct svc_pool *ret)
{
	*ret = (struct svc_pool){ cfg->local.local_workers_min, cfg->local.local_workers_max, cfg->local.local_workers_spare,
		cfg->local.local_worker_uses };
}

static const struct svc local_delivery = {
	.name = "local-delivery",
	.user = NULL, /* the root half; each copy is written by a child that has become the user */
	.model = SVC_POOL,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES | SB_FORK | SB_IDS,
	.caps = CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_KILL),
	.pool = pool,
	.pre_drop = worker_open,
	.worker_init = worker_init,
	.serve = worker_serve,
};

int main(int argc, char **argv) { return svc_main(&local_delivery, argc, argv); }
