/* logd as a process, with the test as its master and its senders. */
#include "logd/logd.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/service/stage.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>

#define WAIT_MS 10000

static const struct svc logd = {
	.name = "logd",
	.user = "postern-log",
	.model = SVC_LOOP,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES,
	.pre_drop = logd_open,
	.start = logd_start,
	.drain = logd_drain,
	.reopen = logd_reopen,
	.report = logd_report,
};

struct scene {
	struct stage stage;
	char dir[32], path[64];
};

static void begin(struct scene *s)
{
	struct leader_ready ready = { 0 };
	struct buf conf = BUF_INIT(1000);
	*s = (struct scene){ .dir = "/tmp/logd-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/mail.log", s->dir);
	buf_putf(&conf, "hostname = a.example\nstop_timeout = 3s\nlog_level = error\nlog_file = %s\n", s->path);
	stage_start(&s->stage, &logd, buf_str(&conf));
	CU_ASSERT_TRUE(stage_ready(&s->stage, &ready));
	CU_ASSERT_EQUAL(ready.ok, 1);
	buf_free(&conf);
}

static void end(struct scene *s)
{
	stage_end(&s->stage);
	unlink(s->path);
	rmdir(s->dir);
}

static bool send_event(int fd, const char *event)
{
	struct buf packet = BUF_INIT(LOG_PACKET_MAX);
	const struct log_kv kv[] = { { .kind = LOG_KV_END } };
	log_packet(&packet, LOG_LEVEL_INFO, 1000, event, kv);
	bool ok = send(fd, packet.data, packet.len, MSG_NOSIGNAL) == (ssize_t)packet.len;
	buf_free(&packet);
	return ok;
}

static unsigned lines_with(const struct scene *s, const char *what)
{
	struct buf b = BUF_INIT(4 << 20);
	struct sv rest, line;
	unsigned n = 0;
	if (fd_read_path(AT_FDCWD, s->path, &b, NULL))
		for (rest = buf_sv(&b); sv_cut(&rest, '\n', &line);)
			n += sv_find(line, sv_of(what)) >= 0;
	buf_free(&b);
	return n;
}

static bool lines_become(const struct scene *s, const char *what, unsigned want)
{
	for (int i = 0; i < 1000 && lines_with(s, what) != want; i++)
		usleep(5000);
	return lines_with(s, what) == want;
}

static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;
	return poll(&p, 1, WAIT_MS) == 1 && recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void events_of_many_senders_reach_the_file(void)
{
	struct scene s;
	int fds[20];
	begin(&s);
	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = stage_connect(&s.stage);
	for (size_t k = 0; k < 100; k++)
		for (size_t i = 0; i < COUNT(fds); i++)
			CU_ASSERT_TRUE(send_event(fds[i], "many"));
	CU_ASSERT_TRUE(lines_become(&s, " many", 2000));
	CU_ASSERT_EQUAL(stage_load(&s.stage).served, 2000);
	for (size_t i = 0; i < COUNT(fds); i++)
		fd_close(&fds[i]);
	end(&s);
}

static void a_bad_packet_costs_its_sender_the_channel_and_nobody_else(void)
{
	struct scene s;
	begin(&s);
	int good = stage_connect(&s.stage), bad = stage_connect(&s.stage);
	CU_ASSERT_EQUAL(send(bad, "nonsense\n2026 forged", 20, 0), 20);
	CU_ASSERT_TRUE(hung_up(bad));
	CU_ASSERT_TRUE(send_event(good, "unharmed"));
	CU_ASSERT_TRUE(lines_become(&s, " unharmed", 1));
	CU_ASSERT_EQUAL(lines_with(&s, "forged"), 0);
	fd_close(&good);
	fd_close(&bad);
	end(&s);
}

static void a_packet_longer_than_any_of_ours_is_refused(void)
{
	static char huge[2 * LOG_PACKET_MAX];
	struct scene s;
	begin(&s);
	int bad = stage_connect(&s.stage);
	CU_ASSERT_EQUAL(send(bad, huge, sizeof(huge), 0), sizeof(huge));
	CU_ASSERT_TRUE(hung_up(bad));
	fd_close(&bad);
	end(&s);
}

static void the_file_is_opened_again_by_order(void)
{
	struct scene s;
	char old[80];
	begin(&s);
	int fd = stage_connect(&s.stage);
	snprintf(old, sizeof(old), "%s.1", s.path);
	CU_ASSERT_EQUAL(rename(s.path, old), 0);
	stage_order(&s.stage, ORDER_REOPEN);
	stage_load(&s.stage); /* the order before it has been obeyed */
	CU_ASSERT_TRUE(send_event(fd, "rotated"));
	CU_ASSERT_TRUE(lines_become(&s, " rotated", 1));
	unlink(old);
	fd_close(&fd);
	end(&s);
}

static void a_drain_takes_what_was_sent_and_then_refuses(void)
{
	struct scene s;
	int status = -1;
	unsigned sent = 0;
	begin(&s);
	int fd = stage_connect(&s.stage);
	for (; sent < 50; sent++)
		CU_ASSERT_TRUE(send_event(fd, "before"));
	stage_order(&s.stage, ORDER_DRAIN);
	while (send_event(fd, "before")) /* until it says that it is going */
		sent++;
	CU_ASSERT_TRUE(stage_ended(&s.stage, WAIT_MS, &status));
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(lines_with(&s, " before"), sent);
	fd_close(&fd);
	end(&s);
}

static void without_a_master_it_stays_for_the_last_words(void)
{
	struct scene s;
	int status = -1;
	begin(&s);
	int fd = stage_connect(&s.stage);
	CU_ASSERT_TRUE(send_event(fd, "first"));
	CU_ASSERT_TRUE(lines_become(&s, " first", 1));
	fd_close(&s.stage.chan);
	CU_ASSERT_FALSE(stage_ended(&s.stage, 200, &status));
	CU_ASSERT_TRUE(send_event(fd, "last"));
	fd_close(&fd);
	CU_ASSERT_TRUE(stage_ended(&s.stage, WAIT_MS, &status));
	CU_ASSERT_EQUAL(lines_with(&s, " last"), 1);
	end(&s);
}

void suite_logd(void)
{
	static const struct unit_case cases[] = {
		UNIT(events_of_many_senders_reach_the_file),
		UNIT(a_bad_packet_costs_its_sender_the_channel_and_nobody_else),
		UNIT(a_packet_longer_than_any_of_ours_is_refused),
		UNIT(the_file_is_opened_again_by_order),
		UNIT(a_drain_takes_what_was_sent_and_then_refuses),
		UNIT(without_a_master_it_stays_for_the_last_words),
		UNIT_END,
	};
	unit_suite("logd", cases);
}
