#include "service/late.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define TOTAL_MS 60000
#define PAUSE_MS 200

static bool report_once(struct svc_ctx *ctx, const char *endpoint, const struct deliver_res *res, struct err *e)
{
	struct deliver_ack heard;
	int fd = -1;
	bool ok = svc_connect(ctx, endpoint, PAUSE_MS, &fd, e) && ipc_send(fd, &deliver_res_desc, res, LATE_ANSWER_MS, e) &&
		  ipc_recv_msg(fd, &deliver_ack_desc, &heard, LATE_ANSWER_MS, e); /* sent is not heard */
	fd_close(&fd);
	return ok;
}

void late_report(struct svc_ctx *ctx, const char *endpoint, const struct deliver_res *res, const struct err *why)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	uint64_t until = clock_mono_ms() + TOTAL_MS;
	struct err e;
	bool ok = report_once(ctx, endpoint, res, &e);
	while (!ok && clock_mono_ms() < until && !svc_ending(ctx)) {
		nanosleep(&pause, NULL);
		ok = report_once(ctx, endpoint, res, &e);
	}
	if (ok)
		LOG_WARN("late-report", KV_QID(res->id), KV_U64("status", res->status), KV_ERR(why));
	else
		LOG_WARN("report-lost", KV_QID(res->id), KV_U64("status", res->status), KV_ERR(&e));
}

/* --- answers that were sent --- */
struct answer {
	struct deliver_res res;
	int file;
};

void late_unheard_init(struct late_unheard *u) { u->answers = (struct vec)VEC_INIT(struct answer, LATE_UNHEARD_MAX); }

static void forget(struct late_unheard *u, size_t i)
{
	fd_close(&VEC_AT(&u->answers, struct answer, i)->file);
	vec_remove(&u->answers, i);
}

void late_unheard_add(struct late_unheard *u, const struct deliver_res *res, int *file)
{
	if (u->answers.len == LATE_UNHEARD_MAX)
		forget(u, 0);
	struct answer *a = vec_push(&u->answers);
	BUG_IF(!a);
	*a = (struct answer){ .res = *res, .file = *file };
	*file = -1;
}

void late_unheard_ack(struct late_unheard *u, const struct deliver_ack *ack)
{
	for (size_t i = u->answers.len; i-- > 0;)
		if (strcmp(VEC_AT(&u->answers, struct answer, i)->res.id, ack->id) == 0)
			forget(u, i);
}

void late_unheard_end(struct late_unheard *u, struct svc_ctx *ctx, const char *endpoint, bool tell)
{
	const struct err why = { .kind = ERR_PEER, .text = "queue-mgr ended before it said that it had heard" };
	for (; u->answers.len > 0; forget(u, 0))
		if (tell)
			late_report(ctx, endpoint, &VEC_AT(&u->answers, struct answer, 0)->res, &why);
	vec_free(&u->answers);
}
