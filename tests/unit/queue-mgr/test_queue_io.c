#include "unit/queue-mgr/bench.h"

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct spool_sample two = {
	.id = "0123456000g00000", .sender = "al@x.example", .rcpts = { "b@y.example", "c@y.example" }
};

struct outcome {
	bool done;
	enum io_answer answer;
	struct err e;
};

static void on_done(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct outcome *o = job->arg;
	o->done = true;
	o->answer = answer;
	o->e = *e;
}

static struct outcome outcomes[1000];
static size_t n_outcomes;

static bool all_done(struct bench *b)
{
	(void)b;
	for (size_t i = 0; i < n_outcomes; i++)
		if (!outcomes[i].done)
			return false;
	return true;
}

static void submit(struct bench *b, struct io_job *job, enum io_op op, const char *name)
{
	struct outcome *o = &outcomes[n_outcomes++];
	*o = (struct outcome){ .done = false };
	*job = (struct io_job){ .op = op,
		.where = IN_HOLD,
		.id = sample_id(two.id),
		.done = on_done,
		.arg = o,
		.marks = job->marks,
		.n_marks = job->n_marks };
	snprintf(job->name, sizeof(job->name), "%s", name);
	io_submit(b->q.io, job);
}

/* A long name makes an envelope that is longer than a sector, so that a write can be cut off in it. */
static void make_long(struct buf *f)
{
	static char text[3000];
	struct spool_sample s = two;
	char name[64 + sizeof("@y.example")];
	memset(text, 'x', sizeof(text) - 1);
	snprintf(name, sizeof(name), "%060d@y.example", 0);
	for (size_t i = 0; i < COUNT(s.rcpts); i++)
		s.rcpts[i] = name;
	s.body = text;
	spool_sample_make(&s, f, NULL);
}

/* A file in the middle of being written, a foreign one, and a whole one whose disk lies are three things. */
static void whole_torn_and_corrupt_files_are_told_apart(void)
{
	struct bench b;
	struct buf f = BUF_INIT(0);
	static char zeros[5000];
	struct io_job job[12] = { 0 };
	bench_init(&b);
	n_outcomes = 0;
	make_long(&f);
	CU_ASSERT_TRUE_FATAL(f.len > 3000 && f.len % 512 > 10);
	put_file(b.dir.hold_fd, "whole", buf_sv(&f));
	put_file(b.dir.hold_fd, "head", (struct sv){ f.data, 512 });
	put_file(b.dir.hold_fd, "short", (struct sv){ f.data, f.len / 512 * 512 });
	put_file(b.dir.hold_fd, "cut", (struct sv){ f.data, f.len - 1 });
	put_file(b.dir.hold_fd, "cut head", (struct sv){ f.data, 40 });
	put_file(b.dir.hold_fd, "empty", SV(""));
	put_file(b.dir.hold_fd, "few zeros", (struct sv){ zeros, 40 });
	put_file(b.dir.hold_fd, "nul", SV("\0eturn-Path: <>\n"));
	put_file(b.dir.hold_fd, "zeros", (struct sv){ zeros, sizeof(zeros) });
	f.data[f.len - 2] ^= 4;
	put_file(b.dir.hold_fd, "flipped", buf_sv(&f));
	put_file(b.dir.hold_fd, "foreign", SV("From: someone\n\nhello\n"));
	CU_ASSERT_EQUAL(mkfifoat(b.dir.hold_fd, "fifo", 0600), 0);
	static const struct {
		const char *name;
		enum io_answer want;
	} t[] = { { "whole", IO_OK }, { "head", IO_TORN }, { "short", IO_TORN }, { "cut", IO_CORRUPT }, { "cut head", IO_CORRUPT },
		{ "empty", IO_TORN }, { "few zeros", IO_TORN }, { "nul", IO_CORRUPT }, { "zeros", IO_TORN },
		{ "flipped", IO_CORRUPT }, { "foreign", IO_CORRUPT }, { "fifo", IO_CORRUPT } };
	for (size_t i = 0; i < COUNT(t); i++)
		submit(&b, &job[i], IO_VERIFY, t[i].name);
	bench_turn(&b, all_done);
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT(outcomes[i].done && outcomes[i].answer == t[i].want);
	buf_free(&f);
	bench_free(&b);
}

/* The envelope, and the length in it, are what a damaged disk must not talk us out of. */
static void a_flipped_bit_of_the_envelope_is_never_taken_for_a_torn_write(void)
{
	struct bench b;
	struct buf f = BUF_INIT(0);
	struct spool_envelope env;
	static struct io_job job[COUNT(outcomes)];
	char name[20];
	bench_init(&b);
	n_outcomes = 0;
	spool_sample_make(&two, &f, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&f), &env, NULL));
	size_t end = MIN((size_t)env.crc_at + 20, COUNT(outcomes));
	for (size_t i = 0; i < end; i++) {
		f.data[i] ^= (char)(1 << i % 7);
		snprintf(name, sizeof(name), "%zu", i);
		put_file(b.dir.hold_fd, name, buf_sv(&f));
		submit(&b, &job[i], IO_VERIFY, name);
		f.data[i] ^= (char)(1 << i % 7);
	}
	bench_turn(&b, all_done);
	for (size_t i = 0; i < end; i++)
		CU_ASSERT(outcomes[i].done && outcomes[i].answer != IO_TORN && outcomes[i].answer != IO_TEMP);
	spool_envelope_free(&env);
	buf_free(&f);
	bench_free(&b);
}

static void a_mark_changes_one_byte_and_the_file_stays_whole(void)
{
	struct bench b;
	struct buf f = BUF_INIT(0);
	struct spool_envelope env;
	struct io_job mark = { 0 }, check = { 0 };
	bench_init(&b);
	n_outcomes = 0;
	spool_sample_make(&two, &f, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&f), &env, NULL));
	put_file(b.dir.hold_fd, "whole", buf_sv(&f));
	struct io_mark marks[] = { { env.rcpt[1].status_at, SPOOL_DONE } };
	mark.marks = marks;
	mark.n_marks = 1;
	submit(&b, &mark, IO_MARK, "whole");
	bench_turn(&b, all_done);
	submit(&b, &check, IO_VERIFY, "whole");
	bench_turn(&b, all_done);
	CU_ASSERT(outcomes[0].answer == IO_OK && outcomes[1].answer == IO_OK);
	spool_envelope_free(&env);
	int fd = openat(b.dir.hold_fd, "whole", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(spool_envelope_read(fd, &env, NULL));
	CU_ASSERT(env.rcpt[0].status == SPOOL_TODO && env.rcpt[1].status == SPOOL_DONE);
	spool_envelope_free(&env);
	close(fd);
	buf_free(&f);
	bench_free(&b);
}

static void more_jobs_than_helpers_are_all_done(void)
{
	struct bench b;
	struct io_job job[40] = { 0 };
	bench_init(&b);
	n_outcomes = 0;
	for (size_t i = 0; i < COUNT(job); i++)
		submit(&b, &job[i], IO_VERIFY, "nothing");
	bench_turn(&b, all_done);
	for (size_t i = 0; i < COUNT(job); i++)
		CU_ASSERT(outcomes[i].done && outcomes[i].answer == IO_TEMP);
	CU_ASSERT_EQUAL(io_busy(b.q.io), 0);
	bench_free(&b);
}

/* The children of this process, by /proc: the helpers. */
static void kill_helpers(void)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "re");
	BUG_IF(f == NULL || fgets(text, sizeof(text), f) == NULL);
	fclose(f);
	for (char *at = text, *end; *at != '\0'; at = end) {
		long pid = strtol(at, &end, 10);
		if (end == at)
			break;
		kill((pid_t)pid, SIGKILL);
	}
}

static void a_helper_that_dies_fails_its_jobs_and_is_replaced(void)
{
	struct bench b;
	struct buf f = BUF_INIT(0);
	struct io_job job[6] = { 0 };
	bench_init(&b);
	n_outcomes = 0;
	spool_sample_make(&two, &f, NULL);
	put_file(b.dir.hold_fd, "whole", buf_sv(&f));
	submit(&b, &job[0], IO_VERIFY, "whole");
	bench_turn(&b, all_done);
	CU_ASSERT_EQUAL(outcomes[0].answer, IO_OK);
	kill_helpers();
	for (size_t i = 1; i < COUNT(job); i++) { /* to the dead ones first, as long as that is not known */
		submit(&b, &job[i], IO_VERIFY, "whole");
		bench_turn(&b, all_done);
		CU_ASSERT(outcomes[i].done);
	}
	CU_ASSERT_EQUAL(outcomes[COUNT(job) - 1].answer, IO_OK);
	buf_free(&f);
	bench_free(&b);
}

/* Room for the socket of a helper, and for nothing that watches its process. */
static void a_helper_that_cannot_be_watched_leaves_neither_a_process_nor_a_descriptor(void)
{
	struct ev_loop *loop = ev_new(NULL);
	struct rlimit was, few;
	struct err e;
	int free_fd = dup(0);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)free_fd + 2;
	close(free_fd);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct io *io = io_new(loop, "/nonexistent", 1, &e);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
	CU_ASSERT_PTR_NULL(io);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "watch process"));
	CU_ASSERT(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	int again = dup(0);
	CU_ASSERT_EQUAL(again, free_fd);
	close(again);
	ev_free(loop);
}

void suite_queue_io(void)
{
	static const struct unit_case cases[] = { UNIT(whole_torn_and_corrupt_files_are_told_apart),
		UNIT(a_flipped_bit_of_the_envelope_is_never_taken_for_a_torn_write),
		UNIT(a_mark_changes_one_byte_and_the_file_stays_whole), UNIT(more_jobs_than_helpers_are_all_done),
		UNIT(a_helper_that_dies_fails_its_jobs_and_is_replaced),
		UNIT(a_helper_that_cannot_be_watched_leaves_neither_a_process_nor_a_descriptor), UNIT_END };
	unit_suite("queue_io", cases);
}
