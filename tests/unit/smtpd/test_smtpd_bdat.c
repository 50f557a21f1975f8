#include "world.h"

#include "unit/unit.h"

#define HELLO "EHLO c.example\r\n"
#define MAIL "MAIL FROM:<a@c.example>\r\n"
#define BINARY "MAIL FROM:<a@c.example> BODY=BINARYMIME\r\n"
#define RCPT "RCPT TO:<user@here.example>\r\n"
#define BEGUN HELLO MAIL RCPT

static const struct dialog {
	const char *in, *want;
	unsigned commits;
} dialogs[] = {
	{ BEGUN "BDAT 8 LAST\r\na: b\r\n\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 250/2.0.0 221/2.0.0", 1 },
	{ BEGUN "bdat 4\r\na: bBDAT 4\r\n\r\n\r\nBDAT 0 last\r\n", "250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0 250/2.0.0", 1 },
	{ BEGUN "BDAT 0\r\nBDAT 0 LAST\r\n", "250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0", 1 },
	{ BEGUN "BDAT 0 LAST\r\n" MAIL RCPT "BDAT 1 LAST\r\nx", "250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0",
		2 },
	/* a CR and its LF in two chunks are one line end */
	{ BEGUN "BDAT 2\r\nx\rBDAT 1 LAST\r\n\n", "250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0", 1 },
	{ BEGUN "BDAT 2 LAST\r\nx\rNOOP\r\n", "250 250/2.1.0 250/2.1.5 550/5.6.11 250/2.0.0", 0 },
	{ BEGUN "BDAT 2 LAST\r\nx\nNOOP\r\n", "250 250/2.1.0 250/2.1.5 550/5.6.11 250/2.0.0", 0 },
	/* refused ones swallow what they announced, and are answered behind it */
	{ "BDAT 6\r\nQUIT\r\nNOOP\r\n", "503/5.5.1 250/2.0.0", 0 },
	{ HELLO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "250 503/5.5.1 250/2.0.0", 0 },
	{ HELLO MAIL "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "250 250/2.1.0 503/5.5.1 250/2.0.0", 0 },
	{ HELLO MAIL "RCPT TO:<nosuch@here.example>\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\n",
		"250 250/2.1.0 550/5.1.1 554/5.5.1 250/2.1.0", 0 },
	/* the rest of a failed message, pipelined, is not another one */
	{ BEGUN "BDAT 2\r\nx\rBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" MAIL RCPT,
		"250 250/2.1.0 250/2.1.5 250/2.0.0 550/5.6.11 503/5.5.1 250/2.1.0 250/2.1.5", 0 },
	{ BEGUN "BDAT 2\r\n\nxBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" MAIL RCPT,
		"250 250/2.1.0 250/2.1.5 550/5.6.11 503/5.5.1 503/5.5.1 250/2.1.0 250/2.1.5", 0 },
	{ BEGUN "BDAT 1\r\nxRSET\r\nBDAT 6 LAST\r\nQUIT\r\n" MAIL RCPT "BDAT 1 LAST\r\ny",
		"250 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0 503/5.5.1 250/2.1.0 250/2.1.5 250/2.0.0", 1 },
	/* within a message */
	{ BEGUN "BDAT 1\r\nxDATA\r\nMAIL FROM:<>\r\n" RCPT "NOOP\r\nHELP BDAT\r\nBDAT 0 LAST\r\n",
		"250 250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0 214/2.0.0 250/2.0.0", 1 },
	{ BEGUN "BDAT 1\r\nx" HELLO "BDAT 0 LAST\r\n", "250 250/2.1.0 250/2.1.5 250/2.0.0 250 503/5.5.1", 0 },
	/* without a size there is no next command */
	{ BEGUN "BDAT\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT -1\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT 1k\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT 1 FIRST\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT 1 LAST LAST\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT 9223372036854775808\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5 421/4.5.4", 0 },
	{ BEGUN "BDAT 9223372036854775807\r\nQUIT\r\n", "250 250/2.1.0 250/2.1.5", 0 },
	/* BINARYMIME comes by BDAT alone */
	{ HELLO BINARY RCPT "DATA\r\nBDAT 4 LAST\r\n\r\n\n\r", "250 250/2.1.0 250/2.1.5 503/5.5.1 250/2.0.0", 1 },
	{ HELLO BINARY "RCPT TO:<forward@here.example>\r\nRCPT TO:<list@here.example>\r\n" RCPT,
		"250 250/2.1.0 250/2.1.5 250/2.1.5 250/2.1.5", 0 },
	{ HELLO BINARY RCPT "BDAT 3 LAST\r\na\nb", "250 250/2.1.0 250/2.1.5 550/5.6.11", 0 },
};

static void every_octet_of_a_chunk_is_counted_whatever_becomes_of_it(void)
{
	for (size_t i = 0; i < COUNT(dialogs); i++)
		for (size_t chunk = 1; chunk <= 200; chunk += 13) {
			struct world w;
			struct buf codes = BUF_INIT(4000);
			world_open(&w, CLIENT_NET);
			world_say(&w, sv_of(dialogs[i].in), chunk);
			if (strcmp(world_codes(&w, &codes), dialogs[i].want) != 0)
				fprintf(stderr, "\n%s\n  gave %s\n  not  %s\n", dialogs[i].in, buf_str(&codes), dialogs[i].want);
			CU_ASSERT_STRING_EQUAL(buf_str(&codes), dialogs[i].want);
			CU_ASSERT_EQUAL(w.commits, dialogs[i].commits);
			buf_free(&codes);
			world_close(&w);
		}
}

/* `message` in chunks of `size`, the last one empty or not. */
static void send_chunks(struct world *w, struct sv message, size_t size, bool empty_last)
{
	while (message.n > 0) {
		char command[60];
		struct sv part = sv_sub(message, 0, size);
		message = sv_skip(message, part.n);
		snprintf(command, sizeof command, "BDAT %zu%s\r\n", part.n, message.n == 0 && !empty_last ? " LAST" : "");
		world_say(w, sv_of(command), 1000);
		world_say(w, part, 70000);
	}
	if (empty_last)
		world_say(w, SV("BDAT 0 LAST\r\n"), 100);
}

static void check_stored(struct sv wire, struct sv want, const char *begin, size_t size, bool empty_last)
{
	struct world w;
	world_open(&w, CLIENT_NET);
	world_say(&w, sv_of(begin), 1000);
	send_chunks(&w, wire, size, empty_last);
	CU_ASSERT_EQUAL(w.commits, 1);
	CU_ASSERT_EQUAL(w.s.phase, PH_HELLO);
	CU_ASSERT(sv_ends(buf_sv(&w.file), want));
	CU_ASSERT_EQUAL(w.asked.size, want.n);
	CU_ASSERT(sv_eq(buf_sv(&w.checked), want));
	world_close(&w);
}

static void a_message_is_the_same_in_whatever_chunks_it_comes(void)
{
	static const size_t sizes[] = { 1000, 65536, 262144, 262145, 1048575, 1048576, 3000000 };
	struct buf wire = BUF_INIT(1 << 22), want = BUF_INIT(1 << 22);
	buf_puts(&wire, "Subject: x\r\n\r\n..\r\n.\r\n");
	buf_puts(&want, "Subject: x\n\n..\n.\n");
	for (unsigned i = 0; want.len < 1500000; i++) {
		buf_putf(&wire, "line %u\r\n", i);
		buf_putf(&want, "line %u\n", i);
	}
	for (size_t i = 0; i < COUNT(sizes); i++)
		check_stored(buf_sv(&wire), buf_sv(&want), BEGUN, sizes[i], i % 2);
	for (size_t size = 1; size < 15; size++)
		check_stored(sv_sub(buf_sv(&wire), 0, 21), sv_sub(buf_sv(&want), 0, 17), BEGUN, size, size % 2);
	buf_free(&wire);
	buf_free(&want);
}

static void binary_content_is_kept_byte_by_byte_below_its_header(void)
{
	static const char wire[] = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\n\n\r\0\xff.\r\n.\r\nend\r";
	static const char want[] = "MIME-Version: 1.0\nContent-Transfer-Encoding: binary\n\n\r\n\n\r\0\xff.\r\n.\r\nend\r";
	struct sv in = { wire, sizeof wire - 1 }, out = { want, sizeof want - 1 };
	for (size_t size = 1; size < 80; size++)
		check_stored(in, out, HELLO BINARY RCPT, size, false);
}

static void a_binary_message_says_so_in_its_envelope(void)
{
	struct world w;
	struct spool_envelope env;
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(HELLO BINARY RCPT "BDAT 3 LAST\r\n\r\n\n"), 1000);
	CU_ASSERT_FATAL(spool_envelope_parse(buf_sv(&w.file), &env, NULL));
	CU_ASSERT_STRING_EQUAL(env.postern, "body=BINARYMIME");
	CU_ASSERT_FALSE(env.plain);
	spool_envelope_free(&env);
	world_close(&w);
}

static void what_was_streamed_of_a_message_that_is_given_up_is_void(void)
{
	static const char *const ends[] = { "RSET\r\n", HELLO, "BDAT 1\r\n\nBDAT 1 LAST\r\nx" };
	struct buf line = BUF_INIT(2000000);
	buf_fill(&line, 'x', 1200000);
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct world w;
		world_open(&w, CLIENT_NET);
		world_say(&w, SV(BEGUN "BDAT 1200000\r\n"), 1000);
		world_say(&w, buf_sv(&line), 65536);
		CU_ASSERT(w.in_hand && w.s.txn.body.streamed);
		world_say(&w, sv_of(ends[i]), 1000);
		CU_ASSERT_EQUAL(w.abandons, 1);
		CU_ASSERT_EQUAL(w.commits, 0);
		CU_ASSERT_EQUAL(w.s.phase, PH_HELLO);
		world_close(&w);
	}
	buf_free(&line);
}

static void a_message_in_chunks_has_the_same_limits(void)
{
	struct world w;
	struct buf codes = BUF_INIT(1000), big = BUF_INIT(1 << 22);
	buf_fill(&big, 'x', 2000000);
	world_open(&w, CLIENT_NET);
	world_say(&w, SV(BEGUN), 1000);
	buf_reset(&w.replies);
	for (int i = 0; i < 2; i++) {
		world_say(&w, SV("BDAT 2000000\r\n"), 100);
		world_say(&w, buf_sv(&big), 100000);
	}
	world_say(&w, SV("BDAT 0 LAST\r\n"), 100);
	CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), "250/2.0.0 552/5.3.4 503/5.5.1");
	buf_reset(&w.replies);
	w.full = true;
	world_say(&w, SV(MAIL RCPT "BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\n"), 100);
	CU_ASSERT_STRING_EQUAL(world_codes(&w, &codes), "250/2.1.0 250/2.1.5 452/4.3.1 503/5.5.1");
	buf_free(&codes);
	buf_free(&big);
	world_close(&w);
}

void suite_smtpd_bdat(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_octet_of_a_chunk_is_counted_whatever_becomes_of_it),
		UNIT(a_message_is_the_same_in_whatever_chunks_it_comes),
		UNIT(binary_content_is_kept_byte_by_byte_below_its_header),
		UNIT(a_binary_message_says_so_in_its_envelope),
		UNIT(what_was_streamed_of_a_message_that_is_given_up_is_void),
		UNIT(a_message_in_chunks_has_the_same_limits),
		UNIT_END,
	};
	unit_suite("smtpd_bdat", cases);
}
