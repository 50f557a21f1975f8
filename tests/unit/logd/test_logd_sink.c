#include "logd/sink.h"
#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct scene {
	char dir[32], path[64], other[64];
	struct cfg_log cfg;
	struct sink sink;
};

static void scene_new(struct scene *s, int format)
{
	*s = (struct scene){ .dir = "/tmp/logd-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/mail.log", s->dir);
	snprintf(s->other, sizeof(s->other), "%s/other", s->dir);
	s->cfg = (struct cfg_log){ .log_file = s->path, .log_format = format };
}

static void scene_free(struct scene *s)
{
	sink_close(&s->sink);
	unlink(s->path);
	unlink(s->other);
	rmdir(s->dir);
}

static bool open_sink(struct scene *s, struct err *e) { return sink_open(&s->sink, &s->cfg, (uid_t)-1, (gid_t)-1, e); }

static void add(struct scene *s, const char *event)
{
	struct buf packet = BUF_INIT(LOG_PACKET_MAX);
	const struct log_kv kv[] = { KV_STR("k", "v"), { .kind = LOG_KV_END } };
	log_packet(&packet, LOG_LEVEL_INFO, 1000, event, kv);
	CU_ASSERT_TRUE(sink_add(&s->sink, buf_sv(&packet)));
	buf_free(&packet);
}

/* The file's text after the time column of each line is what the log's own tests cover; here only whole lines count. */
static unsigned lines_with(const char *path, const char *what)
{
	struct buf b = BUF_INIT(1 << 20);
	struct sv rest, line;
	unsigned n = 0;
	CU_ASSERT_TRUE(fd_read_path(AT_FDCWD, path, &b, NULL));
	for (rest = buf_sv(&b); sv_cut(&rest, '\n', &line);)
		n += sv_find(line, sv_of(what)) >= 0;
	buf_free(&b);
	return n;
}

static void records_are_gathered_and_written_at_the_flush(void)
{
	struct scene s;
	scene_new(&s, CFG_LOG_TEXT);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	CU_ASSERT_TRUE(sink_empty(&s.sink));
	add(&s, "one");
	add(&s, "two");
	CU_ASSERT_FALSE(sink_empty(&s.sink));
	CU_ASSERT_EQUAL(lines_with(s.path, "k=v"), 0);
	sink_flush(&s.sink);
	CU_ASSERT_EQUAL(lines_with(s.path, "k=v"), 2);
	CU_ASSERT_TRUE(sink_empty(&s.sink));
	scene_free(&s);
}

static void json_is_written_when_asked_for(void)
{
	struct scene s;
	scene_new(&s, CFG_LOG_JSON);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	add(&s, "one");
	sink_flush(&s.sink);
	CU_ASSERT_EQUAL(lines_with(s.path, "\"event\":\"one\""), 1);
	scene_free(&s);
}

static void a_malformed_packet_is_refused_and_leaves_nothing(void)
{
	static const struct sv bad[] = { SV(""), SV("x"), SV("\x01\x02 and so on"), SV("\x02\x02\0\0\0\0\0\0\0\0a\0b\0") };
	struct scene s;
	scene_new(&s, CFG_LOG_TEXT);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	for (size_t i = 0; i < COUNT(bad); i++)
		CU_ASSERT_FALSE(sink_add(&s.sink, bad[i]));
	CU_ASSERT_TRUE(sink_empty(&s.sink));
	scene_free(&s);
}

static void after_a_rotation_the_new_file_is_written(void)
{
	struct scene s;
	struct stat st;
	scene_new(&s, CFG_LOG_TEXT);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	add(&s, "before");
	CU_ASSERT_EQUAL(rename(s.path, s.other), 0);
	CU_ASSERT_TRUE(sink_reopen(&s.sink, NULL));
	add(&s, "after");
	sink_flush(&s.sink);
	CU_ASSERT_EQUAL(lines_with(s.other, " before"), 1); /* what was gathered before the rotation */
	CU_ASSERT_EQUAL(lines_with(s.path, " after"), 1);
	CU_ASSERT_EQUAL(stat(s.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777 & (mode_t)~0640, 0);
	scene_free(&s);
}

static void a_reopen_that_fails_keeps_the_old_file(void)
{
	struct scene s;
	struct err e;
	scene_new(&s, CFG_LOG_TEXT);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	CU_ASSERT_EQUAL(rename(s.path, s.other), 0);
	CU_ASSERT_EQUAL(symlink("/dev/null", s.path), 0);
	CU_ASSERT_FALSE(sink_reopen(&s.sink, &e));
	add(&s, "kept");
	sink_flush(&s.sink);
	CU_ASSERT_EQUAL(lines_with(s.other, " kept"), 1);
	scene_free(&s);
}

static void a_name_that_leads_elsewhere_is_not_opened(void)
{
	struct scene s;
	struct err e;
	scene_new(&s, CFG_LOG_TEXT);
	int fd = open(s.other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	CU_ASSERT_EQUAL(symlink(s.other, s.path), 0);
	CU_ASSERT_FALSE(open_sink(&s, &e));
	unlink(s.path);
	CU_ASSERT_EQUAL(link(s.other, s.path), 0);
	CU_ASSERT_FALSE(open_sink(&s, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "one name"));
	unlink(s.path);
	CU_ASSERT_EQUAL(mkfifo(s.path, 0600), 0);
	CU_ASSERT_FALSE(open_sink(&s, &e));
	scene_free(&s);
}

static void a_foreign_file_is_not_given_away(void)
{
	struct scene s;
	struct err e;
	if (geteuid() != 0)
		return;
	scene_new(&s, CFG_LOG_TEXT);
	int fd = open(s.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL(fchown(fd, 1, 1), 0);
	fd_close(&fd);
	CU_ASSERT_FALSE(sink_open(&s.sink, &s.cfg, 2, 2, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "belongs to uid 1"));
	unlink(s.path);
	CU_ASSERT_TRUE(sink_open(&s.sink, &s.cfg, 2, 2, &e));
	struct stat st;
	CU_ASSERT_EQUAL(stat(s.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_uid, 2);
	CU_ASSERT_EQUAL(st.st_gid, 2);
	scene_free(&s);
}

/* A limit on the file's size stands for a full disk. */
static void a_full_disk_loses_nothing_that_comes_after_it(void)
{
	struct scene s;
	struct rlimit before, full;
	scene_new(&s, CFG_LOG_TEXT);
	CU_ASSERT_TRUE(open_sink(&s, NULL));
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	full = (struct rlimit){ 0, before.rlim_max };
	void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &full), 0);
	add(&s, "refused");
	sink_flush(&s.sink);
	CU_ASSERT_TRUE(s.sink.failing);
	CU_ASSERT_TRUE(sink_empty(&s.sink)); /* given to syslog, or counted */
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, old);
	add(&s, "taken");
	sink_flush(&s.sink);
	CU_ASSERT_FALSE(s.sink.failing);
	CU_ASSERT_EQUAL(lines_with(s.path, " taken"), 1);
	scene_free(&s);
}

static void a_target_that_is_no_path_is_refused(void)
{
	static const char *const bad[] = { "mail.log", "/tmp/", "/nonexistent/dir/mail.log", "" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct cfg_log cfg = { .log_file = bad[i] };
		struct sink sink;
		struct err e;
		CU_ASSERT_FALSE(sink_open(&sink, &cfg, (uid_t)-1, (gid_t)-1, &e));
	}
}

void suite_logd_sink(void)
{
	static const struct unit_case cases[] = {
		UNIT(records_are_gathered_and_written_at_the_flush),
		UNIT(json_is_written_when_asked_for),
		UNIT(a_malformed_packet_is_refused_and_leaves_nothing),
		UNIT(after_a_rotation_the_new_file_is_written),
		UNIT(a_reopen_that_fails_keeps_the_old_file),
		UNIT(a_name_that_leads_elsewhere_is_not_opened),
		UNIT(a_foreign_file_is_not_given_away),
		UNIT(a_full_disk_loses_nothing_that_comes_after_it),
		UNIT(a_target_that_is_no_path_is_refused),
		UNIT_END,
	};
	unit_suite("logd_sink", cases);
}
