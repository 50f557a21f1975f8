#include "master/master.h"
#include "base/fd.h"
#include "mail/srs.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

struct scene {
	char dir[32], queue[64], run[64], state[64], log[64];
	struct cfg cfg;
};

static void scene_new(struct scene *s)
{
	*s = (struct scene){ .dir = "/tmp/dirs-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	snprintf(s->queue, sizeof(s->queue), "%s/spool/queue", s->dir);
	snprintf(s->run, sizeof(s->run), "%s/run", s->dir);
	snprintf(s->state, sizeof(s->state), "%s/spool/state", s->dir);
	snprintf(s->log, sizeof(s->log), "%s/log/mail.log", s->dir);
	s->cfg = (struct cfg){ .unprivileged = true, .log.log_file = s->log };
	s->cfg.global =
		(struct cfg_global){ .queue_directory = s->queue, .runtime_directory = s->run, .state_directory = s->state };
}

static void scene_free(struct scene *s)
{
	static const char *const dirs[] = { "spool/state/spam", "spool/state/auth", "spool/state/tls-policy", "spool/state",
		"spool/queue", "spool", "run", "log" };
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(dirs); i++)
		unlinkat(fd, dirs[i], AT_REMOVEDIR);
	CU_ASSERT_EQUAL(rmdir(s->dir), 0);
	fd_close(&fd);
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void what_is_missing_is_made_with_its_mode(void)
{
	struct scene s;
	struct err e;
	mode_t mask = umask(027);
	scene_new(&s);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e));
	CU_ASSERT_EQUAL(mode_of(s.queue), 0700);
	char spool[64];
	snprintf(spool, sizeof(spool), "%s/spool", s.dir);
	CU_ASSERT_EQUAL(mode_of(spool), 0755); /* made on the way: sendmail passes it to reach the sockets */
	CU_ASSERT_EQUAL(mode_of(s.run), 0711); /* every daemon may pass, nobody may list */
	CU_ASSERT_EQUAL(mode_of(s.state), 0755);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e)); /* again: nothing to do */
	umask(mask);
	scene_free(&s);
}

static void what_exists_keeps_its_mode(void)
{
	struct scene s;
	struct err e;
	scene_new(&s);
	CU_ASSERT_EQUAL(mkdir(s.run, 0700), 0);
	CU_ASSERT_EQUAL(chmod(s.run, 0750), 0);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e));
	CU_ASSERT_EQUAL(mode_of(s.run), 0750);
	scene_free(&s);
}

static void the_key_of_rewritten_senders_is_made_once(void)
{
	struct scene s;
	struct err e;
	struct buf first = BUF_INIT(100), again = BUF_INIT(100);
	struct srs_keys keys;
	char path[100];
	scene_new(&s);
	s.cfg.global.srs = true;
	snprintf(path, sizeof(path), "%s/" SRS_KEY_FILE, s.state);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e));
	CU_ASSERT_EQUAL(mode_of(path), 0600);
	CU_ASSERT_TRUE(fd_read_path(AT_FDCWD, path, &first, &e) && srs_keys_parse(buf_sv(&first), &keys) && keys.n == 1);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e) && fd_read_path(AT_FDCWD, path, &again, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&first), buf_str(&again));
	CU_ASSERT_EQUAL(unlink(path), 0);
	buf_free(&first);
	buf_free(&again);
	scene_free(&s);
}

static void anothers_queue_is_refused(void)
{
	struct scene s;
	struct err e;
	if (geteuid() != 0)
		return;
	scene_new(&s);
	CU_ASSERT_TRUE(dirs_make(&s.cfg, &e));
	CU_ASSERT_EQUAL(chown(s.queue, 65534, 65534), 0);
	CU_ASSERT_FALSE(dirs_make(&s.cfg, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, s.queue));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "uid 65534"));
	scene_free(&s);
}

static void a_file_in_the_way_is_named(void)
{
	struct scene s;
	struct err e;
	scene_new(&s);
	int fd = open(s.run, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	CU_ASSERT_FALSE(dirs_make(&s.cfg, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, s.run));
	unlink(s.run);
	scene_free(&s);
}

static void a_directory_is_locked_once_and_until_it_is_closed(void)
{
	struct scene s;
	struct err e;
	int first, second = -1;
	scene_new(&s);
	CU_ASSERT_TRUE(dirs_lock(s.dir, "queue", &first, &e));
	CU_ASSERT_FALSE(dirs_lock(s.dir, "queue", &second, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another postern-master"));
	CU_ASSERT_EQUAL(second, -1);
	fd_close(&first);
	CU_ASSERT_TRUE(dirs_lock(s.dir, "queue", &second, &e));
	fd_close(&second);
	scene_free(&s);
}

static void faults_are_told_with_file_and_line(void)
{
	char path[] = "/tmp/conf-XXXXXX";
	static const char text[] = "hostname = a.example\nmessage_max_sise = 1M\nmin_uid = many\n";
	struct buf faults = BUF_INIT(2000);
	struct err e;
	int fd = mkstemp(path);
	CU_ASSERT_TRUE(fd_write_all(fd, text, sizeof(text) - 1, NULL));
	fd_close(&fd);
	CU_ASSERT_PTR_NULL(config_load(path, 1, true, &faults, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&faults), ":2: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&faults), ":3: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "2 errors"));
	unlink(path);
	buf_reset(&faults);
	CU_ASSERT_PTR_NULL(config_load(path, 1, true, &faults, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, path));
	buf_free(&faults);
}

void suite_master_dirs(void)
{
	static const struct unit_case cases[] = {
		UNIT(what_is_missing_is_made_with_its_mode),
		UNIT(what_exists_keeps_its_mode),
		UNIT(the_key_of_rewritten_senders_is_made_once),
		UNIT(anothers_queue_is_refused),
		UNIT(a_file_in_the_way_is_named),
		UNIT(a_directory_is_locked_once_and_until_it_is_closed),
		UNIT(faults_are_told_with_file_and_line),
		UNIT_END,
	};
	unit_suite("master_dirs", cases);
}
