#include "unit/unit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/conn.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

struct both {
	struct conn c;
	int peer;
};

static void start(struct both *b, int wake)
{
	int fds[2];

	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_STREAM, fds, NULL));
	conn_init(&b->c, fds[0], wake);
	b->c.idle_ms = 2000;
	b->peer = fds[1];
}

static void finish(struct both *b)
{
	conn_close(&b->c);
	CU_ASSERT_EQUAL(b->c.fd, -1);
	fd_close(&b->peer);
}

static void say(struct both *b, const char *text) { CU_ASSERT_TRUE(fd_write_all(b->peer, text, strlen(text), NULL)); }

static void expect_line(struct both *b, const char *want)
{
	struct sv line = SV("");
	struct err e;

	CU_ASSERT_TRUE_FATAL(conn_line(&b->c, 1000, &line, &e));
	CU_ASSERT_TRUE(sv_eqs(line, want));
	conn_take(&b->c, line.n);
}

static void lines_come_one_by_one_however_they_were_sent(void)
{
	struct both b;

	start(&b, -1);
	say(&b, "EHLO a\r\nMAIL\nRC");
	expect_line(&b, "EHLO a\r\n");
	CU_ASSERT_TRUE(conn_buffered(&b.c));
	expect_line(&b, "MAIL\n");
	say(&b, "PT\r");
	CU_ASSERT_TRUE(conn_fill(&b.c, NULL));
	say(&b, "\n\n");
	expect_line(&b, "RCPT\r\n");
	expect_line(&b, "\n");
	CU_ASSERT_FALSE(conn_buffered(&b.c));
	finish(&b);
}

static void a_line_may_hold_any_byte(void)
{
	struct both b;
	struct sv line = SV("");

	start(&b, -1);
	CU_ASSERT_EQUAL(write(b.peer, "a\0\r\xff\n", 5), 5);
	CU_ASSERT_TRUE(conn_line(&b.c, 100, &line, NULL));
	CU_ASSERT_TRUE(sv_eq(line, SV("a\0\r\xff\n")));
	finish(&b);
}

static void a_line_that_is_too_long_stays_in_the_buffer(void)
{
	struct both b;
	struct sv line = SV("old");
	struct err e;

	start(&b, -1);
	say(&b, "12345678\n");
	CU_ASSERT_FALSE(conn_line(&b.c, 8, &line, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_TRUE(sv_eqs(line, "old"));
	CU_ASSERT_TRUE(sv_eqs(b.c.in, "12345678\n"));
	CU_ASSERT_TRUE(conn_line(&b.c, 9, &line, &e)); /* the LF is the last that counts */
	CU_ASSERT_EQUAL(line.n, 9);
	finish(&b);
}

static void a_last_line_without_an_end_is_no_line(void)
{
	struct both b;
	struct sv line = SV("old");
	struct err e;

	start(&b, -1);
	say(&b, "QUI");
	fd_close(&b.peer);
	CU_ASSERT_FALSE(conn_line(&b.c, 100, &line, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_TRUE(b.c.eof);
	CU_ASSERT_TRUE(sv_eqs(line, "old"));
	CU_ASSERT_TRUE(sv_eqs(b.c.in, "QUI"));
	finish(&b);
}

static void waiting_ends_at_the_earlier_of_two_deadlines(void)
{
	static const struct {
		uint64_t idle_ms, deadline_ms; /* from now; 0: none */
	} t[] = { { 40, 0 }, { 40, 5000 }, { 5000, 40 }, { UINT64_MAX, 40 } };

	for (size_t i = 0; i < COUNT(t); i++) {
		struct both b;
		struct err e;
		start(&b, -1);
		uint64_t then = clock_mono_ms();
		b.c.idle_ms = t[i].idle_ms;
		b.c.deadline_ms = t[i].deadline_ms ? then + t[i].deadline_ms : 0;
		CU_ASSERT_FALSE(conn_fill(&b.c, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
		CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
		CU_ASSERT_TRUE(clock_mono_ms() - then >= 40 && clock_mono_ms() - then < 2000);
		CU_ASSERT_FALSE(b.c.eof);
		say(&b, "late\n");
		b.c.deadline_ms = 0;
		expect_line(&b, "late\n"); /* still usable */
		finish(&b);
	}
}

static void a_deadline_in_the_past_still_gives_what_is_there(void)
{
	struct both b;
	struct err e;

	start(&b, -1);
	b.c.deadline_ms = 1;
	say(&b, "there\n");
	expect_line(&b, "there\n");
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	finish(&b);
}

static void a_wake_ends_the_wait_unless_it_is_ignored(void)
{
	struct both b;
	struct err e;
	int wake[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(wake, O_CLOEXEC), 0);
	start(&b, wake[0]);
	b.c.idle_ms = 40;
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_FALSE(b.c.woken);
	fd_close(&wake[1]); /* as when the parent dies */
	say(&b, "first\n");
	expect_line(&b, "first\n"); /* input that is there goes before */
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(e.sys, EINTR);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_TRUE(b.c.woken);
	b.c.ignore_wake = true;
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	finish(&b);
	fd_close(&wake[0]);
}

static size_t pending(int fd)
{
	char p[1000];
	ssize_t n = recv(fd, p, sizeof(p), MSG_DONTWAIT | MSG_PEEK);

	return n > 0 ? (size_t)n : 0;
}

static void replies_go_out_only_when_the_client_has_to_be_waited_for(void)
{
	struct both b;
	struct err e;

	start(&b, -1);
	b.c.idle_ms = 20;
	say(&b, "one\ntwo\n");
	expect_line(&b, "one\n");
	CU_ASSERT_TRUE(conn_put(&b.c, SV("250 1\r\n"), &e));
	expect_line(&b, "two\n");
	CU_ASSERT_TRUE(conn_put(&b.c, SV("250 2\r\n"), &e));
	CU_ASSERT_EQUAL(pending(b.peer), 0);
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(pending(b.peer), 14);
	finish(&b);
}

/* A read that can only say that nothing is there is left out; what comes by itself is found all the same. */
static void input_that_comes_after_a_short_read_is_found(void)
{
	struct both b;
	struct err e;

	start(&b, -1);
	b.c.idle_ms = 20;
	say(&b, "one\n");
	expect_line(&b, "one\n");
	say(&b, "two\n");
	expect_line(&b, "two\n");
	CU_ASSERT_FALSE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	say(&b, "three\n");
	expect_line(&b, "three\n");
	finish(&b);
}

static void output_beyond_its_buffer_is_sent_as_the_client_takes_it(void)
{
	struct both b;
	struct buf big = BUF_INIT(1000000), got = BUF_INIT(2000000);

	for (int i = 0; big.len < 900000; i++)
		buf_putf(&big, "%d,", i);
	start(&b, -1);
	pid_t pid = fork();
	if (pid == 0) {
		conn_close(&b.c);
		for (;;) {
			char *to = buf_room(&got, 5000);
			ssize_t n = to ? read(b.peer, to, 5000) : -1;
			if (n <= 0)
				break;
			buf_grew(&got, (size_t)n);
		}
		bool same = got.len == big.len + 3 && sv_starts(buf_sv(&got), SV("one")) && sv_ends(buf_sv(&got), buf_sv(&big));
		_exit(same ? 0 : 1);
	}
	fd_close(&b.peer);
	CU_ASSERT_TRUE(conn_put(&b.c, SV("one"), NULL));
	CU_ASSERT_TRUE(conn_put(&b.c, sv_sub(buf_sv(&big), 0, 50000), NULL));
	CU_ASSERT_TRUE(conn_put(&b.c, sv_sub(buf_sv(&big), 50000, 15533), NULL)); /* exactly full */
	CU_ASSERT_EQUAL(b.c.out.len, CONN_OUT_MAX);
	CU_ASSERT_TRUE(conn_put(&b.c, sv_skip(buf_sv(&big), 65533), NULL));
	CU_ASSERT_TRUE(conn_flush(&b.c, NULL));
	conn_close(&b.c);
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	buf_free(&big);
	buf_free(&got);
}

static void a_client_that_takes_nothing_is_given_up(void)
{
	struct both b;
	struct buf big = BUF_INIT(8000000);
	struct err e;

	start(&b, -1);
	b.c.idle_ms = 40;
	buf_fill(&big, 'x', 4000000);
	CU_ASSERT_FALSE(conn_put(&b.c, buf_sv(&big), &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	finish(&b);
	buf_free(&big);
}

static bool give_up(void *arg)
{
	unsigned *asked = arg;
	return (*asked)++ > 0; /* not at first */
}

static void a_wake_ends_output_when_it_is_given_up(void)
{
	static char bulk[1 << 20];
	unsigned asked = 0;
	int wake[2];
	struct both b;
	struct err e = { 0 };
	CU_ASSERT_EQUAL_FATAL(pipe2(wake, O_CLOEXEC), 0);
	start(&b, wake[0]);
	fd_close(&wake[1]);
	b.c.idle_ms = 100;
	CU_ASSERT_FALSE(conn_put(&b.c, (struct sv){ bulk, sizeof bulk }, &e)); /* nobody gives up: it is its time that ends it */
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	b.c.give_up = give_up;
	b.c.give_up_arg = &asked;
	CU_ASSERT_FALSE(conn_put(&b.c, (struct sv){ bulk, sizeof bulk }, &e));
	CU_ASSERT(e.sys == ETIMEDOUT && asked == 1); /* asked once, not in a circle */
	b.c.no_give_up = false;
	b.c.idle_ms = 10000;
	CU_ASSERT_FALSE(conn_put(&b.c, (struct sv){ bulk, sizeof bulk }, &e));
	CU_ASSERT(e.sys == EINTR && asked == 2);
	fd_close(&wake[0]);
	finish(&b);
}

static void a_client_that_is_gone_raises_no_signal(void)
{
	struct both b;
	struct err e;

	start(&b, -1);
	fd_close(&b.peer);
	CU_ASSERT_TRUE(conn_put(&b.c, SV("250 ok\r\n"), &e));
	CU_ASSERT_FALSE(conn_flush(&b.c, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_TRUE(b.c.eof);
	CU_ASSERT_EQUAL(b.c.out.len, 0);
	finish(&b);
}

/* A source that always fills what it is asked for, and notes how much that was. */
struct tap {
	size_t asked[64], n;
};

static ssize_t tap_read(void *ctx, void *p, size_t n)
{
	struct tap *t = ctx;

	memset(p, 'x', n);
	if (t->n < COUNT(t->asked))
		t->asked[t->n++] = n;
	return (ssize_t)n;
}

static ssize_t tap_write(void *ctx UNUSED, const void *p UNUSED, size_t n) { return (ssize_t)n; }

static void input_is_bounded(void)
{
	static const struct conn_io io = { tap_read, tap_write };
	struct tap tap = { .n = 0 };
	struct both b;
	struct err e = { .kind = ERR_NONE };
	struct sv line;

	start(&b, -1);
	b.c.io = &io;
	b.c.io_ctx = &tap;
	while (conn_fill(&b.c, &e))
		CU_ASSERT_TRUE_FATAL(b.c.in.n <= CONN_IN_MAX);
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(b.c.in.n, CONN_IN_MAX);
	CU_ASSERT_FALSE(conn_line(&b.c, SIZE_MAX, &line, &e)); /* a caller's own limit may be laxer */
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	conn_take(&b.c, 1);
	CU_ASSERT_TRUE(conn_fill(&b.c, &e));
	CU_ASSERT_EQUAL(b.c.in.n, CONN_IN_MAX);
	finish(&b);
}

static void reads_grow_with_bulk_input_and_start_small(void)
{
	static const struct conn_io io = { tap_read, tap_write };
	struct tap tap = { .n = 0 };
	struct both b;

	start(&b, -1);
	CU_ASSERT_EQUAL(b.c.store.cap, 0); /* nothing before the first byte */
	b.c.io = &io;
	b.c.io_ctx = &tap;
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_TRUE_FATAL(conn_fill(&b.c, NULL));
		conn_take(&b.c, b.c.in.n);
	}
	CU_ASSERT_TRUE(tap.asked[0] <= 8192);
	CU_ASSERT_TRUE(tap.asked[9] >= 65536);
	CU_ASSERT_TRUE(tap.asked[9] <= CONN_IN_MAX);
	finish(&b);
}

static void many_lines_in_one_read_cost_no_moves(void)
{
	struct both b;
	struct buf text = BUF_INIT(100000);
	struct sv line = SV("");

	for (int i = 0; i < 1000; i++)
		buf_putf(&text, "%d\n", i);
	start(&b, -1);
	say(&b, buf_str(&text));
	CU_ASSERT_TRUE(conn_line(&b.c, 100, &line, NULL));
	const char *first = line.p;
	for (size_t n = 0; n + 5 < 3890; n += line.n) {
		CU_ASSERT_TRUE_FATAL(conn_line(&b.c, 100, &line, NULL));
		CU_ASSERT_PTR_EQUAL(line.p, first + n);
		conn_take(&b.c, line.n);
	}
	finish(&b);
	buf_free(&text);
}

static void a_pipe_serves_as_a_client_too(void)
{
	int fds[2];
	struct conn c;
	char p[3] = "";

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	conn_init(&c, fds[1], -1);
	CU_ASSERT_TRUE(conn_put(&c, SV("ok"), NULL));
	CU_ASSERT_TRUE(conn_flush(&c, NULL));
	CU_ASSERT_EQUAL(read(fds[0], p, 2), 2);
	CU_ASSERT_STRING_EQUAL(p, "ok");
	conn_close(&c);
	fd_close(&fds[0]);
}

void suite_conn(void)
{
	static const struct unit_case cases[] = {
		UNIT(lines_come_one_by_one_however_they_were_sent),
		UNIT(a_line_may_hold_any_byte),
		UNIT(a_line_that_is_too_long_stays_in_the_buffer),
		UNIT(a_last_line_without_an_end_is_no_line),
		UNIT(waiting_ends_at_the_earlier_of_two_deadlines),
		UNIT(a_deadline_in_the_past_still_gives_what_is_there),
		UNIT(a_wake_ends_the_wait_unless_it_is_ignored),
		UNIT(a_wake_ends_output_when_it_is_given_up),
		UNIT(replies_go_out_only_when_the_client_has_to_be_waited_for),
		UNIT(input_that_comes_after_a_short_read_is_found),
		UNIT(output_beyond_its_buffer_is_sent_as_the_client_takes_it),
		UNIT(a_client_that_takes_nothing_is_given_up),
		UNIT(a_client_that_is_gone_raises_no_signal),
		UNIT(input_is_bounded),
		UNIT(reads_grow_with_bulk_input_and_start_small),
		UNIT(many_lines_in_one_read_cost_no_moves),
		UNIT(a_pipe_serves_as_a_client_too),
		UNIT_END,
	};
	unit_suite("conn", cases);
}
