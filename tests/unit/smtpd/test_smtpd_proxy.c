#include "proxy.h"
#include "world.h"

#include "base/clock.h"
#include "unit/unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(tail)                                       \
	{                                                  \
		SIGNATURE tail, sizeof(SIGNATURE tail) - 1 \
	}
#define IPV4 "\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x00\x19"
#define IPV6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x9c\x40\x00\x19"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x9c\x40\x00\x19"

static const struct header {
	struct sv bytes;
	const char *client; /* NULL: refused; "": its own */
} headers[] = {
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n"), "192.0.2.7:40000" },
	{ SV("PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n"), "[2001:db8::7]:40000" },
	{ SV("PROXY UNKNOWN\r\n"), "" },
	{ SV("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), "" },
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\n"), NULL },
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n"), NULL },
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 40000 25 \r\n"), NULL },
	{ SV("PROXY TCP4  192.0.2.7 192.0.2.1 40000 25\r\n"), NULL },
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 65536 25\r\n"), NULL },
	{ SV("PROXY TCP4 192.0.2.7 192.0.2.1 04000 25\r\n"), NULL },
	{ SV("PROXY TCP4 192.0.2.256 192.0.2.1 40000 25\r\n"), NULL },
	{ SV("PROXY TCP4 2001:db8::7 2001:db8::1 40000 25\r\n"), NULL },
	{ SV("PROXY TCP6 192.0.2.7 192.0.2.1 40000 25\r\n"), NULL },
	{ SV("PROXY UDP4 192.0.2.7 192.0.2.1 40000 25\r\n"), NULL },
	{ SV("proxy TCP4 192.0.2.7 192.0.2.1 40000 25\r\n"), NULL },
	{ SV("PROXY UNKNOWNS\r\n"), NULL },
	{ SV("EHLO client.example\r\n"), NULL },
	{ HEADER("\x21\x11\0\x0c" IPV4), "192.0.2.7:40000" },
	{ HEADER("\x21\x11\0\x0f" IPV4 "\x04\0\0"), "192.0.2.7:40000" },
	{ HEADER("\x21\x21\0\x24" IPV6), "[2001:db8::7]:40000" },
	{ HEADER("\x21\x21\0\x24" MAPPED), "192.0.2.7:40000" },
	{ HEADER("\x20\x00\0\0"), "" },
	{ HEADER("\x20\x11\0\x0c" IPV4), "" },
	{ HEADER("\x21\x00\0\0"), "" },
	{ HEADER("\x21\x11\0\x0b\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x00"), NULL },
	{ HEADER("\x21\x12\0\x0c" IPV4), NULL },
	{ HEADER("\x22\x11\0\x0c" IPV4), NULL },
	{ HEADER("\x11\x11\0\x0c" IPV4), NULL },
	{ HEADER("\x21\x31\0\x0c" IPV4), NULL },
	{ HEADER("\x21\x11\x04\x01" IPV4), NULL },
};

static bool parse(struct sv bytes, struct proxy *ret)
{
	return bytes.p[0] == '\r' ? proxy_parse_v2(bytes, ret) : proxy_parse_v1(bytes, ret);
}

static void headers_of_both_versions_are_parsed_strictly(void)
{
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct proxy p;
		char text[ADDR_TEXT_MAX];
		bool ok = parse(headers[i].bytes, &p);
		CU_ASSERT_EQUAL(ok, headers[i].client != NULL);
		if (ok && headers[i].client)
			CU_ASSERT_STRING_EQUAL(p.own ? "" : addr_text_port(&p.client, text), headers[i].client);
		for (size_t cut = 0; cut < headers[i].bytes.n && headers[i].client; cut++)
			CU_ASSERT(cut == 0 || !parse(sv_sub(headers[i].bytes, 0, cut), &p));
	}
}

static void not_one_byte_behind_the_header_is_read(void)
{
	for (size_t i = 0; i < COUNT(headers); i++) {
		int ends[2];
		char rest[8] = "";
		struct proxy p;
		struct err e = { 0 };
		CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, ends, NULL));
		ssize_t sent = write(ends[0], headers[i].bytes.p, headers[i].bytes.n);
		sent += write(ends[0], "EHLO", 4);
		CU_ASSERT_EQUAL((size_t)sent, headers[i].bytes.n + 4);
		CU_ASSERT_EQUAL(shutdown(ends[0], SHUT_WR), 0);
		bool ok = proxy_read(ends[1], clock_mono_ms() + 5000, &p, &e);
		CU_ASSERT_EQUAL(ok, headers[i].client != NULL);
		CU_ASSERT(!ok || (read(ends[1], rest, sizeof rest) == 4 && memcmp(rest, "EHLO", 4) == 0));
		close(ends[0]);
		close(ends[1]);
	}
}

static void a_header_that_does_not_come_has_a_deadline(void)
{
	int ends[2];
	struct proxy p;
	struct err e = { 0 };
	CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, ends, NULL));
	CU_ASSERT_EQUAL(write(ends[0], "PROXY TCP4 192.0.2.7", 20), 20);
	CU_ASSERT_FALSE(proxy_read(ends[1], clock_mono_ms() + 20, &p, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	close(ends[0]);
	CU_ASSERT_FALSE(proxy_read(ends[1], clock_mono_ms() + 5000, &p, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	close(ends[1]);
}

/* --- XCLIENT --- */
static const char *after(struct world *w, const char *says, struct buf *codes)
{
	buf_reset(&w->replies);
	world_say(w, sv_of(says), 9);
	return world_codes(w, codes);
}

static void xclient_is_for_the_listed_alone_and_its_syntax_strict(void)
{
	static const struct {
		const char *says, *want;
	} t[] = {
		{ "XCLIENT\r\n", "501/5.5.4" },
		{ "XCLIENT ADDR\r\n", "501/5.5.4" },
		{ "XCLIENT ADDR=192.0.2.256\r\n", "501/5.5.4" },
		{ "XCLIENT ADDR=[UNAVAILABLE]\r\n", "501/5.5.4" },
		{ "XCLIENT PORT=70000\r\n", "501/5.5.4" },
		{ "XCLIENT PROTO=HTTP\r\n", "501/5.5.4" },
		{ "XCLIENT HELO=a+20b\r\n", "501/5.5.4" },
		{ "XCLIENT LOGIN=a+0Ab\r\n", "501/5.5.4" },
		{ "XCLIENT FOO=bar\r\n", "501/5.5.4" },
		{ "EHLO p.example\r\nMAIL FROM:<>\r\nXCLIENT ADDR=192.0.2.9\r\n", "250 250/2.1.0 503/5.5.1" },
		{ "XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:2001:db8::9 PORT=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=25\r\nMAIL "
		  "FROM:<>\r\n",
			"220 503/5.5.1" },
		{ "XCLIENT ADDR=192.0.2.9 HELO=c.example PROTO=ESMTP\r\nMAIL FROM:<>\r\n", "220 250/2.1.0" },
	};
	struct buf codes = BUF_INIT(1000);
	struct world w;
	world_open(&w, CLIENT_NET);
	CU_ASSERT_STRING_EQUAL(after(&w, "XCLIENT ADDR=192.0.2.9\r\n", &codes), "550/5.7.0");
	world_close(&w);
	for (size_t i = 0; i < COUNT(t); i++) {
		world_open(&w, CLIENT_NET);
		w.s.client.may_xclient = true;
		CU_ASSERT_STRING_EQUAL(after(&w, t[i].says, &codes), t[i].want);
		world_close(&w);
	}
	buf_free(&codes);
}

static void the_session_is_the_named_clients_from_there_on(void)
{
	struct buf codes = BUF_INIT(1000);
	struct world w;
	struct addr_net mine;
	world_open(&w, CLIENT_NET);
	CU_ASSERT_FATAL(addr_net_parse(SV("192.0.2.8/29"), &mine, NULL));
	w.cfg.global.trusted_networks = (struct cfg_nets){ &mine, 1 };
	w.s.client.may_xclient = true;
	CU_ASSERT_STRING_EQUAL(
		after(&w, "EHLO p.example\r\nXCLIENT ADDR=192.0.2.9\r\nXCLIENT LOGIN=alice\r\n", &codes), "250 220 220");
	CU_ASSERT_STRING_EQUAL(w.s.client_text, "192.0.2.9");
	CU_ASSERT_STRING_EQUAL(w.s.account, "alice");
	CU_ASSERT(w.s.client.trusted && addr_same_ip(&w.client_now, &w.s.client.addr));
	CU_ASSERT_EQUAL(w.s.phase, PH_START);
	/* what comes now may be its client's own words */
	CU_ASSERT_STRING_EQUAL(after(&w, "EHLO c.example\r\nXCLIENT ADDR=192.0.2.10\r\n", &codes), "250 550/5.7.0");
	CU_ASSERT_STRING_EQUAL(w.s.client_text, "192.0.2.9");
	world_close(&w);

	world_open(&w, CLIENT_NET);
	w.s.client.may_xclient = true;
	snprintf(w.s.account, sizeof w.s.account, "alice");
	after(&w, "XCLIENT ADDR=198.51.100.1\r\n", &codes);
	CU_ASSERT_STRING_EQUAL(w.s.account, "");
	world_close(&w);

	world_open(&w, CLIENT_NET);
	w.s.client.may_xclient = true;
	w.keep_out = "Too many connections";
	CU_ASSERT_STRING_EQUAL(
		after(&w, "XCLIENT LOGIN=alice\r\nXCLIENT ADDR=198.51.100.1\r\nEHLO x\r\n", &codes), "220 421/4.7.0");
	world_close(&w);
	buf_free(&codes);
}

static void a_proxy_header_from_a_stranger_ends_the_session(void)
{
	struct world w;
	struct buf codes = BUF_INIT(1000);
	world_open(&w, CLIENT_NET);
	CU_ASSERT_STRING_EQUAL(after(&w, "PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\nEHLO x\r\n", &codes), "421/4.7.0");
	buf_free(&codes);
	world_close(&w);
}

void suite_smtpd_proxy(void)
{
	static const struct unit_case cases[] = {
		UNIT(headers_of_both_versions_are_parsed_strictly),
		UNIT(not_one_byte_behind_the_header_is_read),
		UNIT(a_header_that_does_not_come_has_a_deadline),
		UNIT(xclient_is_for_the_listed_alone_and_its_syntax_strict),
		UNIT(the_session_is_the_named_clients_from_there_on),
		UNIT(a_proxy_header_from_a_stranger_ends_the_session),
		UNIT_END,
	};
	unit_suite("smtpd_proxy", cases);
}
