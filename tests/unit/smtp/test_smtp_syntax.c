#include "smtp/smtp.h"

#include "unit/unit.h"

static void a_line_is_cut_into_verb_and_argument(void)
{
	static const struct {
		const char *line, *verb, *arg;
	} t[] = {
		{ "QUIT", "QUIT", "" },
		{ "MAIL FROM:<a@b>  ", "MAIL", "FROM:<a@b>" },
		{ "NOOP \t x y\t", "NOOP", "x y" },
		{ "", "", "" },
		{ " QUIT", "", "QUIT" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv verb, arg;
		smtp_split(sv_of(t[i].line), &verb, &arg);
		CU_ASSERT(sv_eqs(verb, t[i].verb));
		CU_ASSERT(sv_eqs(arg, t[i].arg));
	}
}

static void parameters_are_keywords_with_or_without_a_value(void)
{
	static const struct {
		const char *text, *key, *value;
		bool bad;
	} t[] = {
		{ "SIZE=10", "SIZE", "10", false },
		{ "SMTPUTF8", "SMTPUTF8", "", false },
		{ "X-1=a+b", "X-1", "a+b", false },
		{ "a=\xc3\xbc", "a", "\xc3\xbc", false },
		{ "a=\xfc", "a", "\xfc", true },
		{ "=x", "", "x", true },
		{ "-a=x", "-a", "x", true },
		{ "a=", "a", "", true },
		{ "a=b=c", "a", "b=c", true },
		{ "a=b\x7f", "a", "b\x7f", true },
		{ "a_b", "a_b", "", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf line = BUF_INIT(100);
		struct sv rest, key, value;
		bool bad;
		buf_putf(&line, " %s  NEXT=1", t[i].text);
		rest = buf_sv(&line);
		CU_ASSERT(smtp_param(&rest, &key, &value, &bad));
		CU_ASSERT(sv_eqs(key, t[i].key));
		CU_ASSERT(sv_eqs(value, t[i].value));
		CU_ASSERT_EQUAL(bad, t[i].bad);
		CU_ASSERT(smtp_param(&rest, &key, &value, &bad) && sv_eqs(key, "NEXT") && !bad);
		CU_ASSERT(!smtp_param(&rest, &key, &value, &bad));
		buf_free(&line);
	}
}

static void a_reply_cannot_be_broken_by_its_text(void)
{
	static const struct {
		int code;
		const char *dsn, *text, *want;
	} t[] = {
		{ 250, "2.0.0", "Ok", "250 2.0.0 Ok\r\n" },
		{ 354, "", "Go on", "354 Go on\r\n" },
		{ 250, "", "", "250 \r\n" },
		{ 250, "2.1.5", "a\nb\nc", "250-2.1.5 a\r\n250-2.1.5 b\r\n250 2.1.5 c\r\n" },
		{ 550, "5.1.1", "x\r250 2.0.0 Ok", "550 5.1.1 x?250 2.0.0 Ok\r\n" },
		{ 550, "5.1.1", "\x01\x7f\t\x80", "550 5.1.1 ????\r\n" },
		{ 550, "5.1.1", "j\xc3\xbcrgen", "550 5.1.1 j\xc3\xbcrgen\r\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(1000);
		smtp_reply(&out, t[i].code, t[i].dsn, t[i].text);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
		buf_free(&out);
	}
}

/* RFC 5321 4.5.3.1.5 */
static void no_reply_line_has_more_than_512_bytes(void)
{
	static const char *const words[] = { "x", "word ", "\xc3\xbc", "\xe2\x82\xac " };
	for (size_t i = 0; i < COUNT(words); i++)
		for (size_t n = 1; n < 1500; n += 7) {
			struct buf text = BUF_INIT(10000), out = BUF_INIT(20000), back = BUF_INIT(10000);
			while (text.len < n)
				buf_puts(&text, words[i]);
			smtp_reply(&out, 550, "5.7.1", buf_str(&text));
			struct sv rest = buf_sv(&out), line, said;
			int code;
			bool more = true;
			while (sv_cut(&rest, '\n', &line) && line.n > 0) {
				CU_ASSERT(line.n < 512);
				CU_ASSERT(smtp_reply_line(line, &code, &more, &said) && code == 550);
				CU_ASSERT(sv_starts(said, SV("5.7.1 ")) && sv_is_utf8(said));
				buf_putsv(&back, sv_skip(said, 6));
				if (more && words[i][strlen(words[i]) - 1] == ' ')
					buf_putc(&back, ' ');
			}
			CU_ASSERT(!more);
			CU_ASSERT(sv_eq(sv_trim(buf_sv(&back)), sv_trim(buf_sv(&text))));
			buf_free(&text);
			buf_free(&out);
			buf_free(&back);
		}
}

static void reply_lines_of_a_server_are_read_strictly(void)
{
	static const struct {
		const char *line;
		int code; /* 0: refused */
		bool more;
		const char *text;
	} t[] = {
		{ "250 Ok\r\n", 250, false, "Ok" },
		{ "250-Ok", 250, true, "Ok" },
		{ "250", 250, false, "" },
		{ "550 5.1.1 no\n", 550, false, "5.1.1 no" },
		{ "199 x", 0, false, "" },
		{ "600 x", 0, false, "" },
		{ "571 not known, but there are such servers", 571, false, "not known, but there are such servers" },
		{ "25 x", 0, false, "" },
		{ "2500 x", 0, false, "" },
		{ "250_x", 0, false, "" },
		{ "+50 x", 0, false, "" },
		{ "", 0, false, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv text = SV("");
		int code = 0;
		bool more = false;
		CU_ASSERT_EQUAL(smtp_reply_line(sv_of(t[i].line), &code, &more, &text), t[i].code != 0);
		CU_ASSERT_EQUAL(code, t[i].code);
		CU_ASSERT_EQUAL(more, t[i].more);
		CU_ASSERT(sv_eqs(text, t[i].text));
	}
}

static void enhanced_codes_are_read_from_the_beginning(void)
{
	static const struct {
		const char *text, *dsn;
	} t[] = { { "5.1.1 no", "5.1.1" }, { "2.0.0", "2.0.0" }, { "4.10.999 x", "4.10.999" }, { "3.1.1 x", NULL },
		{ "5.1 x", NULL }, { "5.1.1.1 x", NULL }, { "5.01.1", NULL }, { "5.1.1x", NULL }, { " 5.1.1", NULL },
		{ "5.1.1000", NULL }, { "", NULL } };
	for (size_t i = 0; i < COUNT(t); i++) {
		char dsn[12] = "before";
		CU_ASSERT_EQUAL(smtp_dsn(sv_of(t[i].text), dsn), t[i].dsn != NULL);
		CU_ASSERT_STRING_EQUAL(dsn, t[i].dsn ? t[i].dsn : "before");
	}
}

void suite_smtp_syntax(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_line_is_cut_into_verb_and_argument),
		UNIT(parameters_are_keywords_with_or_without_a_value),
		UNIT(a_reply_cannot_be_broken_by_its_text),
		UNIT(no_reply_line_has_more_than_512_bytes),
		UNIT(reply_lines_of_a_server_are_read_strictly),
		UNIT(enhanced_codes_are_read_from_the_beginning),
		UNIT_END,
	};
	unit_suite("smtp_syntax", cases);
}
