#include "unit/spool/spool_file.h"

#include "base/fd.h"
#include "unit/unit.h"

static const struct spool_sample plain = { .sender = "al@client.example", .rcpts = { "bob@example.net" } };
static const struct spool_sample several = { .sender = "",
	.rcpts = { "bob@example.net", "\"odd one\"@example.net", "c@example.org" },
	.orig = "alias@example.net",
	.postern = "body=8BITMIME",
	.trust = SPOOL_LOCAL };

static int file_of(struct sv content)
{
	int fd = fd_memfd("queue file", NULL);
	BUG_IF(fd < 0 || !fd_write_all(fd, content.p, content.n, NULL));
	return fd;
}

static bool is_complete(struct sv content)
{
	struct spool_envelope env;
	int fd = file_of(content);
	bool ok = spool_envelope_read(fd, &env, NULL);
	if (ok) {
		ok = spool_verify(fd, &env, NULL);
		spool_envelope_free(&env);
	}
	close(fd);
	return ok;
}

static void the_plain_form_is_a_mail_that_says_all(void)
{
	struct buf b = BUF_INIT(0);
	spool_sample_make(&plain, &b, NULL);
	CU_ASSERT_TRUE(sv_starts(buf_sv(&b), SV("Return-Path: <al@client.example>\nDelivered-To: bob@example.net\n"
						"Received: from c.example ([192.0.2.1])\n\tby mx.example (Postern) with "
						"ESMTP\n\tid 0123456000g00000 (s=0000000")));
	CU_ASSERT_TRUE(sv_ends(buf_sv(&b), SV("\nX-Verdict: fine\nSubject: x\n\nhello\n")));
	buf_free(&b);
}

static void the_plain_form_is_read_as_written(void)
{
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	struct spool_marks m;
	char text[MADDR_TEXT_MAX + 1];
	spool_sample_make(&plain, &b, &m);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	CU_ASSERT_TRUE(env.plain);
	CU_ASSERT_STRING_EQUAL(maddr_text(&env.sender, text), "al@client.example");
	CU_ASSERT_EQUAL_FATAL(env.n_rcpt, 1);
	CU_ASSERT_STRING_EQUAL(maddr_text(&env.rcpt[0].addr, text), "bob@example.net");
	CU_ASSERT_TRUE(env.rcpt[0].orig.null);
	CU_ASSERT_EQUAL(env.rcpt[0].status, SPOOL_TODO);
	CU_ASSERT_EQUAL(env.trust, SPOOL_STRANGER);
	CU_ASSERT_EQUAL(env.size, b.len);
	CU_ASSERT_EQUAL(env.received_at, m.received_at);
	CU_ASSERT_STRING_EQUAL(env.id.text, "0123456000g00000");
	spool_envelope_free(&env);
	buf_free(&b);
}

static void several_recipients_are_read_as_written(void)
{
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	char text[MADDR_TEXT_MAX + 1];
	spool_sample_make(&several, &b, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	CU_ASSERT_FALSE(env.plain);
	CU_ASSERT_TRUE(env.sender.null);
	CU_ASSERT_EQUAL(env.trust, SPOOL_LOCAL);
	CU_ASSERT_STRING_EQUAL(env.postern, "body=8BITMIME");
	CU_ASSERT_EQUAL_FATAL(env.n_rcpt, 3);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_STRING_EQUAL(maddr_text(&env.rcpt[i].addr, text), several.rcpts[i]);
		CU_ASSERT_EQUAL(b.data[env.rcpt[i].status_at], '.');
		CU_ASSERT_EQUAL(env.rcpt[i].number, i);
	}
	CU_ASSERT_STRING_EQUAL(maddr_text(&env.rcpt[0].orig, text), "alias@example.net");
	CU_ASSERT_TRUE(env.rcpt[1].orig.null);
	spool_envelope_free(&env);
	buf_free(&b);
}

static void an_original_recipient_keeps_the_plain_form(void)
{
	struct spool_sample s = plain;
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	char text[MADDR_TEXT_MAX + 1];
	s.orig = "info@example.net";
	spool_sample_make(&s, &b, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	CU_ASSERT_TRUE(env.plain);
	CU_ASSERT_STRING_EQUAL(maddr_text(&env.rcpt[0].orig, text), "info@example.net");
	spool_envelope_free(&env);
	buf_free(&b);
}

/* However the file is cut off, it is never taken for whole; however much of the head was read, it is never taken for foreign. */
static void a_torn_file_is_never_complete(void)
{
	const struct spool_sample *t[] = { &plain, &several };
	for (size_t k = 0; k < COUNT(t); k++) {
		struct buf b = BUF_INIT(0);
		struct spool_envelope env;
		struct err e;
		spool_sample_make(t[k], &b, NULL);
		CU_ASSERT_TRUE(is_complete(buf_sv(&b)));
		for (size_t n = 0; n < b.len; n++) {
			CU_ASSERT_FALSE(is_complete((struct sv){ b.data, n }));
			if (spool_envelope_parse((struct sv){ b.data, n }, &env, &e))
				spool_envelope_free(&env);
			else
				CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
		}
		buf_free(&b);
	}
}

static bool is_status(const struct buf *b, size_t at) { return at >= 12 && memcmp(b->data + at - 12, "Postern-To: ", 12) == 0; }

static void a_flipped_bit_is_found_wherever_it_is_but_in_the_status(void)
{
	const struct spool_sample *t[] = { &plain, &several };
	for (size_t k = 0; k < COUNT(t); k++) {
		struct buf b = BUF_INIT(0);
		spool_sample_make(t[k], &b, NULL);
		for (size_t i = 0; i < b.len; i++) {
			b.data[i] ^= 1;
			if (!is_status(&b, i))
				CU_ASSERT_FALSE(is_complete(buf_sv(&b)));
			b.data[i] ^= 1;
		}
		buf_free(&b);
	}
}

static void status_bytes_may_change_and_the_file_stays_complete(void)
{
	static const char status[] = { SPOOL_TODO, SPOOL_DONE, SPOOL_FAILED, SPOOL_SPLIT };
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	spool_sample_make(&several, &b, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	for (size_t i = 0; i < COUNT(status); i++) {
		b.data[env.rcpt[1].status_at] = status[i];
		CU_ASSERT_TRUE(is_complete(buf_sv(&b)));
	}
	b.data[env.rcpt[1].status_at] = 'x';
	CU_ASSERT_FALSE(is_complete(buf_sv(&b)));
	spool_envelope_free(&env);
	buf_free(&b);
}

static void zeros_behind_the_message_are_padding(void)
{
	struct buf b = BUF_INIT(0);
	spool_sample_make(&plain, &b, NULL);
	buf_fill(&b, '\0', 5000);
	CU_ASSERT_TRUE(is_complete(buf_sv(&b)));
	buf_free(&b);
}

static void an_envelope_longer_than_the_first_read_is_read_whole(void)
{
	struct spool_rcpt rcpt[200] = { 0 };
	struct maddr sender = { .null = true };
	struct spool_compose c = { .sender = &sender,
		.rcpt = rcpt,
		.n_rcpt = COUNT(rcpt),
		.received = SV("by x"),
		.trust = SPOOL_LOCAL,
		.id = sample_id("0123456000g00000") };
	struct buf b = BUF_INIT(SPOOL_HEADER_MAX);
	struct spool_marks m;
	struct spool_envelope env;
	for (size_t i = 0; i < COUNT(rcpt); i++) {
		char text[64];
		snprintf(text, sizeof(text), "user-with-a-long-name-%zu@example.net", i);
		CU_ASSERT_TRUE_FATAL(maddr_parse(sv_of(text), 0, &rcpt[i].addr, NULL));
		rcpt[i].orig.null = true;
		rcpt[i].cls = i % 2 == 0 ? CLASS_LOCAL : CLASS_REMOTE;
	}
	CU_ASSERT_TRUE_FATAL(spool_compose(&c, SV(""), false, &b, &m, NULL));
	spool_seal(&b, &m, 0, 0);
	int fd = file_of(buf_sv(&b));
	CU_ASSERT_TRUE_FATAL(spool_envelope_read(fd, &env, NULL));
	CU_ASSERT_EQUAL(env.n_rcpt, COUNT(rcpt));
	CU_ASSERT_EQUAL(env.rcpt[199].cls, CLASS_REMOTE);
	CU_ASSERT_TRUE(spool_verify(fd, &env, NULL));
	spool_envelope_free(&env);
	close(fd);
	buf_free(&b);
}

#define MARK "\n\tid 0123456000g00000 (s=0000000300 c=00000000 t=s); x\nSubject: y\n"
static void what_is_no_queue_file_is_told_from_a_short_read(void)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} t[] = {
		{ "", ERR_LIMIT },
		{ "Return", ERR_LIMIT },
		{ "X", ERR_PERM },
		{ "From: me\n\nhello\n", ERR_PERM },
		{ "Return-Path: al@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nReturn-Path: <al@x.example>\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nReceived: from a" MARK, ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nDelivered-To: c@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nPostern-To: . local 0 b@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nPostern-To: . local 1 b@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nPostern-To: ? local 0 b@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nPostern-To: . uucp 0 b@x.example\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nPostern-To: . local 0 \n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nSubject: x\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: forged\n\nx\n", ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: from a\n\tid 012345678", ERR_LIMIT },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: from a\n\tid 0123456000g00000 (s=0000000300 "
		  "c=0000000g t=s); x\n",
			ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: from a\n\tid 0123456000g00000 (s=0000000300 "
		  "c=00000000 t=x); x\n",
			ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: from a\n\tid 0123456000g00000 (s=0000000003 "
		  "c=00000000 t=s); x\n",
			ERR_PERM },
		{ "Return-Path: <al@x.example>\nDelivered-To: b@x.example\nReceived: from a" MARK, ERR_NONE },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_envelope env;
		struct err e = { .kind = ERR_NONE };
		if (spool_envelope_parse(sv_of(t[i].text), &env, &e))
			spool_envelope_free(&env);
		CU_ASSERT_EQUAL(e.kind, t[i].kind);
	}
}

static void lines_of_a_later_version_are_kept_and_end_the_plain_form(void)
{
	struct spool_envelope env;
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(
		SV("Return-Path: <al@x.example>\nX-Postern-Later: y\nDelivered-To: b@x.example\nReceived: from a" MARK), &env,
		NULL));
	CU_ASSERT_FALSE(env.plain);
	spool_envelope_free(&env);
}

static void nothing_can_put_a_line_of_its_own_into_the_envelope(void)
{
	static const struct {
		const char *received, *for_text, *postern;
	} t[] = {
		{ "a\nDelivered-To: x@y", "", "" },
		{ "a\r\n\tb", "", "" },
		{ "a\n", "", "" },
		{ "a", "b>\nX: y", "" },
		{ "a", "", "b=c\nX: y" },
		{ "a\n\tid 0123456000g00000 (s=0000000001 c=00000000 t=l)", "", "" },
	};
	struct spool_rcpt rcpt = { .cls = CLASS_LOCAL, .orig.null = true };
	struct maddr sender = { .null = true };
	struct buf b = BUF_INIT(10000);
	CU_ASSERT_TRUE_FATAL(maddr_parse(SV("b@x.example"), 0, &rcpt.addr, NULL));
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_compose c = { .sender = &sender,
			.rcpt = &rcpt,
			.n_rcpt = 1,
			.received = sv_of(t[i].received),
			.for_text = sv_of(t[i].for_text),
			.postern = sv_of(t[i].postern),
			.trust = SPOOL_LOCAL,
			.id = sample_id("0123456000g00000") };
		struct spool_marks m;
		CU_ASSERT_FALSE(spool_compose(&c, SV(""), false, &b, &m, NULL));
	}
	buf_free(&b);
}

/* Lines of at most 998 bytes, no line of blanks alone, only whole fields. */
static bool is_header(struct sv text)
{
	struct sv line;
	while (text.n > 0 && sv_cut(&text, '\n', &line))
		if (line.n == 0 || line.n > 998 || sv_trim(line).n == 0)
			return false;
	return true;
}

static void the_room_takes_whole_fields_and_stays_a_header(void)
{
	struct spool_sample s = plain;
	struct buf b = BUF_INIT(0), verdict = BUF_INIT(10000);
	struct spool_marks m;
	s.room = true;
	for (size_t n = 0; n < SPOOL_ROOM + 200; n += n < SPOOL_ROOM - 100 ? 97 : 1) {
		buf_free(&b);
		buf_reset(&verdict);
		spool_sample_make(&s, &b, &m);
		buf_puts(&verdict, "X-First: a\n\tb\n");
		if (n > 10) {
			buf_puts(&verdict, "X-Long: ");
			buf_fill(&verdict, 'x', n - 9);
			buf_putc(&verdict, '\n');
		}
		spool_fill_room(&b, &m, buf_sv(&verdict));
		struct sv room = { b.data + m.room_at, m.header_len - m.room_at };
		CU_ASSERT_EQUAL(room.n, SPOOL_ROOM);
		CU_ASSERT_TRUE(sv_starts(room, SV("X-First: a\n\tb\n")));
		CU_ASSERT_TRUE(sv_ends(room, SV("\n")));
		bool whole = verdict.len == SPOOL_ROOM || verdict.len + 16 <= SPOOL_ROOM;
		CU_ASSERT_EQUAL(sv_find(room, SV("X-Long")) >= 0, whole && n > 10);
		if (n < 900)
			CU_ASSERT_TRUE(is_header(room));
	}
	buf_free(&b);
	buf_free(&verdict);
}

void suite_spool_envelope(void)
{
	static const struct unit_case cases[] = { UNIT(the_plain_form_is_a_mail_that_says_all),
		UNIT(the_plain_form_is_read_as_written), UNIT(several_recipients_are_read_as_written),
		UNIT(an_original_recipient_keeps_the_plain_form), UNIT(a_torn_file_is_never_complete),
		UNIT(a_flipped_bit_is_found_wherever_it_is_but_in_the_status),
		UNIT(status_bytes_may_change_and_the_file_stays_complete), UNIT(zeros_behind_the_message_are_padding),
		UNIT(an_envelope_longer_than_the_first_read_is_read_whole), UNIT(what_is_no_queue_file_is_told_from_a_short_read),
		UNIT(lines_of_a_later_version_are_kept_and_end_the_plain_form),
		UNIT(nothing_can_put_a_line_of_its_own_into_the_envelope), UNIT(the_room_takes_whole_fields_and_stays_a_header),
		UNIT_END };
	unit_suite("spool_envelope", cases);
}
