#include "unit/unit.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int memfile(const char *text)
{
	int fd = fd_memfd("test", NULL);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_TRUE_FATAL(fd_write_all(fd, text, strlen(text), NULL));
	return fd;
}

static int temp_dir(char path[32])
{
	snprintf(path, 32, "/tmp/unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	return fd;
}

static void closing_keeps_errno_and_happens_once(void)
{
	int fd = memfile("x"), same = fd;

	errno = ENOTTY;
	fd_close(&fd);
	CU_ASSERT_EQUAL(fd, -1);
	CU_ASSERT_EQUAL(fcntl(same, F_GETFD), -1);
	errno = ENOTTY;
	fd_close(&fd);
	CU_ASSERT_EQUAL(errno, ENOTTY);
}

static void flags_are_set_and_taken_back(void)
{
	int fd = memfile("x");
	struct err e;

	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CU_ASSERT_TRUE(fd_cloexec(fd, false, &e));
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), 0);
	CU_ASSERT_TRUE(fd_cloexec(fd, true, &e));
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CU_ASSERT_TRUE(fd_nonblock(fd, true, &e));
	CU_ASSERT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_TRUE(fd_nonblock(fd, false, &e));
	CU_ASSERT_FALSE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	fd_close(&fd);
	CU_ASSERT_FALSE(fd_nonblock(-1, true, &e));
	CU_ASSERT_EQUAL(e.sys, EBADF);
	CU_ASSERT_FALSE(fd_cloexec(-1, true, &e));
}

static void a_read_is_short_at_the_end_only(void)
{
	int fd = memfile("0123456789");
	char p[20];
	size_t n = 99;

	CU_ASSERT_TRUE(fd_pread(fd, p, 4, 3, &n, NULL));
	CU_ASSERT_EQUAL(n, 4);
	CU_ASSERT_EQUAL(memcmp(p, "3456", 4), 0);
	CU_ASSERT_TRUE(fd_pread(fd, p, 20, 8, &n, NULL));
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_TRUE(fd_pread(fd, p, 20, 10, &n, NULL));
	CU_ASSERT_EQUAL(n, 0);
	n = 99;
	CU_ASSERT_FALSE(fd_pread(-1, p, 20, 10, &n, NULL));
	CU_ASSERT_EQUAL(n, 99);
	CU_ASSERT_TRUE(fd_pwrite_all(fd, "ab", 2, 9, NULL));
	CU_ASSERT_TRUE(fd_pread(fd, p, 20, 8, &n, NULL));
	CU_ASSERT_EQUAL(memcmp(p, "8ab", 3), 0);
	fd_close(&fd);
}

static void a_file_is_read_whole_or_not_at_all(void)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 65536, 69632, 69633, 200000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct buf big = BUF_INIT(300000), exact = BUF_INIT(sizes[i] + 2), small = BUF_INIT(sizes[i]);
		struct err e = { .kind = ERR_NONE };
		buf_fill(&big, 'm', sizes[i]);
		int fd = memfile(buf_str(&big));
		buf_puts(&exact, "<>");
		CU_ASSERT_TRUE(fd_read_file(fd, &exact, &e));
		CU_ASSERT_EQUAL(exact.len, sizes[i] + 2);
		CU_ASSERT_TRUE(sv_eq(sv_skip(buf_sv(&exact), 2), buf_sv(&big)));
		buf_puts(&small, sizes[i] ? "x" : "");
		CU_ASSERT_EQUAL(fd_read_file(fd, &small, &e), sizes[i] == 0);
		CU_ASSERT_EQUAL(e.kind, sizes[i] ? ERR_LIMIT : ERR_NONE);
		CU_ASSERT_STRING_EQUAL(buf_str(&small), sizes[i] ? "x" : "");
		fd_close(&fd);
		buf_free(&big);
		buf_free(&exact);
		buf_free(&small);
	}
}

static void reading_a_path_names_it_in_the_error(void)
{
	struct buf b = BUF_INIT(100);
	struct err e;

	CU_ASSERT_FALSE(fd_read_path(AT_FDCWD, "/nonexistent/file", &b, &e));
	CU_ASSERT_EQUAL(e.sys, ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "/nonexistent/file"));
	char fifo[] = "/tmp/fifo-XXXXXX";
	int fd = mkstemp(fifo);
	fd_close(&fd);
	unlink(fifo);
	CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
	const char *const odd[] = { "/", "/dev/null", fifo }; /* the last would block */
	for (size_t i = 0; i < COUNT(odd); i++) {
		CU_ASSERT_FALSE(fd_read_path(AT_FDCWD, odd[i], &b, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "is not a regular file"));
	}
	unlink(fifo);
	CU_ASSERT_EQUAL(b.len, 0);
	buf_free(&b);
}

static void a_copy_takes_exactly_what_is_asked(void)
{
	struct buf b = BUF_INIT(300000), got = BUF_INIT(300000);
	struct err e;

	for (int i = 0; b.len < 200000; i++)
		buf_putf(&b, "%d ", i);
	int in = memfile(buf_str(&b)), out = memfile("<");
	off_t at = lseek(in, 5, SEEK_SET);
	CU_ASSERT_TRUE(fd_copy(in, 7, 150000, out, &e));
	CU_ASSERT_EQUAL(lseek(in, 0, SEEK_CUR), at); /* the reader's place does not move */
	CU_ASSERT_TRUE(fd_copy(in, 0, 0, out, &e));
	CU_ASSERT_TRUE(fd_read_file(out, &got, &e));
	CU_ASSERT_EQUAL(got.len, 150001);
	CU_ASSERT_TRUE(sv_eq(sv_skip(buf_sv(&got), 1), sv_sub(buf_sv(&b), 7, 150000)));
	CU_ASSERT_FALSE(fd_copy(in, 0, b.len + 1, out, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, " 1 bytes early"));
	fd_close(&in);
	fd_close(&out);
	buf_free(&b);
	buf_free(&got);
}

static void a_full_disk_is_an_error(void)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e;

	CU_ASSERT_TRUE_FATAL(full >= 0);
	CU_ASSERT_FALSE(fd_write_all(full, "x", 1, &e));
	CU_ASSERT_EQUAL(e.sys, ENOSPC);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	fd_close(&full);
}

static void a_new_directory_has_its_mode_an_old_one_keeps_its_own(void)
{
	char path[32];
	int dir = temp_dir(path), sub = -1;
	mode_t old = umask(077);
	struct stat st;
	struct err e;

	CU_ASSERT_TRUE_FATAL(fd_mkdir(dir, "d", 0755, &sub, &e));
	CU_ASSERT_EQUAL(fstat(sub, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
	CU_ASSERT_EQUAL(fcntl(sub, F_GETFD), FD_CLOEXEC);
	fd_close(&sub);
	CU_ASSERT_TRUE_FATAL(fd_mkdir(dir, "d", 0700, &sub, &e));
	CU_ASSERT_EQUAL(fstat(sub, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
	fd_close(&sub);
	CU_ASSERT_EQUAL(symlinkat("d", dir, "link"), 0);
	CU_ASSERT_FALSE(fd_mkdir(dir, "link", 0700, &sub, &e)); /* never through a link */
	CU_ASSERT_FALSE(fd_mkdir(dir, "no/such", 0700, &sub, &e));
	CU_ASSERT_EQUAL(e.sys, ENOENT);
	CU_ASSERT_EQUAL(sub, -1);
	CU_ASSERT_TRUE(fd_sync_dir(dir, ".", &e));
	CU_ASSERT_TRUE(fd_sync_dir(dir, "d", &e));
	CU_ASSERT_FALSE(fd_sync_dir(dir, "none", &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "none"));
	umask(old);
	unlinkat(dir, "link", 0);
	unlinkat(dir, "d", AT_REMOVEDIR);
	fd_close(&dir);
	rmdir(path);
}

static void a_sealed_memory_file_does_not_change(void)
{
	int fd = memfile("abc"), plain = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err e;

	CU_ASSERT_FALSE(fd_is_sealed(fd));
	CU_ASSERT_TRUE(fd_seal(fd, &e));
	CU_ASSERT_TRUE(fd_is_sealed(fd));
	CU_ASSERT_FALSE(fd_write_all(fd, "x", 1, &e));
	CU_ASSERT_FALSE(fd_pwrite_all(fd, "x", 1, 0, &e));
	CU_ASSERT_EQUAL(ftruncate(fd, 0), -1);
	CU_ASSERT_EQUAL(ftruncate(fd, 100), -1);
	CU_ASSERT_FALSE(fd_is_sealed(plain));
	CU_ASSERT_FALSE(fd_seal(plain, &e));
	CU_ASSERT_FALSE(fd_is_sealed(-1));
	fd_close(&fd);
	fd_close(&plain);
}

static void closed_standard_descriptors_are_held(void)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		close(STDIN_FILENO);
		close(STDERR_FILENO);
		fd_hold_std();
		int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_exit(next > STDERR_FILENO && read(STDIN_FILENO, &byte, 1) < 0 && write(STDERR_FILENO, "x", 1) == 1 ? 0 : 1);
	}
	CU_ASSERT_TRUE_FATAL(pid > 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void suite_fd(void)
{
	static const struct unit_case cases[] = {
		UNIT(closing_keeps_errno_and_happens_once),
		UNIT(flags_are_set_and_taken_back),
		UNIT(a_read_is_short_at_the_end_only),
		UNIT(a_file_is_read_whole_or_not_at_all),
		UNIT(reading_a_path_names_it_in_the_error),
		UNIT(a_copy_takes_exactly_what_is_asked),
		UNIT(a_full_disk_is_an_error),
		UNIT(a_new_directory_has_its_mode_an_old_one_keeps_its_own),
		UNIT(a_sealed_memory_file_does_not_change),
		UNIT(closed_standard_descriptors_are_held),
		UNIT_END,
	};
	unit_suite("fd", cases);
}
