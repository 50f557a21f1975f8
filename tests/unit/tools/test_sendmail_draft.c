#include "tools/sendmail_draft.h"

#include "base/fd.h"
#include "unit/unit.h"

static const struct {
	const char *in, *dots, *plain; /* dots: a lone dot ends the message; plain: it is text (-i) */
} cases_of_input[] = {
	{ "a\nb\n", "a\nb\n", "a\nb\n" },
	{ "a\r\nb\r\n", "a\nb\n", "a\nb\n" },
	{ "a\n.\nb\n", "a\n", "a\n.\nb\n" },
	{ "a\r\n.\r\nb\r\n", "a\n", "a\n.\nb\n" },
	{ ".\n", "", ".\n" },
	{ "a\n.", "a\n", "a\n." },
	{ "a\n.b\n..\nc", "a\n.b\n..\nc", "a\n.b\n..\nc" },
	{ "a.\n", "a.\n", "a.\n" },
	{ "a\rb\r\r\n", "a\rb\r\n", "a\rb\r\n" },
	{ "a\n.\rb\n", "a\n.\rb\n", "a\n.\rb\n" },
	{ "a\r", "a\r", "a\r" },
	{ "", "", "" },
};

static void any_chunking_gives_the_same_lines(void)
{
	for (size_t i = 0; i < COUNT(cases_of_input); i++) {
		struct sv in = sv_of(cases_of_input[i].in);
		for (size_t cut = 0; cut <= in.n; cut++) {
			for (int dots = 0; dots < 2; dots++) {
				struct line_filter f = { .dot_ends = dots };
				struct buf out = BUF_INIT(100);
				line_filter(&f, sv_sub(in, 0, cut), &out);
				line_filter(&f, sv_skip(in, cut), &out);
				line_filter_end(&f, &out);
				CU_ASSERT_STRING_EQUAL(buf_str(&out), dots ? cases_of_input[i].dots : cases_of_input[i].plain);
				buf_free(&out);
			}
		}
	}
}

static bool read_text(const char *text, uint64_t max, struct draft *ret, struct err *e)
{
	int in = fd_memfd("input", e);
	CU_ASSERT_TRUE_FATAL(in >= 0 && fd_write_all(in, text, strlen(text), e));
	CU_ASSERT_EQUAL(lseek(in, 0, SEEK_SET), 0);
	bool ok = draft_read(in, true, max, ret, e);
	close(in);
	return ok;
}

static void a_draft_knows_its_size_and_bytes(void)
{
	struct draft d;
	struct err e = { 0 };
	struct buf text = BUF_INIT(100);
	CU_ASSERT_TRUE_FATAL(read_text("h\xc3\xa9\r\n", 100, &d, &e));
	CU_ASSERT_TRUE(d.eight_bit);
	CU_ASSERT_EQUAL(d.size, 4);
	CU_ASSERT_TRUE(fd_read_file(d.fd, &text, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&text), "h\xc3\xa9\n");
	buf_free(&text);
	draft_close(&d);
}

static void a_message_over_the_limit_is_refused(void)
{
	struct draft d;
	struct err e = { 0 };
	CU_ASSERT_FALSE(read_text("12345\n", 5, &d, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
}

void suite_sendmail_draft(void)
{
	static const struct unit_case cases[] = { UNIT(any_chunking_gives_the_same_lines), UNIT(a_draft_knows_its_size_and_bytes),
		UNIT(a_message_over_the_limit_is_refused), UNIT_END };
	unit_suite("sendmail_draft", cases);
}
