/* remote-delivery: gives messages to other hosts. See README.md and postern-remote-delivery(8). */
#include "worker.h"

static void pool(const struct cfg *cfg, struct svc_pool *ret)
{
	*ret = (struct svc_pool){ cfg->remote.remote_workers_min, cfg->remote.remote_workers_max, cfg->remote.remote_workers_spare,
		cfg->remote.remote_worker_uses };
}

static const struct svc remote_delivery = {
	.name = "remote-delivery",
	.user = "postern-remote",
	.model = SVC_POOL,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_INET,
	.pool = pool,
	.pre_drop = worker_open,
	.worker_init = worker_init,
	.serve = worker_serve,
};

int main(int argc, char **argv) { return svc_main(&remote_delivery, argc, argv); }
