/* postern-smtpd - the SMTP server. */
#include "worker.h"

static void pool(const struct cfg *c, struct svc_pool *ret)
{
	*ret = (struct svc_pool){ .min = c->smtpd.smtpd_workers_min,
		.max = c->smtpd.smtpd_workers_max,
		.spare = c->smtpd.smtpd_workers_spare,
		.uses = c->smtpd.smtpd_worker_uses };
}

static bool worker_init(struct svc_ctx *ctx, struct err *e)
{
	(void)e;
	svc_set_data(ctx, worker_new(ctx));
	return true;
}

static const struct svc smtpd = {
	.name = "smtpd",
	.user = "postern-smtpd",
	.model = SVC_POOL,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_MEMFD,
	.pool = pool,
	.worker_init = worker_init,
	.serve = serve_client,
};

int main(int argc, char **argv) { return svc_main(&smtpd, argc, argv); }
