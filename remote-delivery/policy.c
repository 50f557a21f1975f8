#include "policy.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/msg_tls.h"

#define CONNECT_MS 3000 /* tls-policy may be starting anew */

struct policy_source {
	struct svc_ctx *ctx;
	int fd; /* -1: not connected */
};

struct policy_source *policy_open(struct svc_ctx *ctx)
{
	struct policy_source *s = mem_new(sizeof *s);
	*s = (struct policy_source){ .ctx = ctx, .fd = -1 };
	return s;
}

void policy_close(struct policy_source *s)
{
	if (s)
		fd_close(&s->fd);
	free(s);
}

static bool ask(struct policy_source *s, const struct sts_ask *q, uint64_t deadline_ms, struct sts_answer *ret, struct err *e)
{
	uint64_t now = clock_mono_ms(), left = deadline_ms > now ? MIN(deadline_ms - now, STS_ASK_MS) : 0;
	if (s->fd < 0 && !svc_connect(s->ctx, "tls-policy.remote-delivery", MIN(left, CONNECT_MS), &s->fd, e))
		return false;
	if (ipc_call(s->fd, &sts_ask_desc, q, &sts_answer_desc, ret, left, e))
		return true;
	fd_close(&s->fd); /* a late answer must not be taken for that to the next question */
	return false;
}

/* One that was reloaded since the last question has closed the channel: once more. */
void policy_find(struct policy_source *s, const char *domain, uint64_t deadline_ms, struct sts_policy *ret)
{
	struct sts_ask q;
	struct sts_answer a;
	struct err e;
	*ret = (struct sts_policy){ .mode = STS_NONE };
	if (!s || !sv_copy(sv_of(domain), q.domain, sizeof q.domain))
		return;
	bool kept = s->fd >= 0, known = ask(s, &q, deadline_ms, &a, &e);
	if (!known && kept)
		known = ask(s, &q, deadline_ms, &a, &e);
	if (!known) {
		LOG_WARN("policy-unknown", KV_STR("domain", domain), KV_ERR(&e));
		return;
	}
	ret->mode = (enum sts_mode)a.mode;
	ret->max_age = a.max_age;
	BUG_IF(!sv_copy(sv_of(a.mx), ret->mx, sizeof ret->mx));
}

/* Statistics: what cannot be told at once is lost. */
void policy_report(struct policy_source *s, const struct tls_attempt *t)
{
	struct tls_fact f = { .policy = t->policy, .result = t->result };
	if (!s || !svc_cfg(s->ctx)->remote.tls_reports)
		return;
	snprintf(f.domain, sizeof f.domain, "%s", t->domain);
	snprintf(f.mx, sizeof f.mx, "%s", t->mx);
	snprintf(f.hello, sizeof f.hello, "%s", t->hello);
	snprintf(f.tlsa, sizeof f.tlsa, "%s", t->tlsa);
	snprintf(f.reason, sizeof f.reason, "%s", t->reason);
	if (t->from.family)
		addr_text(&t->from, f.from);
	if (t->to.family)
		addr_text(&t->to, f.to);
	if ((s->fd >= 0 || svc_connect(s->ctx, "tls-policy.remote-delivery", 0, &s->fd, NULL)) &&
		!ipc_send(s->fd, &tls_fact_desc, &f, 0, NULL))
		fd_close(&s->fd);
}
