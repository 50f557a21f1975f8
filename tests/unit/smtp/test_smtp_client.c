#include "smtp/client.h"

#include "base/fd.h"
#include "net/sock.h"
#include "unit/unit.h"

#include <sys/socket.h>

/* A server that has said everything beforehand. */
static int open_server(struct conn *c, const char *says)
{
	int ends[2];
	CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, ends, NULL));
	CU_ASSERT_FATAL(fd_write_all(ends[1], says, strlen(says), NULL));
	CU_ASSERT_FATAL(shutdown(ends[1], SHUT_WR) == 0);
	conn_init(c, ends[0], -1);
	c->idle_ms = 2000;
	return ends[1];
}

static void hello_learns_what_the_server_can_do(void)
{
	struct conn c;
	struct err e = { 0 };
	unsigned caps = 0;
	char said[100];
	int server = open_server(
		&c, "220 mx ESMTP\r\n250-mx SIZE is no capability in the first line\r\n250-8BITMIME\r\n250 smtputf8\r\n");
	CU_ASSERT(smtp_client_hello(&c, "me.example", &caps, &e));
	CU_ASSERT_EQUAL(caps, SMTP_CAP_8BITMIME | SMTP_CAP_SMTPUTF8);
	ssize_t n = read(server, said, sizeof said);
	CU_ASSERT(n > 0 && sv_eqs((struct sv){ said, (size_t)n }, "EHLO me.example\r\n"));
	conn_close(&c);
	close(server);
}

static void a_server_that_will_not_talk_is_an_error_with_its_words(void)
{
	static const struct {
		const char *says;
		enum err_kind kind;
		const char *in_text;
	} t[] = {
		{ "421 4.7.0 too many\r\n", ERR_TEMP, "421 4.7.0 too many" },
		{ "554 go away\r\n", ERR_TEMP, "554 go away" },
		{ "220 mx\r\n500 what?\r\n", ERR_TEMP, "EHLO: 500 what?" },
		{ "hello\r\n", ERR_PEER, "not SMTP" },
		{ "250-a\r\n251 b\r\n", ERR_PEER, "not SMTP" },
		{ "220 mx\r\n", ERR_PEER, "" },
		{ "", ERR_PEER, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct conn c;
		struct err e = { 0 };
		unsigned caps;
		int server = open_server(&c, t[i].says);
		CU_ASSERT(!smtp_client_hello(&c, "me.example", &caps, &e));
		CU_ASSERT_EQUAL(e.kind, t[i].kind);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].in_text));
		conn_close(&c);
		close(server);
	}
}

static void an_answer_of_many_lines_is_joined_without_its_codes(void)
{
	struct conn c;
	struct err e = { 0 };
	struct smtp_answer a;
	int server = open_server(&c, "550-5.1.1 no\r\n550-5.1.1 such\tuser\r\n550 5.1.1 here\r\n250 2.0.0 next\r\n");
	CU_ASSERT(smtp_client_cmd(&c, &a, &e, "RCPT TO:<%s>", "x@y"));
	CU_ASSERT_EQUAL(a.code, 550);
	CU_ASSERT_STRING_EQUAL(a.dsn, "5.1.1");
	CU_ASSERT_STRING_EQUAL(a.text, "no such?user here");
	CU_ASSERT(smtp_client_answer(&c, &a, &e));
	CU_ASSERT_EQUAL(a.code, 250);
	CU_ASSERT_STRING_EQUAL(a.text, "next");
	conn_close(&c);
	close(server);
}

static void a_long_answer_is_cut(void)
{
	struct conn c;
	struct err e = { 0 };
	struct smtp_answer a;
	struct buf says = BUF_INIT(20000);
	for (int i = 0; i < 20; i++)
		buf_putf(&says, "250-%0300d\r\n", i);
	buf_puts(&says, "250 end\r\n");
	int server = open_server(&c, buf_str(&says));
	CU_ASSERT(smtp_client_answer(&c, &a, &e));
	CU_ASSERT_EQUAL(strlen(a.text), sizeof a.text - 1);
	conn_close(&c);
	close(server);
	buf_free(&says);
}

void suite_smtp_client(void)
{
	static const struct unit_case cases[] = {
		UNIT(hello_learns_what_the_server_can_do),
		UNIT(a_server_that_will_not_talk_is_an_error_with_its_words),
		UNIT(an_answer_of_many_lines_is_joined_without_its_codes),
		UNIT(a_long_answer_is_cut),
		UNIT_END,
	};
	unit_suite("smtp_client", cases);
}
