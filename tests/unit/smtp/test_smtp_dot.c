#include "smtp/smtp.h"

#include "unit/unit.h"

static const struct dot_case {
	struct sv in, out;
	bool done;
	size_t used; /* of `in` */
	uint64_t bare_cr, bare_lf, nul, eight_bit, crlf;
} dots[] = {
	{ SV(".\r\n"), SV(""), true, 3, 0, 0, 0, 0, 0 },
	{ SV("a\r\n.\r\nQUIT\r\n"), SV("a\n"), true, 6, 0, 0, 0, 0, 1 },
	{ SV("..\r\n...a\r\n.\r\n"), SV(".\n..a\n"), true, 13, 0, 0, 0, 0, 2 },
	{ SV("a.\r\n.b\r\n.\r\n"), SV("a.\nb\n"), true, 11, 0, 0, 0, 0, 2 },
	{ SV("a\n.\r\nb"), SV("a\n.\nb"), false, 6, 0, 1, 0, 0, 1 },
	{ SV("a\r.\r\nb"), SV("a\r.\nb"), false, 6, 1, 0, 0, 0, 1 },
	{ SV("\r\n.\nb"), SV("\n\nb"), false, 5, 0, 1, 0, 0, 1 },
	{ SV("\r\n.\rb"), SV("\n\rb"), false, 5, 1, 0, 0, 0, 1 },
	{ SV("\r\n.\r\r\nb"), SV("\n\r\nb"), false, 7, 1, 0, 0, 0, 2 },
	{ SV("\r\r\n"), SV("\r\n"), false, 3, 1, 0, 0, 0, 1 },
	{ SV("\r\r\r\r\n"), SV("\r\r\r\n"), false, 5, 3, 0, 0, 0, 1 },
	{ SV("\n\n\n"), SV("\n\n\n"), false, 3, 0, 3, 0, 0, 0 },
	{ SV("a\0b\0\r\n"), SV("a\0b\0\n"), false, 6, 0, 0, 2, 0, 1 },
	{ SV("\x80\xff\x7f 0123456789\xe4\r\n"), SV("\x80\xff\x7f 0123456789\xe4\n"), false, 17, 0, 0, 0, 3, 1 },
	{ SV("\r\n.\0\r\n"), SV("\n\0\n"), false, 6, 0, 0, 1, 0, 2 },
};

/* Of BDAT: all of the input is used, and then it ends. */
static const struct dot_case chunks[] = {
	{ SV(".\r\n..\r\n"), SV(".\n..\n"), true, 7, 0, 0, 0, 0, 2 },
	{ SV("a\r\n.\r\nb"), SV("a\n.\nb"), true, 7, 0, 0, 0, 0, 2 },
	{ SV("a\r\n\r\nb\n"), SV("a\n\nb\n"), true, 7, 0, 1, 0, 0, 2 },
	{ SV("\r\r\n\ra"), SV("\r\n\ra"), true, 5, 2, 0, 0, 0, 1 },
	{ SV("a\r"), SV("a"), true, 2, 1, 0, 0, 0, 0 },
	{ SV("a\r\n\r"), SV("a\n"), true, 4, 1, 0, 0, 0, 1 },
	{ SV("\0\xff"), SV("\0\xff"), true, 2, 0, 0, 1, 1, 0 },
};
/* With BINARYMIME. */
static const struct dot_case binaries[] = {
	{ SV("a: b\r\n\r\n\r\n\n\r\0\xff."), SV("a: b\n\n\r\n\n\r\0\xff."), true, 15, 0, 0, 0, 1, 2 },
	{ SV("\r\n\r\n"), SV("\n\r\n"), true, 4, 0, 0, 0, 0, 1 },
	{ SV("a\nb\0\r\r\n\r\n\n"), SV("a\nb\0\r\n\n\n"), true, 10, 1, 1, 1, 0, 2 },
	{ SV("a\r\n\r\n\r"), SV("a\n\n\r"), true, 6, 0, 0, 0, 0, 2 },
	{ SV("a\r\n\r"), SV("a\n"), true, 4, 1, 0, 0, 0, 1 },
};

/* All ways of cutting the input and of small outputs. */
static void read_all(const struct dot_case *c, enum smtp_form form, size_t chunk, size_t room)
{
	struct smtp_dot d;
	struct buf out = BUF_INIT(1000);
	size_t used = 0;
	smtp_dot_init(&d, form);
	while (used < c->in.n && !d.done) {
		char piece[64];
		size_t made, n = smtp_dot_read(&d, sv_sub(c->in, used, chunk), piece, room, &made);
		CU_ASSERT_FATAL(made <= room && n + made > 0);
		used += n;
		buf_put(&out, piece, made);
	}
	if (form != SMTP_DATA)
		smtp_dot_end(&d);
	CU_ASSERT(sv_eq(buf_sv(&out), c->out));
	CU_ASSERT_EQUAL(d.done, c->done);
	CU_ASSERT_EQUAL(used, c->used);
	CU_ASSERT_EQUAL(d.bare_cr, c->bare_cr);
	CU_ASSERT_EQUAL(d.bare_lf, c->bare_lf);
	CU_ASSERT_EQUAL(d.nul, c->nul);
	CU_ASSERT_EQUAL(d.eight_bit, c->eight_bit);
	CU_ASSERT_EQUAL(d.crlf, c->crlf);
	buf_free(&out);
}

static void read_table(const struct dot_case *t, size_t n, enum smtp_form form)
{
	for (size_t i = 0; i < n; i++)
		for (size_t chunk = 1; chunk <= 18; chunk++)
			for (size_t room = 1; room <= 20; room++)
				read_all(&t[i], form, chunk, room);
}

static void every_chunking_of_a_message_gives_the_same(void)
{
	read_table(dots, COUNT(dots), SMTP_DATA);
	read_table(chunks, COUNT(chunks), SMTP_CHUNKS);
	read_table(binaries, COUNT(binaries), SMTP_BINARY);
}

static void stuff_all(struct sv in, size_t chunk, struct buf *out)
{
	struct smtp_stuff s = { 0 };
	for (size_t at = 0; at < in.n; at += chunk)
		smtp_stuff(&s, sv_sub(in, at, chunk), out);
	smtp_stuff_end(&s, out);
}

static void sending_doubles_dots_and_makes_crlf(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
		{ "", ".\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\n", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\n..\na.b\n", "..\r\n...\r\na.b\r\n.\r\n" },
		{ "a\r\n.b\r\n", "a\r\n..b\r\n.\r\n" },
		{ "a\rb\n\n\n", "a\rb\r\n\r\n\r\n.\r\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t chunk = 1; chunk <= 12; chunk++) {
			struct buf out = BUF_INIT(1000);
			stuff_all(sv_of(t[i].in), chunk, &out);
			CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
			buf_free(&out);
		}
}

static void what_is_sent_is_received(void)
{
	uint64_t r = 88172645463325252u; /* a fixed seed: xorshift */
	for (int round = 0; round < 3000; round++) {
		static const char from[] = "\n\n..ab\0\x80";
		struct buf text = BUF_INIT(100), wire = BUF_INIT(400);
		char back[100];
		size_t made;
		struct smtp_dot d;
		for (int i = 0; i < round % 60; i++) {
			r ^= r << 13, r ^= r >> 7, r ^= r << 17;
			buf_putc(&text, from[r % (sizeof from - 1)]);
		}
		if (text.len > 0)
			buf_putc(&text, '\n');
		stuff_all(buf_sv(&text), 1 + (size_t)round % 7, &wire);
		smtp_dot_init(&d, SMTP_DATA);
		CU_ASSERT_EQUAL(smtp_dot_read(&d, buf_sv(&wire), back, sizeof back, &made), wire.len);
		CU_ASSERT(d.done && d.bare_cr == 0 && d.bare_lf == 0);
		CU_ASSERT(sv_eq((struct sv){ back, made }, buf_sv(&text)));
		buf_free(&text);
		buf_free(&wire);
	}
}

void suite_smtp_dot(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_chunking_of_a_message_gives_the_same),
		UNIT(sending_doubles_dots_and_makes_crlf),
		UNIT(what_is_sent_is_received),
		UNIT_END,
	};
	unit_suite("smtp_dot", cases);
}
