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
