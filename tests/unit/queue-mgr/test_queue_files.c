#include "queue-mgr/msg.h"
#include "queue-mgr/qfile.h"

#include "unit/queue-mgr/bench.h"
#include "unit/spool/spool_file.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static void only_a_regular_file_is_opened_and_nothing_blocks(void)
{
	struct bench b;
	uint64_t size;
	struct err e;
	int fd;
	bench_init(&b);
	int dir = b.dir.hold_fd;
	put_file(dir, "file", SV("12345"));
	put_file(dir, "twice", SV("x"));
	CU_ASSERT_EQUAL(linkat(dir, "twice", dir, "second", 0), 0);
	CU_ASSERT(mkfifoat(dir, "fifo", 0600) == 0 && mkdirat(dir, "dir", 0700) == 0 && symlinkat("file", dir, "link") == 0);
	static const struct {
		const char *name;
		enum found want;
	} t[] = { { "file", FOUND }, { "fifo", FOUND_FOREIGN }, { "dir", FOUND_FOREIGN }, { "link", FOUND_FOREIGN },
		{ "twice", FOUND_FOREIGN }, { "nothing", FOUND_GONE } };
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(qfile_open(dir, t[i].name, &fd, &size, &e), t[i].want);
		if (t[i].want == FOUND) {
			CU_ASSERT_EQUAL(size, 5);
			close(fd);
		}
	}
	bench_free(&b);
}

static void a_lock_of_another_process_is_respected_until_it_ends(void)
{
	struct bench b;
	struct holder h;
	uint64_t size;
	struct err e;
	int fd;
	bench_init(&b);
	put_file(b.dir.hold_fd, "file", SV("x"));
	holder_start(&h, b.dir.hold_fd, "file");
	CU_ASSERT_EQUAL(qfile_open(b.dir.hold_fd, "file", &fd, &size, &e), FOUND_LOCKED);
	holder_end(&h);
	CU_ASSERT_EQUAL(qfile_open(b.dir.hold_fd, "file", &fd, &size, &e), FOUND);
	CU_ASSERT_EQUAL(qfile_open(b.dir.hold_fd, "file", &fd, &size, &e), FOUND_LOCKED); /* ours counts as well */
	close(fd);
	bench_free(&b);
}

static void what_is_corrupt_moves_away_and_replaces_nothing(void)
{
	struct bench b;
	bench_init(&b);
	put_file(b.dir.corrupt_fd, "bad", SV("first"));
	put_file(b.dir.hold_fd, "bad", SV("second"));
	CU_ASSERT_TRUE(qfile_corrupt(&b.dir, b.dir.hold_fd, "bad", "test"));
	CU_ASSERT_FALSE(has_file(b.dir.hold_fd, "bad"));
	CU_ASSERT_TRUE(has_file(b.dir.corrupt_fd, "bad") && has_file(b.dir.corrupt_fd, "bad.1"));
	CU_ASSERT_TRUE(qfile_corrupt(&b.dir, b.dir.hold_fd, "bad", "gone meanwhile"));
	CU_ASSERT_EQUAL(mkdirat(b.dir.hold_fd, "dir", 0700), 0);
	CU_ASSERT_TRUE(qfile_corrupt(&b.dir, b.dir.hold_fd, "dir", "test"));
	CU_ASSERT_TRUE(has_file(b.dir.corrupt_fd, "dir"));
	bench_free(&b);
}

static void an_entry_and_its_file_move_together_or_not_at_all(void)
{
	struct bench b;
	struct spool_id id;
	struct err e;
	char name[SPOOL_NAME_MAX];
	bench_init(&b);
	spool_id_make(1700000000, 5, 1, &id);
	uint32_t slot = index_add(b.q.index, &id);
	struct entry_change c = entry_as_is(b.q.index, slot);
	c.where = IN_CUR;
	c.tries = 7;
	CU_ASSERT_FALSE(entry_move(b.q.index, &b.dir, slot, &c, &e)); /* no such file */
	CU_ASSERT_EQUAL(index_at(b.q.index, slot)->tries, 0);
	CU_ASSERT_EQUAL(index_at(b.q.index, slot)->where, IN_NEW);
	put_file(b.dir.new_fd[5], id.text, SV("x"));
	CU_ASSERT_TRUE(entry_move(b.q.index, &b.dir, slot, &c, &e));
	index_name(b.q.index, slot, name);
	CU_ASSERT_TRUE(has_file(b.dir.cur_fd[5], name));
	CU_ASSERT_FALSE(has_file(b.dir.new_fd[5], id.text));
	c.where = IN_HOLD;
	CU_ASSERT_TRUE(entry_move(b.q.index, &b.dir, slot, &c, &e) && has_file(b.dir.hold_fd, name));
	bench_free(&b);
}

static struct msg *read_sample(const struct spool_sample *s, const char *id_text, uint64_t missing, struct err *e)
{
	struct buf b = BUF_INIT(0);
	struct spool_id id = sample_id(id_text);
	spool_sample_make(s, &b, NULL);
	int fd = memfd_of(buf_sv(&b));
	struct msg *m = msg_read(fd, &id, b.len - missing, e);
	if (m == NULL)
		close(fd);
	buf_free(&b);
	return m;
}

static void a_message_is_read_with_its_recipients_and_destinations(void)
{
	struct spool_sample s = { .id = "0123456000g00000",
		.sender = "Al@x.example",
		.rcpts = { "b@y.example", "c@y.example" },
		.orig = "list@y.example" };
	struct err e;
	struct msg *m = read_sample(&s, s.id, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(m->sender, "Al@x.example");
	CU_ASSERT_STRING_EQUAL(m->rcpt[0].addr, "b@y.example");
	CU_ASSERT_STRING_EQUAL(m->rcpt[0].orig, "list@y.example");
	CU_ASSERT_STRING_EQUAL(m->rcpt[1].orig, "");
	CU_ASSERT_EQUAL(msg_open_rcpts(m), 2);
	CU_ASSERT_EQUAL(msg_dest(m), 0); /* two mailboxes */
	m->rcpt[0].status = SPOOL_DONE;
	CU_ASSERT_EQUAL(msg_dest(m), m->rcpt[1].unit.dest);
	CU_ASSERT_NOT_EQUAL(m->rcpt[0].unit.dest, m->rcpt[1].unit.dest);
	msg_free(m);
	s.cls = CLASS_REMOTE;
	m = read_sample(&s, s.id, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_NOT_EQUAL(msg_dest(m), 0); /* one domain */
	msg_free(m);
}

static void a_file_of_another_id_or_too_short_is_corrupt(void)
{
	struct spool_sample s = { .id = "0123456000g00000", .sender = "", .rcpts = { "b@y.example" } };
	struct err e;
	CU_ASSERT_PTR_NULL(read_sample(&s, "0123456000g00001", 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_PTR_NULL(read_sample(&s, s.id, 1, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
}

void suite_queue_files(void)
{
	static const struct unit_case cases[] = { UNIT(only_a_regular_file_is_opened_and_nothing_blocks),
		UNIT(a_lock_of_another_process_is_respected_until_it_ends), UNIT(what_is_corrupt_moves_away_and_replaces_nothing),
		UNIT(an_entry_and_its_file_move_together_or_not_at_all),
		UNIT(a_message_is_read_with_its_recipients_and_destinations), UNIT(a_file_of_another_id_or_too_short_is_corrupt),
		UNIT_END };
	unit_suite("queue_files", cases);
}
