/* A tiny pool, obeying one letter from each client. */
#include "base/clock.h"
#include "base/fd.h"
#include "net/sock.h"
#include "service/service.h"
#include "stage.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define WAIT_MS 10000

static void tell(int fd, uint64_t n) { CU_ASSERT_TRUE(fd_write_all(fd, &n, sizeof(n), NULL)); }

/* p: my pid. c: crash. x: break the sandbox. h: hold until the client says more or the end is near; 1 then. m: mark, hold.
 * b: busy, and deaf to everything but the client. */
static void serve(struct svc_ctx *ctx, struct svc_client *c)
{
	struct addr strange = { .family = AF_INET, .ip = { 192, 0, 2, 1 } };
	struct pollfd p[] = { { .fd = c->fd, .events = POLLIN }, { .fd = svc_wake_fd(ctx), .events = POLLIN } };
	char what = 0;
	char *const none[] = { NULL };
	if (read(c->fd, &what, 1) != 1)
		return;
	if (what == 'c')
		abort();
	if (what == 'x')
		execve("/bin/true", none, none);
	if (what == 'm')
		svc_mark(ctx, &strange);
	if (what == 'm')
		tell(c->fd, svc_marked(ctx, &strange));
	if (what == 'h' || what == 'm') {
		while (poll(p, 2, -1) < 0)
			continue; /* the signal of the leader's death */
		tell(c->fd, svc_ending(ctx));
		return;
	}
	if (what == 'b') {
		tell(c->fd, (uint64_t)getpid());
		while (read(c->fd, &what, 1) < 0 && errno == EINTR)
			continue;
	}
	tell(c->fd, (uint64_t)getpid());
}

static uint64_t answer(int fd)
{
	uint64_t n = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, WAIT_MS) == 1 && read(fd, &n, sizeof(n)) == sizeof(n) ? n : UINT64_MAX;
}

static int say(struct stage *s, char what)
{
	int fd = stage_connect(s);
	CU_ASSERT_TRUE(fd_write_all(fd, &what, 1, NULL));
	return fd;
}

static uint64_t ask(struct stage *s, char what)
{
	int fd = say(s, what);
	uint64_t n = answer(fd);
	fd_close(&fd);
	return n;
}

static void sizes(const struct cfg *c, struct svc_pool *ret)
{
	*ret = (struct svc_pool){ c->smtpd.smtpd_workers_min, c->smtpd.smtpd_workers_max, c->smtpd.smtpd_workers_spare,
		c->smtpd.smtpd_worker_uses };
}

static bool refuse(struct svc_ctx *ctx, struct err *e)
{
	(void)ctx;
	return err_set(e, ERR_PERM, "the key is missing");
}

#define POOL \
	.name = "pool", .user = "postern-smtpd", .model = SVC_POOL, .sandbox = SB_STDIO | SB_SOCKETS, .pool = sizes, .serve = serve
static const struct svc pool = { POOL };
static const struct svc keyless = { POOL, .pre_drop = refuse };
static const struct svc hopeless = { POOL, .worker_init = refuse };

#define CONF "hostname = a.example\nstop_timeout = 2s\nlog_level = error\n"
#define SIZES(min, max, spare, uses)                                                                                               \
	"smtpd_workers_min = " #min "\nsmtpd_workers_max = " #max "\nsmtpd_workers_spare = " #spare "\nsmtpd_worker_uses = " #uses \
	"\n"

static void begin(struct stage *s, const char *conf)
{
	struct leader_ready ready = { 0 };
	stage_start(s, &pool, conf);
	CU_ASSERT_TRUE(stage_ready(s, &ready));
	CU_ASSERT_EQUAL(ready.ok, 1);
}

#define ANY UINT64_MAX
/* Polls: how many workers there are depends on when the leader reaps and forks. */
static bool load_becomes(struct stage *s, uint64_t workers, uint64_t busy)
{
	for (int i = 0; i < 1000; i++, usleep(5000)) {
		struct leader_load l = stage_load(s);
		if ((workers == ANY || l.workers == workers) && l.busy == busy)
			return true;
	}
	return false;
}

static void a_pool_keeps_its_minimum_and_some_idle_up_to_its_maximum(void)
{
	struct stage s;
	int held[4];
	begin(&s, CONF SIZES(2, 4, 1, 100));
	CU_ASSERT_TRUE(load_becomes(&s, 2, 0));
	for (unsigned i = 0; i < COUNT(held); i++) {
		held[i] = say(&s, 'h');
		CU_ASSERT_TRUE(load_becomes(&s, MIN(MAX(2, i + 2), 4), i + 1));
	}
	int waiting = say(&s, 'p');
	struct pollfd p = { .fd = waiting, .events = POLLIN };
	CU_ASSERT_EQUAL(poll(&p, 1, 50), 0); /* all are busy */
	CU_ASSERT_TRUE(fd_write_all(held[0], "x", 1, NULL));
	CU_ASSERT_NOT_EQUAL(answer(waiting), UINT64_MAX);
	CU_ASSERT_EQUAL(stage_load(&s).served >= 1, true);
	for (unsigned i = 0; i < COUNT(held); i++)
		fd_close(&held[i]);
	fd_close(&waiting);
	stage_end(&s);
}

static void a_worker_ends_after_its_uses(void)
{
	struct stage s;
	uint64_t pids[6];
	begin(&s, CONF SIZES(1, 1, 1, 2));
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = ask(&s, 'p');
	for (size_t i = 0; i < COUNT(pids); i++)
		CU_ASSERT_EQUAL(pids[i] == pids[i / 2 * 2], true);
	CU_ASSERT_NOT_EQUAL(pids[0], pids[2]);
	CU_ASSERT_NOT_EQUAL(pids[2], pids[4]);
	stage_end(&s);
}

static void a_worker_that_crashes_is_replaced_and_takes_no_other_with_it(void)
{
	static const char ways[] = { 'c', 'x' };
	for (size_t i = 0; i < sizeof(ways); i++) {
		struct stage s;
		begin(&s, CONF SIZES(2, 2, 1, 100));
		int held = say(&s, 'h');
		CU_ASSERT_TRUE(load_becomes(&s, 2, 1));
		CU_ASSERT_EQUAL(ask(&s, ways[i]), UINT64_MAX);
		CU_ASSERT_NOT_EQUAL(ask(&s, 'p'), UINT64_MAX);
		CU_ASSERT_TRUE(fd_write_all(held, "x", 1, NULL));
		CU_ASSERT_EQUAL(answer(held), 0);
		fd_close(&held);
		CU_ASSERT_TRUE(load_becomes(&s, 2, 0));
		stage_end(&s);
	}
}

static void marks_count_clients_and_end_with_their_worker(void)
{
	struct stage s;
	begin(&s, CONF SIZES(1, 5, 1, 100));
	int one = say(&s, 'm');
	CU_ASSERT_EQUAL(answer(one), 1);
	int two = say(&s, 'm');
	CU_ASSERT_EQUAL(answer(two), 2);
	CU_ASSERT_TRUE(fd_write_all(one, "x", 1, NULL));
	CU_ASSERT_EQUAL(answer(one), 0);
	CU_ASSERT_TRUE(load_becomes(&s, ANY, 1));
	int three = say(&s, 'm');
	CU_ASSERT_EQUAL(answer(three), 2);
	fd_close(&one);
	fd_close(&two);
	fd_close(&three);
	stage_end(&s);
}

static void a_drain_lets_the_client_in_hand_finish(void)
{
	struct stage s;
	int status = -1;
	begin(&s, CONF SIZES(2, 4, 1, 100));
	int held = say(&s, 'h');
	CU_ASSERT_TRUE(load_becomes(&s, 2, 1));
	stage_order(&s, ORDER_DRAIN);
	CU_ASSERT_EQUAL(answer(held), 1); /* it knew that the end is near */
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_EQUAL(status, 0);
	fd_close(&held);
	stage_end(&s);
}

static void a_retired_pool_takes_no_clients_and_lets_its_own_finish(void)
{
	struct stage s;
	int status = -1;
	begin(&s, CONF SIZES(2, 4, 1, 100));
	int held = say(&s, 'h');
	CU_ASSERT_TRUE(load_becomes(&s, 2, 1));
	stage_order(&s, ORDER_RETIRE);
	CU_ASSERT_TRUE(load_becomes(&s, 1, 1)); /* idle workers have gone */
	int late = say(&s, 'p');
	struct pollfd p = { .fd = late, .events = POLLIN };
	CU_ASSERT_EQUAL(poll(&p, 1, 50), 0); /* left to the successor */
	CU_ASSERT_TRUE(fd_write_all(held, "x", 1, NULL));
	CU_ASSERT_EQUAL(answer(held), 0); /* and was not disturbed */
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_EQUAL(status, 0);
	fd_close(&held);
	fd_close(&late);
	stage_end(&s);
}

/* The process gets our processor only while we sleep. */
static void run_after_us(pid_t pid)
{
	struct sched_param none = { 0 };
	cpu_set_t here;
	CPU_ZERO(&here);
	CPU_SET((unsigned)sched_getcpu(), &here);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(here), &here), 0);
	CU_ASSERT_EQUAL(sched_setaffinity(pid, sizeof(here), &here), 0);
	CU_ASSERT_EQUAL(sched_setscheduler(pid, SCHED_IDLE, &none), 0);
}

/* The kernel wakes one worker for one client. When it finds the door closed as well, nobody else knows of that client. */
static void a_client_for_whom_a_worker_was_woken_is_served_though_the_pool_retires_meanwhile(void)
{
	struct leader_load load;
	struct stage s;
	struct err e;
	cpu_set_t before;
	int status = -1;
	CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(before), &before), 0);
	begin(&s, CONF SIZES(1, 1, 1, 100));
	pid_t worker = (pid_t)ask(&s, 'p');
	CU_ASSERT_TRUE(load_becomes(&s, 1, 0));
	usleep(10000); /* until it waits again */
	run_after_us(worker);
	int client = say(&s, 'p');
	stage_order(&s, ORDER_RETIRE);
	stage_order(&s, ORDER_LOAD);
	while (!ipc_recv_msg(s.chan, &leader_load_desc, &load, 0, &e) && e.kind == ERR_TEMP)
		continue; /* awake */
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(before), &before), 0);
	CU_ASSERT_EQUAL(answer(client), (uint64_t)worker);
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	fd_close(&client);
	stage_end(&s);
}

static void a_session_that_outlasts_a_retirement_is_told(void)
{
	struct stage s;
	begin(&s, CONF SIZES(1, 4, 1, 100));
	int held = say(&s, 'h');
	uint64_t start = clock_mono_ms();
	CU_ASSERT_TRUE(load_becomes(&s, 2, 1));
	stage_order(&s, ORDER_RETIRE);
	CU_ASSERT_EQUAL(answer(held), 1);
	CU_ASSERT_TRUE(clock_mono_ms() - start >= 1000); /* half of stop_timeout */
	fd_close(&held);
	stage_end(&s);
}

static void the_end_of_master_is_the_end_of_all(void)
{
	struct stage s;
	int status = -1;
	begin(&s, CONF SIZES(3, 4, 1, 100));
	fd_close(&s.chan);
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_TRUE(stage_alone(&s, WAIT_MS));
	stage_end(&s);
}

static void workers_end_when_their_leader_is_killed(void)
{
	struct stage s;
	begin(&s, CONF SIZES(3, 4, 1, 100));
	int held = say(&s, 'h');
	CU_ASSERT_TRUE(load_becomes(&s, 3, 1));
	kill(s.pid, SIGKILL);
	CU_ASSERT_EQUAL(answer(held), 1);
	CU_ASSERT_TRUE(stage_alone(&s, WAIT_MS));
	fd_close(&held);
	stage_end(&s);
}

static bool refused(struct stage *s)
{
	for (int i = 0; i < 1000; i++, usleep(2000)) {
		struct err e;
		int fd = -1;
		if (!sock_connect_unix(s->dirfd, s->endpoint, s->type, 1000, &fd, &e))
			return e.sys == ECONNREFUSED;
		fd_close(&fd);
	}
	return false;
}

/* The test is master here: once it has closed its own descriptor of the listener, nobody may have one. */
static void a_busy_worker_holds_no_listener_when_all_its_parents_were_killed(void)
{
	struct stage s;
	begin(&s, CONF SIZES(2, 4, 1, 100));
	int held = say(&s, 'b');
	uint64_t worker = answer(held);
	CU_ASSERT_NOT_EQUAL(worker, UINT64_MAX);
	kill(s.pid, SIGKILL);
	fd_close(&s.chan);
	fd_close(&s.listener);
	CU_ASSERT_TRUE(refused(&s));
	CU_ASSERT_EQUAL(kill((pid_t)worker, 0), 0);
	CU_ASSERT_TRUE(fd_write_all(held, "x", 1, NULL));
	CU_ASSERT_EQUAL(answer(held), worker); /* its client was not disturbed */
	CU_ASSERT_TRUE(stage_alone(&s, WAIT_MS));
	fd_close(&held);
	stage_end(&s);
}

/* The signal of a leader's death may come from others. */
static void a_signal_closes_no_listener_while_the_leader_lives(void)
{
	struct stage s;
	begin(&s, CONF SIZES(1, 1, 1, 100));
	int held = say(&s, 'b');
	uint64_t worker = answer(held);
	kill((pid_t)worker, SIGUSR2);
	CU_ASSERT_TRUE(fd_write_all(held, "x", 1, NULL));
	CU_ASSERT_EQUAL(answer(held), worker);
	CU_ASSERT_EQUAL(ask(&s, 'p'), worker);
	fd_close(&held);
	stage_end(&s);
}

static void a_leader_that_cannot_start_says_why(void)
{
	struct stage s;
	struct leader_ready ready = { 0 };
	int status = 0;
	stage_start(&s, &keyless, CONF);
	CU_ASSERT_TRUE(stage_ready(&s, &ready));
	CU_ASSERT_EQUAL(ready.ok, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(ready.text, "the key is missing"));
	CU_ASSERT_TRUE(stage_ended(&s, WAIT_MS, &status));
	CU_ASSERT_NOT_EQUAL(status, 0);
	stage_end(&s);
}

/* Eight forks at least in a second without the pause; with it 200, 400, 800 ms pass between them. */
static void workers_that_fail_at_once_are_not_forked_in_a_loop(void)
{
	struct stage s;
	struct leader_ready ready = { 0 };
	uint64_t idle = 0, turns = 0;
	stage_start(&s, &hopeless, CONF SIZES(1, 1, 1, 100));
	CU_ASSERT_TRUE(stage_ready(&s, &ready));
	for (uint64_t until = clock_mono_ms() + 1000; clock_mono_ms() < until; usleep(10000), turns++)
		idle += stage_load(&s).workers == 0;
	CU_ASSERT_TRUE(idle * 2 > turns);
	stage_end(&s);
}

void suite_svc_pool(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_pool_keeps_its_minimum_and_some_idle_up_to_its_maximum),
		UNIT(a_worker_ends_after_its_uses),
		UNIT(a_worker_that_crashes_is_replaced_and_takes_no_other_with_it),
		UNIT(marks_count_clients_and_end_with_their_worker),
		UNIT(a_drain_lets_the_client_in_hand_finish),
		UNIT(a_retired_pool_takes_no_clients_and_lets_its_own_finish),
		UNIT(a_client_for_whom_a_worker_was_woken_is_served_though_the_pool_retires_meanwhile),
		UNIT(a_session_that_outlasts_a_retirement_is_told),
		UNIT(the_end_of_master_is_the_end_of_all),
		UNIT(workers_end_when_their_leader_is_killed),
		UNIT(a_busy_worker_holds_no_listener_when_all_its_parents_were_killed),
		UNIT(a_signal_closes_no_listener_while_the_leader_lives),
		UNIT(a_leader_that_cannot_start_says_why),
		UNIT(workers_that_fail_at_once_are_not_forked_in_a_loop),
		UNIT_END,
	};
	unit_suite("svc_pool", cases);
}
