#include "unit/spool/spool_file.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void a_queue_is_made_once_and_opened_again(void)
{
	struct temp_dir t;
	struct spool_dir d;
	char path[100];
	temp_dir_make(&t);
	snprintf(path, sizeof(path), "%s/queue", t.path);
	CU_ASSERT_FALSE(spool_dir_open(path, false, &d, NULL));
	CU_ASSERT_TRUE_FATAL(spool_dir_open(path, true, &d, NULL));
	CU_ASSERT_TRUE(has_file(d.root, "VERSION") && has_file(d.root, "f/cur") && has_file(d.root, "hold") &&
		       has_file(d.root, "corrupt"));
	put_file(d.new_fd[3], "x", SV("y"));
	spool_dir_close(&d);
	CU_ASSERT_TRUE_FATAL(spool_dir_open(path, false, &d, NULL));
	CU_ASSERT_TRUE(has_file(d.new_fd[3], "x"));
	spool_dir_close(&d);
	temp_dir_remove(&t);
}

static void another_version_or_loose_rights_are_refused(void)
{
	struct temp_dir t;
	struct spool_dir d;
	struct err e;
	temp_dir_make(&t);
	CU_ASSERT_TRUE_FATAL(spool_dir_open(t.path, true, &d, NULL));
	CU_ASSERT_EQUAL(fchmod(d.cur_fd[2], 0770), 0);
	CU_ASSERT_FALSE(spool_dir_open(t.path, true, &d, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod"));
	spool_dir_close(&d);
	temp_dir_remove(&t);
	temp_dir_make(&t);
	int root = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file(root, "VERSION", SV("postern queue 9\n"));
	CU_ASSERT_FALSE(spool_dir_open(t.path, true, &d, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	close(root);
	temp_dir_remove(&t);
}

static void one_process_at_a_time_has_the_queue(void)
{
	struct temp_dir t;
	struct spool_dir d, other;
	int status;
	temp_dir_make(&t);
	CU_ASSERT_TRUE_FATAL(spool_dir_open(t.path, true, &d, NULL) && spool_dir_open(t.path, false, &other, NULL));
	CU_ASSERT_TRUE(spool_dir_lock(&d, false, NULL));
	CU_ASSERT_FALSE(spool_dir_lock(&other, false, NULL));
	spool_dir_close(&d);
	CU_ASSERT_TRUE(spool_dir_lock(&other, false, NULL));
	spool_dir_close(&other);
	pid_t pid = fork(); /* the lock ends with its process, however that ends */
	if (pid == 0) {
		bool ok = spool_dir_open(t.path, false, &d, NULL) && spool_dir_lock(&d, false, NULL);
		kill(getpid(), ok ? SIGKILL : SIGABRT);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CU_ASSERT_TRUE_FATAL(spool_dir_open(t.path, false, &d, NULL));
	CU_ASSERT_TRUE(spool_dir_lock(&d, false, NULL));
	spool_dir_close(&d);
	temp_dir_remove(&t);
}

static void a_commit_writes_header_and_body(void)
{
	struct buf b = BUF_INIT(100);
	int fd = fd_memfd("x", NULL);
	CU_ASSERT_TRUE(spool_stream(fd, SV("body"), 6, NULL) && spool_stream(fd, SV(" more"), 10, NULL));
	CU_ASSERT_TRUE(spool_commit_header(fd, SV("header"), NULL));
	CU_ASSERT_TRUE(fd_read_file(fd, &b, NULL) && sv_eqs(buf_sv(&b), "headerbody more"));
	buf_free(&b);
	CU_ASSERT_TRUE(spool_commit(fd, SV("two"), SV("parts"), NULL));
	CU_ASSERT_TRUE(fd_read_file(fd, &b, NULL) && sv_starts(buf_sv(&b), SV("twoparts")));
	buf_free(&b);
	close(fd);
}

/* A full disk, played by a limit on the size of files. */
static void what_does_not_fit_is_cut_to_nothing_and_says_full(void)
{
	struct rlimit old, small;
	struct temp_dir t;
	struct stat st;
	struct err e;
	static char body[20000];
	temp_dir_make(&t);
	int dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 10000;
	setrlimit(RLIMIT_FSIZE, &small);
	bool ok = spool_commit(fd, SV("header"), (struct sv){ body, sizeof(body) }, &e);
	bool streamed = spool_stream(fd, (struct sv){ body, sizeof(body) }, 0, NULL);
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_FALSE(ok || streamed);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_STRING_EQUAL(e.dsn, "4.3.1");
	CU_ASSERT_EQUAL(fstat(fd, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 0);
	close(fd);
	close(dir);
	temp_dir_remove(&t);
}

static void the_file_system_is_probed(void)
{
	struct temp_dir t;
	struct spool_dir d = { .root = -1 };
	char note[300];
	temp_dir_make(&t);
	d.root = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_TRUE(spool_dir_probe(&d, note, sizeof(note), NULL));
	CU_ASSERT_TRUE(note[0] == '\0' || d.strict); /* without a promise the directory is synced too */
	close(d.root);
	temp_dir_remove(&t);
}

void suite_spool_dir(void)
{
	static const struct unit_case cases[] = { UNIT(a_queue_is_made_once_and_opened_again),
		UNIT(another_version_or_loose_rights_are_refused), UNIT(one_process_at_a_time_has_the_queue),
		UNIT(a_commit_writes_header_and_body), UNIT(what_does_not_fit_is_cut_to_nothing_and_says_full),
		UNIT(the_file_system_is_probed), UNIT_END };
	unit_suite("spool_dir", cases);
}
