/* postern-smtpd - the SMTP server. */
#include "worker.h"

static void pool(const struct cfg *c, struct svc_pool *ret)
{
	const struct cfg_smtpd *s = &c->smtpd;
	*ret = (struct svc_pool){ s->smtpd_workers_min + 1, s->smtpd_workers_max + 1, s->smtpd_workers_spare + 1,
		s->smtpd_worker_uses };
}

/* The + 1 above. When strangers hold all other workers, bounces must still get in, or a full queue could never drain (DESIGN D5),
 * and so must this machine's programs. Not so another mail system, which can bring any number of connections. */
static bool reserved(const struct svc_listener *l) { return !l->tcp && strcmp(l->name, "smtpd.lmtp") != 0; }

static bool pre_drop(struct svc_ctx *ctx, struct err *e)
{
	struct leader *l = mem_new(sizeof *l);
	svc_set_data(ctx, l);
	l->limits = limits_new(e);
	return l->limits && keys_load(&l->keys, ctx, e);
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
	.reserved = reserved,
	.turns_out = true,
	.pre_drop = pre_drop,
	.worker_init = worker_init,
	.serve = serve_client,
};

int main(int argc, char **argv) { return svc_main(&smtpd, argc, argv); }
