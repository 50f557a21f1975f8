#include "bounce/submit.h"

#include "base/fd.h"
#include "net/conn.h"
#include "net/sock.h"

#include "unit/unit.h"

#include <signal.h>
#include <sys/wait.h>

#define MESSAGE "A: b\n\n.dot\r\nend without a line end"

/* The other end: answers each line with the next of `script` (the first is the greeting) and, between DATA and its end, collects;
 * what it got goes down the pipe. */
static void server(int fd, const char *const *script, int copy)
{
	struct conn c;
	struct sv line;
	struct err e;
	bool data = false;
	signal(SIGPIPE, SIG_IGN);
	conn_init(&c, fd, -1);
	while (*script) {
		if (!data && (!conn_put(&c, sv_of(*script), &e) || !conn_put(&c, SV("\r\n"), &e) || !conn_flush(&c, &e)))
			_exit(1);
		script += !data;
		do {
			if (!*script || !conn_line(&c, 65536, &line, &e))
				_exit(0);
			if (!fd_write_all(copy, line.p, line.n, &e))
				_exit(1);
			data = data ? !sv_eqs(line, ".\r\n") : sv_starts(line, SV("DATA")) && sv_starts(sv_of(*script), SV("3"));
			if (data && sv_starts(line, SV("DATA"))) {
				conn_take(&c, line.n);
				if (!conn_put(&c, sv_of(*script++), &e) || !conn_put(&c, SV("\r\n"), &e) || !conn_flush(&c, &e))
					_exit(1);
			} else
				conn_take(&c, line.n);
		} while (data);
	}
	_exit(0);
}

static void run_tls(const char *const *script, const char *sender, bool tls, struct bounce_res *ret, struct buf *got)
{
	struct bounce_req req = { .kind = BOUNCE_FAILED, .file = -1, .requiretls = tls };
	struct bounce_rcpt rcpt = { .last = 1, .rcpt = "bob@c.example", .dsn = "5.1.1", .text = "no" };
	struct report r;
	struct original o;
	struct err e;
	int pair[2], out[2], file = fd_memfd("original", &e);
	snprintf(req.sender, sizeof req.sender, "%s", sender);
	CU_ASSERT_FATAL(file >= 0 && fd_write_all(file, MESSAGE, sizeof MESSAGE - 1, &e));
	CU_ASSERT_FATAL(report_init(&r, &req, "mx.example", NULL, &e) && report_add(&r, &rcpt, &e));
	CU_ASSERT_FATAL(original_look(file, 0, sizeof MESSAGE - 1, 1000, &o, &e));
	CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, pair, &e) && pipe(out) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		fd_close(&pair[0]);
		server(pair[1], script, out[1]);
	}
	fd_close(&pair[1]);
	fd_close(&out[1]);
	submit_report(pair[0], &r, &o, ret);
	for (ssize_t n = 1; n > 0; buf_grew(got, n > 0 ? (size_t)n : 0))
		n = read(out[0], buf_room(got, 4096), 4096);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	fd_close(&out[0]);
	fd_close(&file);
	report_free(&r);
}

static void run(const char *const *script, const char *sender, struct bounce_res *ret, struct buf *got)
{
	run_tls(script, sender, false, ret, got);
}

#define HELLO "220 mx.example", "250-mx.example\r\n250-8BITMIME\r\n250 SMTPUTF8"

static void a_report_is_sent_with_the_null_sender_and_stuffed_dots(void)
{
	static const char *const script[] = { HELLO, "250 2.1.0 Ok", "250 2.1.5 Ok", "354 go", "250 2.0.0 queued", "221 bye",
		NULL };
	struct bounce_res res;
	struct buf got = BUF_INIT(100000);
	run(script, "alice@b.example", &res, &got);
	CU_ASSERT_EQUAL(res.ok, 1);
	CU_ASSERT_EQUAL(res.refused, 0);
	struct sv text = buf_sv(&got);
	CU_ASSERT(sv_starts(text, SV("EHLO mx.example\r\nMAIL FROM:<>\r\nRCPT TO:<alice@b.example>\r\nDATA\r\nFrom: ")));
	CU_ASSERT(sv_find(text, SV("\r\nA: b\r\n\r\n..dot \r\nend without a line end\r\n--=_")) >= 0);
	CU_ASSERT(sv_ends(text, SV("--\r\n.\r\nQUIT\r\n")));
	buf_free(&got);
}

static void an_international_sender_needs_smtputf8(void)
{
	static const char *const script[] = { HELLO, "250 Ok", "250 Ok", "354 go", "250 Ok", "221 bye", NULL };
	static const char *const without[] = { "220 mx.example", "250 mx.example", "221 bye", NULL };
	struct bounce_res res;
	struct buf got = BUF_INIT(100000);
	run(script, "j\xc3\xb6rg@b.example", &res, &got);
	CU_ASSERT_EQUAL(res.ok, 1);
	CU_ASSERT(sv_find(buf_sv(&got), SV("MAIL FROM:<> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@b.example>\r\n")) >= 0);
	buf_reset(&got);
	run(without, "j\xc3\xb6rg@b.example", &res, &got);
	CU_ASSERT_EQUAL(res.ok, 0);
	CU_ASSERT_EQUAL(res.refused, 1);
	buf_free(&got);
}

/* RFC 8689 5 */
static void a_report_about_a_protected_message_is_protected(void)
{
	static const char *const script[] = { HELLO, "250 Ok", "250 Ok", "354 go", "250 Ok", "221 bye", NULL };
	struct bounce_res res;
	struct buf got = BUF_INIT(100000);
	run_tls(script, "alice@b.example", true, &res, &got);
	CU_ASSERT_EQUAL(res.ok, 1);
	CU_ASSERT(sv_find(buf_sv(&got), SV("MAIL FROM:<> REQUIRETLS\r\nRCPT TO:<alice@b.example>\r\n")) >= 0);
	buf_free(&got);
}

static void a_5xx_at_any_step_is_final_and_all_else_is_not(void)
{
	static const struct {
		const char *script[8];
		bool refused;
		const char *text;
	} t[] = {
		{ { "421 4.3.2 busy", NULL }, false, "greeting" },
		{ { "220 x", "421 4.3.2 busy", NULL }, false, "greeting" },
		{ { HELLO, "550 5.7.1 no", NULL }, true, "MAIL: no" },
		{ { HELLO, "451 4.3.0 later", NULL }, false, "MAIL: later" },
		{ { HELLO, "250 Ok", "550 5.1.1 who", NULL }, true, "RCPT: who" },
		{ { HELLO, "250 Ok", "450 4.2.1 later", NULL }, false, "RCPT: later" },
		{ { HELLO, "250 Ok", "250 Ok", "452 4.3.1 full", NULL }, false, "DATA: full" },
		{ { HELLO, "250 Ok", "250 Ok", "354 go", "552 5.3.4 too big", NULL }, true, "end of message: too big" },
		{ { HELLO, "250 Ok", "250 Ok", "354 go", "451 4.3.0 disk", NULL }, false, "end of message: disk" },
		{ { HELLO, "250 Ok", NULL }, false, "RCPT: " },
		{ { "junk", NULL }, false, "greeting" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bounce_res res;
		struct buf got = BUF_INIT(100000);
		run(t[i].script, "alice@b.example", &res, &got);
		CU_ASSERT_EQUAL(res.ok, 0);
		CU_ASSERT_EQUAL(res.refused, t[i].refused);
		CU_ASSERT(sv_starts(sv_of(res.text), sv_of(t[i].text)));
		buf_free(&got);
	}
}

void suite_bounce_submit(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_report_is_sent_with_the_null_sender_and_stuffed_dots),
		UNIT(an_international_sender_needs_smtputf8),
		UNIT(a_report_about_a_protected_message_is_protected),
		UNIT(a_5xx_at_any_step_is_final_and_all_else_is_not),
		UNIT_END,
	};
	unit_suite("bounce_submit", cases);
}
