#include "unit/unit.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#define REAL_MS 1795464636123u /* 2026-11-23T20:10:36.123Z */
#define KVS(...) ((const struct log_kv[]){ __VA_ARGS__ __VA_OPT__(, ){ .kind = LOG_KV_END } })

static const struct log_who who = { .daemon = "smtpd", .pid = 812, .sid = "" };

static struct buf packet_of(enum log_level level, const char *event, const struct log_kv *kv)
{
	struct buf b = BUF_INIT(LOG_PACKET_MAX);

	log_packet_as(&b, &who, level, REAL_MS, event, kv);
	CU_ASSERT_TRUE(buf_ok(&b));
	return b;
}

static struct buf text_of(struct sv packet)
{
	struct buf b = BUF_INIT(2 * LOG_PACKET_MAX);

	CU_ASSERT_TRUE(log_packet_text(packet, &b));
	return b;
}

static void an_event_is_one_line_with_fixed_columns(void)
{
	const struct {
		enum log_level level;
		const struct log_kv *kv;
		const char *want;
	} t[] = {
		{ LOG_LEVEL_INFO, KVS(), "- ev\n" },
		{ LOG_LEVEL_INFO, KVS(KV_SID("4kq9"), KV_QID("0a1b")), "4kq9/0a1b ev\n" },
		{ LOG_LEVEL_INFO, KVS(KV_SID("4kq9")), "4kq9/- ev\n" },
		{ LOG_LEVEL_INFO, KVS(KV_STR("from", "<a@b.example>"), KV_QID("0a1b"), KV_U64("size", 4123)),
			"-/0a1b ev from=<a@b.example> size=4123\n" },
		{ LOG_LEVEL_WARN, KVS(KV_U64("n", UINT64_MAX)), "- ev level=warn n=18446744073709551615\n" },
		{ LOG_LEVEL_ERROR, KVS(), "- ev level=error\n" },
		{ LOG_LEVEL_DEBUG, KVS(), "- ev\n" },
		{ LOG_LEVEL_INFO, KVS(KV_STR("k", "")), "- ev k=\n" },
		{ LOG_LEVEL_INFO, KVS(KV_STR("k", NULL)), "- ev k=\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf packet = packet_of(t[i].level, "ev", t[i].kv), line = text_of(buf_sv(&packet));
		CU_ASSERT_TRUE(sv_starts(buf_sv(&line), SV("2026-11-23T20:10:36.123Z smtpd[812] ")));
		CU_ASSERT_STRING_EQUAL(buf_str(&line) + 36, t[i].want);
		buf_free(&packet);
		buf_free(&line);
	}
}

static void no_value_can_forge_a_line_or_a_field(void)
{
	static const struct {
		struct sv value;
		const char *text, *json;
	} t[] = {
		/* clang-format off */
		{ { "plain", 5 }, "k=plain", "\"k\":\"plain\"" },
		{ { "a b", 3 }, "k=\"a b\"", "\"k\":\"a b\"" },
		{ { "a=b", 3 }, "k=\"a=b\"", "\"k\":\"a=b\"" },
		{ { "a\nb", 3 }, "k=a\\x0ab", "\"k\":\"a\\\\x0ab\"" },
		{ { "a\r\n2026 x", 9 }, "k=\"a\\x0d\\x0a2026 x\"", "\"k\":\"a\\\\x0d\\\\x0a2026 x\"" },
		{ { "\" to=x", 6 }, "k=\"\\x22 to=x\"", "\"k\":\"\\\\x22 to=x\"" },
		{ { "\\x0a", 4 }, "k=\\x5cx0a", "\"k\":\"\\\\x5cx0a\"" },
		{ { "a\0b", 3 }, "k=a\\x00b", "\"k\":\"a\\\\x00b\"" },
		{ { "\x1b[2J", 4 }, "k=\\x1b[2J", "\"k\":\"\\\\x1b[2J\"" },
		{ { "\xc2\x9b" "2J", 4 }, "k=\\xc2\\x9b2J", "\"k\":\"\\\\xc2\\\\x9b2J\"" },
		{ { "\xff\xfe", 2 }, "k=\\xff\\xfe", "\"k\":\"\\\\xff\\\\xfe\"" },
		{ { "M\xc3\xbcll", 5 }, "k=M\xc3\xbcll", "\"k\":\"M\xc3\xbcll\"" },
		{ { "\xe2\x82", 2 }, "k=\\xe2\\x82", "\"k\":\"\\\\xe2\\\\x82\"" },
		{ { "12", 2 }, "k=12", "\"k\":\"12\"" }, /* text stays text */
	};
	/* clang-format on */
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf packet = packet_of(LOG_LEVEL_INFO, "ev", KVS(KV_SV("k", t[i].value))), json = BUF_INIT(10000);
		struct buf line = text_of(buf_sv(&packet));
		CU_ASSERT_TRUE(log_packet_json(buf_sv(&packet), &json));
		CU_ASSERT_TRUE(sv_ends(sv_trim(buf_sv(&line)), sv_of(t[i].text)));
		CU_ASSERT_EQUAL(sv_chr(buf_sv(&line), '\n'), (ptrdiff_t)line.len - 1);
		CU_ASSERT_TRUE(sv_find(buf_sv(&json), sv_of(t[i].json)) > 0);
		buf_free(&packet);
		buf_free(&line);
		buf_free(&json);
	}
}

static void names_cannot_break_the_columns(void)
{
	struct log_who odd = { .daemon = "a b[1]", .pid = 7, .sid = "x y" };
	struct buf packet = BUF_INIT(LOG_PACKET_MAX);

	log_packet_as(&packet, &odd, LOG_LEVEL_INFO, REAL_MS, "ev ent", KVS(KV_QID("q/q\nq")));
	struct buf line = text_of(buf_sv(&packet));
	CU_ASSERT_STRING_EQUAL(buf_str(&line) + 25, "a?b[1][7] x?y/q?q?q ev?ent\n");
	buf_free(&line);
	log_packet_as(&packet, &who, LOG_LEVEL_INFO, REAL_MS, "ev", KVS(KV_QID("0123456789012345678901234567890123456789")));
	line = text_of(buf_sv(&packet));
	CU_ASSERT_STRING_EQUAL(buf_str(&line) + 36, "-/? ev\n"); /* no identifier of ours is that long */
	buf_free(&packet);
	buf_free(&line);
}

static void a_json_line_is_one_object(void)
{
	struct buf packet =
		packet_of(LOG_LEVEL_WARN, "deferred", KVS(KV_SID("s1"), KV_QID("q1"), KV_STR("to", "<a@b>"), KV_U64("n", 3)));
	struct buf json = BUF_INIT(1000);

	CU_ASSERT_TRUE(log_packet_json(buf_sv(&packet), &json));
	CU_ASSERT_STRING_EQUAL(buf_str(&json),
		"{\"time\":\"2026-11-23T20:10:36.123Z\",\"level\":\"warn\",\"daemon\":\"smtpd\",\"pid\":812,"
		"\"sid\":\"s1\",\"qid\":\"q1\",\"event\":\"deferred\",\"to\":\"<a@b>\",\"n\":3}\n");
	buf_free(&packet);
	buf_free(&json);
}

static void long_values_are_cut_and_the_packet_keeps_its_limit(void)
{
	struct buf big = BUF_INIT(100000);
	static const char fills[] = { 'x', '\n', '\xff' };

	for (size_t i = 0; i < COUNT(fills); i++) {
		buf_reset(&big);
		buf_fill(&big, fills[i], 90000);
		struct sv v = buf_sv(&big);
		struct buf packet = packet_of(LOG_LEVEL_INFO, "ev",
			KVS(KV_SV("a", v), KV_SV("b", v), KV_SV("c", v), KV_SV("d", v), KV_SV("e", v), KV_U64("last", 1)));
		struct buf line = text_of(buf_sv(&packet));
		CU_ASSERT_TRUE(packet.len <= LOG_PACKET_MAX);
		CU_ASSERT_TRUE(packet.len > LOG_PACKET_MAX / 2);
		CU_ASSERT_TRUE(sv_find(buf_sv(&line), SV("... b=")) > 0); /* the cut shows */
		CU_ASSERT_TRUE(sv_find(buf_sv(&line), SV(" e=")) < 0);
		CU_ASSERT_TRUE(sv_find(buf_sv(&line), SV(" last=1\n")) > 0); /* a short one after it still fits */
		buf_free(&packet);
		buf_free(&line);
	}
	buf_free(&big);
}

static void a_value_of_the_longest_kind_is_whole(void)
{
	struct buf v = BUF_INIT(LOG_VALUE_MAX);

	buf_fill(&v, 'x', LOG_VALUE_MAX - 3);
	struct buf packet = packet_of(LOG_LEVEL_INFO, "ev", KVS(KV_SV("a", buf_sv(&v)))), line = text_of(buf_sv(&packet));
	CU_ASSERT_TRUE(sv_find(buf_sv(&line), SV("...")) < 0);
	CU_ASSERT_TRUE(sv_find(buf_sv(&line), buf_sv(&v)) > 0);
	buf_free(&packet);
	buf_free(&line);
	buf_free(&v);
}

/* A daemon that was taken over may send anything: each one-byte change of a packet is refused or is still a single line. */
static void a_changed_packet_is_refused_or_harmless(void)
{
	struct buf packet = packet_of(LOG_LEVEL_INFO, "ev", KVS(KV_QID("q"), KV_STR("k", "a\n\xc3\xbc"), KV_U64("n", 10)));
	struct buf out = BUF_INIT(2 * LOG_PACKET_MAX);
	size_t refused = 0;

	for (size_t at = 0; at < packet.len; at++)
		for (int c = 0; c < 256; c++) {
			char was = packet.data[at];
			packet.data[at] = (char)c;
			bool ok = log_packet_text(buf_sv(&packet), &out);
			CU_ASSERT_EQUAL(log_packet_json(buf_sv(&packet), &out), ok);
			struct sv rest = buf_sv(&out), line;
			size_t lines = 0;
			while (sv_cut(&rest, '\n', &line)) {
				CU_ASSERT_TRUE(sv_is_utf8(line) && !sv_has_ctl(line));
				lines++;
			}
			CU_ASSERT_EQUAL(lines, ok ? 3 : 1); /* the text, the JSON, and what follows the last newline */
			refused += !ok;
			buf_reset(&out);
			packet.data[at] = was;
		}
	CU_ASSERT_TRUE(refused > packet.len * 100);
	for (size_t n = 0; n < packet.len; n++) { /* cut short: fine only just after a pair, or after the event */
		bool ok = log_packet_text(sv_sub(buf_sv(&packet), 0, n), &out);
		CU_ASSERT_EQUAL(out.len > 0, ok);
		CU_ASSERT_TRUE(!ok || packet.data[n - 1] == '\0');
		buf_reset(&out);
	}
	buf_free(&packet);
	buf_free(&out);
}

static void malformed_packets_are_refused(void)
{
/* clang-format off */
#define HEAD "\x01\x02\0\0\x01\x98\0\0\0\0"
	static const struct {
		struct sv packet;
		bool ok;
	} t[] = {
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0"), true },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "v\0"), true },
		{ SV(""), false },
		{ SV("\x01"), false },
		{ SV(HEAD), false },
		{ SV("\x02\x02\0\0\x01\x98\0\0\0\0" "d\0" "1\0" "\0" "\0" "ev\0"), false },         /* another version */
		{ SV("\x01\x04\0\0\x01\x98\0\0\0\0" "d\0" "1\0" "\0" "\0" "ev\0"), false },         /* no such level */
		{ SV("\x01\x02\xff\0\x01\x98\0\0\0\0" "d\0" "1\0" "\0" "\0" "ev\0"), false },       /* beyond the year 9999 */
		{ SV(HEAD "\0" "1\0" "\0" "\0" "ev\0"), false },                                     /* no daemon */
		{ SV(HEAD "d\0" "1x\0" "\0" "\0" "ev\0"), false },                                   /* pid */
		{ SV(HEAD "d\0" "01\0" "\0" "\0" "ev\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "\0"), false },                                      /* no event */
		{ SV(HEAD "d\0" "1\0" "a/b\0" "\0" "ev\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "e v\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0"), false },                              /* a key alone */
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "v"), false },                          /* no end */
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "\0" "v\0"), false },                         /* no key */
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k=\0" "v\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "a\nb\0"), false },                     /* not escaped */
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "\"\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "\\n\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "\\x0\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "k\0" "\\x0A\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "#n\0" "1a\0"), false },                      /* a number that is none */
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "#n\0" "\0"), false },
		{ SV(HEAD "d\0" "1\0" "\0" "\0" "ev\0" "#\0" "1\0"), false },
	};
	/* clang-format on */
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(1000);
		buf_puts(&out, "before");
		CU_ASSERT_EQUAL(log_packet_text(t[i].packet, &out), t[i].ok);
		CU_ASSERT_EQUAL(out.len > 6, t[i].ok);
		buf_cut(&out, 6);
		CU_ASSERT_EQUAL(log_packet_json(t[i].packet, &out), t[i].ok);
		CU_ASSERT_EQUAL(out.len > 6, t[i].ok);
		buf_free(&out);
	}
}

static void a_line_that_does_not_fit_is_not_begun(void)
{
	struct buf packet = packet_of(LOG_LEVEL_INFO, "ev", KVS(KV_STR("k", "value")));

	for (size_t limit = 0; limit < 40; limit++) {
		struct buf out = BUF_INIT(limit);
		CU_ASSERT_FALSE(log_packet_text(buf_sv(&packet), &out));
		CU_ASSERT_FALSE(log_packet_json(buf_sv(&packet), &out));
		CU_ASSERT_EQUAL(out.len, 0);
		CU_ASSERT_TRUE(buf_ok(&out));
		buf_free(&out);
	}
	buf_free(&packet);
}

/* --- the process's own target ------------------------------------------------------------------------------------------- */

struct fake_logd {
	int there, here; /* the daemon's end, taken by connect; ours */
	unsigned connects;
};

static int fake_connect(void *arg)
{
	struct fake_logd *l = arg;
	int fd = l->there;

	l->connects++;
	l->there = -1;
	return fd;
}

static void fake_new(struct fake_logd *l)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	l->there = fds[0];
	l->here = fds[1];
}

static void next_line(struct fake_logd *l, char *dst, size_t size)
{
	char packet[LOG_PACKET_MAX];
	ssize_t n = recv(l->here, packet, sizeof(packet), MSG_DONTWAIT);
	struct buf line = BUF_INIT(2 * LOG_PACKET_MAX);

	snprintf(dst, size, "none");
	if (n > 0 && log_packet_text((struct sv){ packet, (size_t)n }, &line)) {
		ptrdiff_t at = sv_chr(buf_sv(&line), ']'); /* time, name and pid vary */
		snprintf(dst, size, "%s", buf_str(&line) + at + 2);
	}
	buf_free(&line);
}

static void back_to_stderr(struct fake_logd *l)
{
	log_open("unit", LOG_LEVEL_INFO, NULL, NULL);
	log_session(NULL);
	fd_close(&l->here);
	fd_close(&l->there);
}

static void events_reach_logd_as_packets_up_to_the_level(void)
{
	struct fake_logd l = { .connects = 0 };
	char line[300];

	fake_new(&l);
	log_open("unit", LOG_LEVEL_INFO, fake_connect, &l);
	log_session("s1");
	errno = ENOTTY;
	LOG_INFO("first", KV_U64("n", 1));
	CU_ASSERT_EQUAL(errno, ENOTTY);
	LOG_DEBUG("not", KV_U64("n", 2));
	LOG_WARN("second", KV_SID("s2"));
	log_session(NULL);
	LOG_ERROR("third");
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "s1/- first n=1\n");
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "s2/- second level=warn\n");
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "- third level=error\n");
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "none");
	CU_ASSERT_EQUAL(l.connects, 1);
	back_to_stderr(&l);
}

static void a_full_channel_drops_and_counts(void)
{
	struct fake_logd l = { .connects = 0 };
	char line[300], last[300] = "";
	unsigned sent = 0, total = 100000, n_dropped = 0;
	uint64_t dropped = 0;

	fake_new(&l);
	log_open("unit", LOG_LEVEL_INFO, fake_connect, &l);
	for (unsigned i = 0; i < total; i++)
		LOG_INFO("flood"); /* must return: nothing reads */
	for (next_line(&l, line, sizeof(line)); strcmp(line, "none"); next_line(&l, line, sizeof(line)))
		sent++;
	CU_ASSERT_TRUE(sent > 0 && sent < total);
	LOG_INFO("after");
	LOG_INFO("end");
	for (next_line(&l, line, sizeof(line)); strcmp(line, "none"); next_line(&l, line, sizeof(line))) {
		const char *n = strstr(line, "dropped level=warn n=");
		n_dropped += n != NULL;
		if (n)
			dropped = strtoull(n + 21, NULL, 10);
		snprintf(last, sizeof(last), "%s", line);
	}
	CU_ASSERT_EQUAL(n_dropped, 1);
	CU_ASSERT_EQUAL(dropped, total - sent);
	CU_ASSERT_STRING_EQUAL(last, "- end\n");
	CU_ASSERT_EQUAL(l.connects, 1); /* slow is not gone */
	back_to_stderr(&l);
}

static void a_channel_that_ended_is_replaced_at_once(void)
{
	struct fake_logd l = { .connects = 0 };
	char line[300];

	fake_new(&l);
	log_open("unit", LOG_LEVEL_INFO, fake_connect, &l);
	LOG_INFO("one");
	fd_close(&l.here);
	fake_new(&l); /* logd was started anew */
	LOG_INFO("two");
	CU_ASSERT_EQUAL(l.connects, 2);
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "- two\n");
	back_to_stderr(&l);
}

static void a_logd_that_is_away_is_called_once_a_second(void)
{
	struct fake_logd l = { .connects = 0 };
	char line[300];

	fake_new(&l);
	log_open("unit", LOG_LEVEL_INFO, fake_connect, &l);
	LOG_INFO("one");
	next_line(&l, line, sizeof(line)); /* nothing unread: the next send finds a closed peer, not a reset one */
	fd_close(&l.here);                 /* SIGPIPE would end the tests here */
	for (int i = 0; i < 50; i++)
		LOG_INFO("lost");
	CU_ASSERT_EQUAL(l.connects, 2); /* the first time, and one that failed */
	fake_new(&l);
	LOG_INFO("lost");
	CU_ASSERT_EQUAL(l.connects, 2);
	usleep(1050000);
	LOG_INFO("again");
	CU_ASSERT_EQUAL(l.connects, 3);
	next_line(&l, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "- again\n");
	back_to_stderr(&l);
}

static void a_logd_that_hangs_up_on_everyone_is_called_once_a_second(void)
{
	struct fake_logd l = { .there = -1, .here = -1 };

	log_open("unit", LOG_LEVEL_INFO, fake_connect, &l);
	for (int i = 0; i < 50; i++) {
		fd_close(&l.there);
		fake_new(&l);
		fd_close(&l.here);
		LOG_INFO("lost");
	}
	CU_ASSERT_TRUE(l.connects <= 2);
	back_to_stderr(&l);
}

static void without_a_target_lines_go_to_stderr_without_waiting(void)
{
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	char text[500] = "";

	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fds, O_CLOEXEC), 0);
	CU_ASSERT_TRUE_FATAL(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	log_open("unit", LOG_LEVEL_INFO, NULL, NULL);
	LOG_INFO("hello", KV_STR("k", "v"));
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);
	for (int i = 0; i < 5000; i++)
		LOG_INFO("flood"); /* more than a pipe holds */
	fd_close(&pipe_fds[0]);
	LOG_INFO("nobody reads"); /* no SIGPIPE */
	dup2(saved, STDERR_FILENO);
	fd_close(&pipe_fds[1]);
	fd_close(&saved);
	CU_ASSERT_TRUE(n > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, " unit["));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "] - hello k=v\n"));
}

static void a_flood_is_cut_to_some_lines_a_minute_and_counted(void)
{
	static const struct {
		uint64_t at_ms;
		unsigned times, logged;
		const char *left_out; /* before the first of them; NULL: nothing */
	} t[] = {
		{ 5, 3, 3, NULL },
		{ 50000, 7, 7, NULL },
		{ 60004, 90, 0, NULL },
		{ 60005, 100, LOG_RATE_MAX, "left-out event=knock n=90\n" },
		{ 999999, 1, 1, "left-out event=knock n=90\n" },
		{ 2000000, 1, 1, NULL },
	};
	struct log_rate r = { 0 };
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[400] = "";
		int saved = dup(STDERR_FILENO), fds[2];
		unsigned n = 0;
		CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		dup2(fds[1], STDERR_FILENO);
		for (unsigned k = 0; k < t[i].times; k++)
			n += log_may(&r, "knock", t[i].at_ms);
		dup2(saved, STDERR_FILENO);
		if (read(fds[0], text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		CU_ASSERT_EQUAL(n, t[i].logged);
		CU_ASSERT_EQUAL(t[i].left_out ? strstr(text, t[i].left_out) != NULL : text[0] == '\0', true);
		fd_close(&saved);
		fd_close(&fds[0]);
		fd_close(&fds[1]);
	}
}

void suite_log(void)
{
	static const struct unit_case cases[] = {
		UNIT(an_event_is_one_line_with_fixed_columns),
		UNIT(no_value_can_forge_a_line_or_a_field),
		UNIT(names_cannot_break_the_columns),
		UNIT(a_json_line_is_one_object),
		UNIT(long_values_are_cut_and_the_packet_keeps_its_limit),
		UNIT(a_value_of_the_longest_kind_is_whole),
		UNIT(a_changed_packet_is_refused_or_harmless),
		UNIT(malformed_packets_are_refused),
		UNIT(a_line_that_does_not_fit_is_not_begun),
		UNIT(events_reach_logd_as_packets_up_to_the_level),
		UNIT(a_full_channel_drops_and_counts),
		UNIT(a_channel_that_ended_is_replaced_at_once),
		UNIT(a_logd_that_is_away_is_called_once_a_second),
		UNIT(a_logd_that_hangs_up_on_everyone_is_called_once_a_second),
		UNIT(without_a_target_lines_go_to_stderr_without_waiting),
		UNIT(a_flood_is_cut_to_some_lines_a_minute_and_counted),
		UNIT_END,
	};
	unit_suite("log", cases);
}
