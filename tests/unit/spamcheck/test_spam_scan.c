/* The scan of one message: every rule hit and not hit, GTUBE in all its disguises, hostile structure, bounds. */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/fd.h"
#include "spamcheck/input.h"
#include "spamcheck/parts.h"
#include "spamcheck/scan.h"

#include <dirent.h>
#include <fcntl.h>

#define NOW 1795464636u /* Mon, 23 Nov 2026 20:10:36 +0000 */
#define GTUBE "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
#define TO "To: b@example.net\n"
#define DATE "Date: Mon, 23 Nov 2026 20:10:30 +0000\n"
#define ID "Message-ID: <1@example.org>\n"
#define SUBJECT "Subject: hello\n"
#define REST TO DATE ID SUBJECT
#define FROM "From: A <a@example.org>\n"
#define GOOD FROM REST
#define MIME "MIME-Version: 1.0\n"
#define MIXED GOOD MIME "Content-Type: multipart/mixed; boundary=\"x\"\n"
#define SPEED_MAX_MS 2000u /* for what takes tens of ms: only a wrong order of growth gets there */

struct fixture {
	struct decoder *decoder;
	struct scan scan;
};

static struct fixture *begin(void)
{
	struct fixture *x = mem_new(sizeof(*x));
	x->decoder = decoder_new();
	scan_init(&x->scan, x->decoder);
	x->scan.want_tokens = true;
	return x;
}

static void end(struct fixture *x)
{
	scan_free(&x->scan);
	decoder_free(x->decoder);
	free(x);
}

static const struct findings *scan_bytes(struct fixture *x, struct sv msg, bool smtputf8)
{
	struct scan_in in = { .msg = msg, .smtputf8 = smtputf8, .now_secs = NOW };
	scan_message(&x->scan, &in);
	return &x->scan.findings;
}

static uint64_t bit(enum rule_id id) { return (uint64_t)1 << id; }

struct rule_case {
	const char *msg;
	uint64_t want; /* bits of exactly these findings */
	bool smtputf8;
};

static void expect(const struct rule_case *t, size_t n)
{
	struct fixture *x = begin();
	for (size_t i = 0; i < n; i++) {
		uint64_t got = scan_bytes(x, sv_of(t[i].msg), t[i].smtputf8)->hit;
		struct buf text = BUF_INIT(FINDINGS_TEXT_MAX);
		findings_text(&x->scan.findings, ' ', &text);
		if (got != t[i].want)
			printf("case %zu: found %s in:\n%.300s\n", i, buf_str(&text), t[i].msg);
		CU_ASSERT_EQUAL(got, t[i].want);
		buf_free(&text);
	}
	end(x);
}

static void fields_that_lack_repeat_or_lie_are_found(void)
{
	struct rule_case t[] = {
		{ GOOD "\nhi\n", 0 },
		{ "From: a@example.org (A)\r\nTo: b@example.net\r\nDate: 23 Nov 26 20:10:30 GMT\r\nMessage-ID: "
		  "<1@x>\r\nSubject:\r\n\r\nhi\r\n",
			0 },
		{ REST "\nhi\n", bit(RULE_MISSING_FROM) },
		{ GOOD "from: c@example.org\n\nhi\n", bit(RULE_MULTIPLE_FROM) },
		{ "From: \n" REST "\nhi\n", bit(RULE_INVALID_FROM) },
		{ FROM TO ID SUBJECT "\nhi\n", bit(RULE_MISSING_DATE) },
		{ FROM TO ID SUBJECT "Date: soon\n\nhi\n", bit(RULE_INVALID_DATE) },
		{ FROM TO ID SUBJECT "Date: Sun, 15 Nov 2026 20:10:30 +0000\n\nhi\n", bit(RULE_DATE_IN_PAST) },
		{ FROM TO ID SUBJECT "Date: Tue, 17 Nov 2026 20:10:30 +0000\n\nhi\n", 0 },
		{ FROM TO ID SUBJECT "Date: Wed, 25 Nov 2026 20:10:30 +0000\n\nhi\n", bit(RULE_DATE_IN_FUTURE) },
		{ FROM TO ID SUBJECT "Date: Tue, 24 Nov 2026 10:10:30 +0000\n\nhi\n", 0 },
		{ FROM TO DATE SUBJECT "\nhi\n", bit(RULE_MISSING_MESSAGE_ID) },
		{ FROM TO DATE SUBJECT "Message-ID: 1@example.org\n\nhi\n", bit(RULE_INVALID_MESSAGE_ID) },
		{ FROM TO DATE SUBJECT "Message-ID: <1>\n\nhi\n", bit(RULE_INVALID_MESSAGE_ID) },
		{ FROM TO DATE SUBJECT "Message-ID:\n <1@x>\n\nhi\n", 0 },
		{ FROM DATE ID SUBJECT "\nhi\n", bit(RULE_MISSING_TO) },
		{ FROM DATE ID SUBJECT "Cc: b@example.net\n\nhi\n", 0 },
		{ FROM TO DATE ID "\nhi\n", bit(RULE_MISSING_SUBJECT) },
		{ GOOD SUBJECT "\nhi\n", bit(RULE_DUPLICATE_HEADER) },
		{ GOOD "Received: a\nReceived: b\n\nhi\n", 0 },
		{ GOOD "X-Spam-Status: No, score=-100\n\nhi\n", 0 },
	};
	expect(t, COUNT(t));
}

static void bytes_that_do_not_belong_in_a_header_are_found(void)
{
	struct rule_case t[] = {
		{ GOOD "X-A: caf\xc3\xa9\n\nhi\n", bit(RULE_HEADER_8BIT), false },
		{ GOOD "X-A: caf\xc3\xa9\n\nhi\n", 0, true },
		{ GOOD "X-A: caf\xe9\n\nhi\n", bit(RULE_HEADER_BAD_UTF8), true },
		{ GOOD "X-A: a\x01\n\nhi\n", bit(RULE_HEADER_CONTROL) },
		{ GOOD "X-A: a\tb\n\nhi\n", 0 },
		{ GOOD "this is no field\nX-A: b\n\nhi\n", bit(RULE_BROKEN_HEADER) },
		{ GOOD "\nthis is no field\n", 0 },
		{ GOOD, 0 },
	};
	expect(t, COUNT(t));
}

static void mime_that_contradicts_itself_is_found(void)
{
	struct rule_case t[] = {
		{ GOOD MIME "\nhi\n", 0 },
		{ GOOD "MIME-Version: (made by x) 1.0\n\nhi\n", 0 },
		{ GOOD "MIME-Version: 2.0\n\nhi\n", bit(RULE_MIME_BAD_VERSION) },
		{ GOOD "Content-Transfer-Encoding: 8bit\n\nhi\n", bit(RULE_MIME_NO_VERSION) },
		{ GOOD MIME "Content-Type: text\n\nhi\n", bit(RULE_MIME_BAD_TYPE) },
		{ GOOD MIME "Content-Type: text/plain; charset=utf-8\n\nhi\n", 0 },
		{ GOOD MIME "Content-Type: multipart/mixed\n\nhi\n", bit(RULE_MIME_BAD_BOUNDARY) },
		{ MIXED "\n--x\n\nhi\n--x--\n", 0 },
		{ MIXED "\npreamble\n--x  \n\nhi\n--x\n\nho\n--x-- \nepilogue\n", 0 },
		{ MIXED "\n--y\n\nhi\n--y--\n", bit(RULE_MIME_NO_PARTS) },
		{ MIXED "\n--x\n\nhi\n--x\n\nho\n", bit(RULE_MIME_UNCLOSED) },
		{ MIXED "\n--x\nContent-Type: multipart/alternative; boundary=xx\n\n--xx\n\nhi\n--x--\n", bit(RULE_MIME_UNCLOSED) },
		{ MIXED "\n--x\nContent-Type: multipart/alternative; boundary=xx\n\n--xx\n\nhi\n--xx--\n--x--\n", 0 },
		{ GOOD MIME "Content-Transfer-Encoding: rot13\n\nhi\n", bit(RULE_MIME_BAD_ENCODING) },
		{ GOOD MIME "Content-Transfer-Encoding: QUOTED-printable\n\nhi=\n\n", 0 },
		{ MIXED "Content-Transfer-Encoding: base64\n\n--x\n\nhi\n--x--\n", bit(RULE_MIME_ENCODED_PARTS) },
		{ MIXED "Content-Transfer-Encoding: 8bit\n\n--x\n\nhi\n--x--\n", 0 },
		{ GOOD MIME "Content-Type: text/plain; charset=klingon-7\n\nhi\n", bit(RULE_MIME_UNKNOWN_CHARSET) },
		{ GOOD MIME "Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9\n", 0 },
		{ GOOD MIME "Content-Type: text/plain; charset=ISO-8859-1\n\ncaf\xe9\n", bit(RULE_MIME_8BIT_AS_7BIT) },
		{ GOOD MIME "Content-Type: text/html\n\n<p>hi\n", bit(RULE_HTML_ONLY) },
		{ MIXED "\n--x\nContent-Type: text/html\n\n<p>hi\n--x\nContent-Type: text/plain\n\nhi\n--x--\n", 0 },
		{ MIXED "\n--x\n\nhi\n--x\nContent-Type: application/x; name=\"a.pdf.EXE\"\n\nMZ\n--x--\n",
			bit(RULE_PROGRAM_ATTACHED) },
		{ MIXED "\n--x\n\nhi\n--x\nContent-Type: application/x\nContent-Disposition: attachment; "
			"filename=a.exe\n\nMZ\n--x--\n",
			bit(RULE_PROGRAM_ATTACHED) },
		{ MIXED "\n--x\n\nhi\n--x\nContent-Type: application/pdf; name=exe.pdf\n\n%PDF\n--x--\n", 0 },
		{ MIXED "\n--x\n\n" GTUBE "\n--x--\n", bit(RULE_GTUBE) },
	};
	expect(t, COUNT(t));
}

static void nul_long_lines_and_long_headers_are_found(void)
{
	struct fixture *x = begin();
	struct buf b = BUF_INIT(1 << 20);
	buf_puts(&b, GOOD "\nhi");
	buf_put(&b, "\0\n", 2);
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, bit(RULE_NUL_BYTE));
	buf_reset(&b);
	buf_puts(&b, GOOD "X-A: ");
	buf_fill(&b, 'a', 998 - 5);
	buf_puts(&b, "\n\nhi\n");
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, 0);
	buf_reset(&b);
	buf_puts(&b, GOOD "X-A: ");
	buf_fill(&b, 'a', 999 - 5);
	buf_puts(&b, "\n\nhi\n");
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, bit(RULE_HEADER_LONG_LINE));
	buf_reset(&b);
	buf_puts(&b, GOOD);
	for (int i = 0; i < HEADERS_MAX; i++)
		buf_puts(&b, "X-A: b\n");
	buf_puts(&b, "\n" GTUBE "\n");
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, bit(RULE_TOO_MANY_HEADERS) | bit(RULE_GTUBE));
	buf_free(&b);
	end(x);
}

static void gtube_is_found_in_bodies_and_never_in_headers(void)
{
	static const struct {
		const char *msg;
		bool found;
	} t[] = {
		{ GOOD "\n" GTUBE "\n", true }, { GOOD "\nbefore " GTUBE " after\n", true },
		{ GOOD "X-Test: " GTUBE "\n\nhi\n", false }, { FROM TO DATE ID "Subject: " GTUBE "\n\nhi\n", false },
		{ GOOD "\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-\nTEST-EMAIL*C.34X\n", false },
		{ GOOD "\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34x\n", false },
		{ GOOD MIME "Content-Transfer-Encoding: quoted-printable\n\n"
			    "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE=2DSTANDARD-ANTI-UBE-=\nTEST-EMAIL*C.34X\n",
			true },
		{ GOOD MIME "Content-Transfer-Encoding: base64\n\n"
			    "WEpTKkM0SkRCUUFETjEuTlNCTjMqMklETkVOKkdUVUJFLVNUQU5EQVJELUFOVEktVUJF\nLVRFU1QtRU1BSUwqQy4zNFgK\n",
			true },
		{ MIXED "\n--x\n\nhi\n--x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
			"WEpTKkM0SkRCUUFETjEuTlNCTjMqMklETkVOKkdUVUJFLVNUQU5EQVJELUFOVEktVUJF\nLVRFU1QtRU1BSUwqQy4zNFgK\n--x--\n",
			true },
		{ MIXED "\n--x\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Transfer-Encoding: base64\n\n"
			"WEpTKkM0SkRCUUFETjEuTlNCTjMqMklETkVOKkdUVUJFLVNUQU5EQVJELUFOVEktVUJF\nLVRFU1QtRU1BSUwqQy4zNFgK\n--x--\n",
			true },
		{ MIXED "\n" GTUBE "\n--x\n\nhi\n--x--\n", true }, /* the preamble: old readers show it */
	};
	struct fixture *x = begin();
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct findings *f = scan_bytes(x, sv_of(t[i].msg), false);
		CU_ASSERT_EQUAL(findings_has(f, RULE_GTUBE), t[i].found);
		if (findings_has(f, RULE_GTUBE) != t[i].found)
			printf("gtube case %zu\n", i);
	}
	end(x);
}

static void gtube_in_utf16_is_found(void)
{
	struct fixture *x = begin();
	struct buf b = BUF_INIT(4096);
	buf_puts(&b, GOOD MIME "Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: binary\n\n");
	for (const char *p = GTUBE; *p; p++)
		buf_put(&b, (char[]){ *p, 0 }, 2);
	CU_ASSERT_TRUE(findings_has(scan_bytes(x, buf_sv(&b), false), RULE_GTUBE));
	buf_free(&b);
	end(x);
}

static void deep_nesting_costs_neither_stack_nor_time(void)
{
	struct fixture *x = begin();
	struct buf b = BUF_INIT(32 << 20);
	buf_puts(&b, GOOD MIME "Content-Type: multipart/mixed; boundary=b0\n\n");
	for (int i = 0; i < 100000; i++)
		buf_putf(&b, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i + 1);
	buf_puts(&b, GTUBE "\n");
	uint64_t start = clock_mono_ms();
	const struct findings *f = scan_bytes(x, buf_sv(&b), false); /* longer than serve would pass */
	CU_ASSERT_TRUE(findings_has(f, RULE_MIME_TOO_DEEP));
	CU_ASSERT_TRUE(findings_has(f, RULE_GTUBE));
	CU_ASSERT_TRUE(clock_mono_ms() - start < SPEED_MAX_MS);
	buf_reset(&b);
	buf_puts(&b, GOOD MIME "Content-Type: message/rfc822\n\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "Content-Type: message/rfc822\n\n");
	start = clock_mono_ms();
	CU_ASSERT_TRUE(findings_has(scan_bytes(x, buf_sv(&b), false), RULE_MIME_TOO_DEEP));
	CU_ASSERT_TRUE(clock_mono_ms() - start < SPEED_MAX_MS);
	buf_free(&b);
	end(x);
}

static void many_parts_are_bounded(void)
{
	struct fixture *x = begin();
	struct buf b = BUF_INIT(1 << 20);
	buf_puts(&b, MIXED "\n");
	for (int i = 0; i < PARTS_MAX; i++)
		buf_puts(&b, "--x\n\nhi\n");
	size_t fits = b.len;
	buf_puts(&b, "--x--\n");
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, 0);
	buf_cut(&b, fits);
	buf_puts(&b, "--x\n\nhi\n--x--\n");
	CU_ASSERT_EQUAL(scan_bytes(x, buf_sv(&b), false)->hit, bit(RULE_MIME_TOO_MANY_PARTS));
	buf_free(&b);
	end(x);
}

static void hostile_text_of_the_largest_size_is_quick(void)
{
	static const char *const pieces[] = { "<", "&", "&#", "<a href=", "<!--", "<script>", "=?", "=?a?q?", "--x\n", "--",
		"a b c d e f ", "http://", "\n", "=", "<a \"", "\xe4\xbd\xa0", "x: y\n", "(", "\"", "," };
	static const char *const tops[] = { GOOD "\n", GOOD MIME "Content-Type: text/html\n\n", MIXED "\n",
		"From: ", "Subject: ", "To: ", "Content-Type: multipart/mixed; boundary=", "Date: " };
	struct fixture *x = begin();
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t j = 0; j < COUNT(tops); j++) {
			struct buf b = BUF_INIT(SCAN_MAX);
			buf_puts(&b, tops[j]);
			while (b.len + 16 < SCAN_MAX)
				buf_puts(&b, pieces[i]);
			uint64_t start = clock_mono_ms();
			scan_bytes(x, buf_sv(&b), false);
			uint64_t took = clock_mono_ms() - start;
			if (took >= SPEED_MAX_MS)
				printf("%s after %s: %llu ms\n", pieces[i], tops[j], (unsigned long long)took);
			CU_ASSERT_TRUE(took < SPEED_MAX_MS);
			buf_free(&b);
		}
	end(x);
}

static void of_a_message_of_50_mb_only_the_beginning_is_read(void)
{
	struct err e;
	struct fixture *x = begin();
	struct buf b = BUF_INIT(SCAN_MAX);
	int fd = fd_memfd("big", &e);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_TRUE(fd_pwrite_all(fd, MIXED "\n--x\n\nhi\n", strlen(MIXED "\n--x\n\nhi\n"), 100, &e));
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 50 << 20), 0);
	CU_ASSERT_TRUE(input_read(fd, 100, (50 << 20) - 100, SCAN_MAX, &b, &e));
	CU_ASSERT_EQUAL(b.len, SCAN_MAX);
	struct scan_in in = { .msg = buf_sv(&b), .truncated = true, .now_secs = NOW };
	scan_message(&x->scan, &in);
	/* The boundary that ends it may come later. */
	CU_ASSERT_EQUAL(x->scan.findings.hit, bit(RULE_NUL_BYTE) | bit(RULE_SCAN_LIMIT));
	CU_ASSERT_FALSE(input_read(fd, 100, 50 << 20, 60 << 20, &b, &e));
	fd_close(&fd);
	buf_free(&b);
	end(x);
}

static void what_is_no_regular_file_is_refused(void)
{
	struct err e;
	struct buf b = BUF_INIT(SCAN_MAX);
	int fds[2];
	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	CU_ASSERT_FALSE(input_read(fds[0], 0, 10, SCAN_MAX, &b, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	buf_free(&b);
}

static void any_prefix_and_any_flipped_byte_is_scanned(void)
{
	static const char msg[] =
		MIXED "Subject: =?utf-8?B?aGk=?= =?iso-8859-1?q?caf=E9?=\n\n--x\nContent-Type: text/html; charset=\"gb2312\"\n"
		      "Content-Transfer-Encoding: quoted-printable\n\n<a href=3D\"http://h.example/\">=C4=E3&eacute;&#x4f60;</a>\n"
		      "--x\nContent-Type: message/rfc822\n\nFrom: c@d\n\nhi\n--x--\n";
	struct fixture *x = begin();
	for (size_t n = 0; n < sizeof(msg); n++) {
		char *copy = mem_dup((struct sv){ msg, n }); /* on the heap, so that a read past its end is seen */
		scan_bytes(x, (struct sv){ copy, n }, false);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(msg); i++)
		for (unsigned c = 0; c < 256; c += 51) {
			char copy[sizeof(msg)];
			memcpy(copy, msg, sizeof(msg));
			copy[i] = (char)c;
			scan_bytes(x, (struct sv){ copy, sizeof(msg) - 1 }, true);
		}
	CU_ASSERT_TRUE(scan_bytes(x, sv_of(msg), false)->hit == bit(RULE_DUPLICATE_HEADER));
	end(x);
}

/* Runs over folders of real messages when they are there. */
static void messages_of_all_makes_are_scanned(void)
{
	static const char *const folders[] = { "cpython", "rfc", "spamassassin-nice", "spamassassin-spam" };
	const char *base = getenv("POSTERN_TESTDATA");
	struct fixture *x = begin();
	for (size_t i = 0; i < COUNT(folders); i++) {
		char path[600];
		snprintf(path, sizeof(path), "%s/mime/%s", base ? base : "../shared/testdata", folders[i]);
		DIR *dir = opendir(path);
		struct dirent *entry;
		while (dir && (entry = readdir(dir))) {
			struct err e;
			struct buf b = BUF_INIT(8 << 20);
			if (entry->d_name[0] != '.' && fd_read_path(dirfd(dir), entry->d_name, &b, &e)) {
				scan_bytes(x, sv_sub(buf_sv(&b), 0, SCAN_MAX), false);
				CU_ASSERT_FALSE(findings_has(&x->scan.findings, RULE_MIME_TOO_DEEP));
				CU_ASSERT_TRUE(x->scan.tokens.n <= TOKENS_MAX);
			}
			buf_free(&b);
		}
		if (dir)
			closedir(dir);
	}
	end(x);
}

void suite_spam_scan(void)
{
	static const struct unit_case cases[] = {
		UNIT(fields_that_lack_repeat_or_lie_are_found),
		UNIT(bytes_that_do_not_belong_in_a_header_are_found),
		UNIT(mime_that_contradicts_itself_is_found),
		UNIT(nul_long_lines_and_long_headers_are_found),
		UNIT(gtube_is_found_in_bodies_and_never_in_headers),
		UNIT(gtube_in_utf16_is_found),
		UNIT(deep_nesting_costs_neither_stack_nor_time),
		UNIT(many_parts_are_bounded),
		UNIT(hostile_text_of_the_largest_size_is_quick),
		UNIT(of_a_message_of_50_mb_only_the_beginning_is_read),
		UNIT(what_is_no_regular_file_is_refused),
		UNIT(any_prefix_and_any_flipped_byte_is_scanned),
		UNIT(messages_of_all_makes_are_scanned),
		UNIT_END,
	};
	unit_suite("spam_scan", cases);
}
