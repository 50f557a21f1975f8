#include "tools/postern_spam.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

struct seen {
	struct buf text; /* of all messages, '|' between them */
	bool stop;
};

static bool on_mail(const struct found_mail *m, void *arg)
{
	struct seen *s = arg;
	char text[200];
	size_t n = 0;
	CU_ASSERT_TRUE(m->size <= sizeof text && fd_pread(m->fd, text, (size_t)m->size, (off_t)m->offset, &n, NULL));
	buf_put(&s->text, text, n);
	buf_putc(&s->text, '|');
	return !s->stop;
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE_FATAL(fd >= 0 && fd_write_all(fd, text, strlen(text), NULL));
	close(fd);
}

static void messages_of_an_mbox_and_a_maildir_are_found(void)
{
	char path[] = "/tmp/postern-unit-XXXXXX";
	struct seen s = { .text = BUF_INIT(1000) };
	struct err e = { 0 };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_EQUAL(mkdirat(dir, "tmp", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir, "new", 0700), 0);
	write_file(dir, "tmp/x", "unfinished");
	write_file(dir, ".hidden", "no message");
	write_file(dir, "empty", "");
	CU_ASSERT_EQUAL(symlinkat("new", dir, "link"), 0);
	write_file(dir, "new/box", "From a\nA: 1\n\none\nFrom here\n\nFrom b\nB: 2\n\ntwo\n");
	CU_ASSERT_TRUE(found_each(path, on_mail, &s, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&s.text), "A: 1\n\none\nFrom here\n|B: 2\n\ntwo\n|");
	buf_reset(&s.text);
	s.stop = true;
	CU_ASSERT_TRUE(found_each(path, on_mail, &s, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&s.text), "A: 1\n\none\nFrom here\n|");
	static const char *const files[] = { "tmp/x", ".hidden", "empty", "link", "new/box" };
	for (size_t i = 0; i < COUNT(files); i++)
		CU_ASSERT_EQUAL(unlinkat(dir, files[i], 0), 0);
	CU_ASSERT_EQUAL(unlinkat(dir, "tmp", AT_REMOVEDIR), 0);
	CU_ASSERT_EQUAL(unlinkat(dir, "new", AT_REMOVEDIR), 0);
	close(dir);
	CU_ASSERT_EQUAL(rmdir(path), 0);
	buf_free(&s.text);
}

static void a_path_that_is_not_there_is_an_error(void)
{
	struct err e = { 0 };
	CU_ASSERT_FALSE(found_each("/nonexistent/mail", on_mail, NULL, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "/nonexistent/mail"));
}

void suite_postern_spam_find(void)
{
	static const struct unit_case cases[] = { UNIT(messages_of_an_mbox_and_a_maildir_are_found),
		UNIT(a_path_that_is_not_there_is_an_error), UNIT_END };
	unit_suite("postern_spam_find", cases);
}
