/* A tiny event loop service: it counts its orders. */
#include "base/fd.h"
#include "service/service.h"
#include "stage.h"
#include "tests/unit/unit.h"

#include <signal.h>

#define WAIT_MS 10000
#define CONF "hostname = a.example\nstop_timeout = 1s\nlog_level = error\n"

static uint64_t *reopened(struct svc_ctx *ctx)
{
	if (!svc_data(ctx))
		svc_set_data(ctx, mem_new(sizeof(uint64_t)));
	return svc_data(ctx);
}
static void reopen(struct svc_ctx *ctx) { ++*reopened(ctx); }
static void report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	*ret_workers = svc_cfg(ctx)->generation;
	*ret_busy = svc_ending(ctx);
	*ret_max = svc_listener(ctx, "loop.test") && !svc_listener(ctx, "loop.other");
	*ret_served = *reopened(ctx);
}
static bool start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	(void)loop;
	return svc_unprivileged(ctx) || err_set(e, ERR_PERM, "privileged");
}
static void finish(struct svc_ctx *ctx) { svc_done(ctx); }
static void never_finish(struct svc_ctx *ctx) { (void)ctx; }
static bool fail(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	(void)ctx;
	(void)loop;
	return err_set(e, ERR_TEMP, "no queue");
}

#define LOOP                                                                                                            \
	.name = "loop", .user = "postern-queue", .model = SVC_LOOP, .sandbox = SB_STDIO | SB_SOCKETS, .reopen = reopen, \
	.report = report
static const struct svc good = { LOOP, .start = start, .drain = finish };
static const struct svc plain = { LOOP, .start = start };
static const struct svc stuck = { LOOP, .start = start, .drain = never_finish };
static const struct svc broken = { LOOP, .start = fail };

static void begin(struct stage *s, const struct svc *svc)
{
	struct leader_ready ready = { 0 };
	stage_start(s, svc, CONF);
	CU_ASSERT_TRUE(stage_ready(s, &ready));
	CU_ASSERT_EQUAL(ready.ok, 1);
}

static void orders_reach_the_daemon(void)
{
	struct stage s;
	int status = -1;
	begin(&s, &good);
	stage_order(&s, ORDER_REOPEN);
	struct leader_load l = stage_load(&s);
	CU_ASSERT_EQUAL(l.workers, 7); /* the generation of the snapshot */
	CU_ASSERT_EQUAL(l.workers_max, 1);
	CU_ASSERT_EQUAL(l.busy, 0);
	CU_ASSERT_EQUAL(l.served, 1);
	stage_order(&s, ORDER_DRAIN);
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_EQUAL(status, 0);
	stage_end(&s);
}

static void each_of_these_ends_a_loop(void)
{
	static const struct {
		const struct svc *svc;
		int signo; /* 0: master's end */
	} t[] = { { &good, 0 }, { &plain, 0 }, { &stuck, 0 }, { &good, SIGTERM }, { &stuck, SIGTERM } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct stage s;
		int status = -1;
		begin(&s, t[i].svc);
		if (t[i].signo)
			kill(s.pid, t[i].signo);
		else
			fd_close(&s.chan);
		CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
		CU_ASSERT_EQUAL(status, 0);
		stage_end(&s);
	}
}

static void a_start_that_fails_says_why(void)
{
	struct stage s;
	struct leader_ready ready = { 0 };
	int status = 0;
	stage_start(&s, &broken, CONF);
	CU_ASSERT_TRUE(stage_ready(&s, &ready));
	CU_ASSERT_EQUAL(ready.ok, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(ready.text, "no queue"));
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_NOT_EQUAL(status, 0);
	stage_end(&s);
}

void suite_svc_loop(void)
{
	static const struct unit_case cases[] = {
		UNIT(orders_reach_the_daemon),
		UNIT(each_of_these_ends_a_loop),
		UNIT(a_start_that_fails_says_why),
		UNIT_END,
	};
	unit_suite("svc_loop", cases);
}
