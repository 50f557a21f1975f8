#include "remote-delivery/route.h"

#include "unit/unit.h"

#define CONF                                                                                                      \
	"hostname = mx.example.org\n[listener l]\naddress = *:25\n"                                               \
	"[relay one]\ndomains = one.example, bücher.example\nhost = next.example:2525\n"                         \
	"[relay his]\ndomains = one.example\nsenders = his.example, him@her.example\nhost = [his-host.example]\n" \
	"[relay all]\ndomains = *\nsenders = away.example\nhost = [192.0.2.7]:587\ntls = require\n"               \
	"[relay mx]\ndomains = mx.example\nprotocol = lmtp\n"

static void the_text_of_a_host_says_which_it_is(void)
{
	static const struct {
		const char *text;
		enum route_kind kind;
		const char *host;
		unsigned port;
		bool lmtp;
	} t[] = {
		{ "a.example", ROUTE_MX, "a.example", 25, false },
		{ "a.example:587", ROUTE_MX, "a.example", 587, false },
		{ "[a.example]", ROUTE_HOST, "a.example", 25, false },
		{ "[A.example]:587", ROUTE_HOST, "a.example", 587, false },
		{ "bücher.example", ROUTE_MX, "xn--bcher-kva.example", 25, false },
		{ "192.0.2.1", ROUTE_ADDRESS, "192.0.2.1", 25, false },
		{ "192.0.2.1:587", ROUTE_ADDRESS, "192.0.2.1", 587, false },
		{ "[192.0.2.1]:587", ROUTE_ADDRESS, "192.0.2.1", 587, false },
		{ "2001:db8::1", ROUTE_ADDRESS, "2001:db8::1", 25, false },
		{ "[2001:db8::1]:587", ROUTE_ADDRESS, "2001:db8::1", 587, false },
		{ "[IPv6:2001:db8::1]", ROUTE_ADDRESS, "IPv6:2001:db8::1", 25, false },
		{ "unix:/run/lmtp", ROUTE_UNIX, "/run/lmtp", 25, true },
		{ "lmtp:a.example:24", ROUTE_HOST, "a.example", 24, true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct route r = { .port = 0 };
		struct err e = { .text = "" };
		CU_ASSERT_TRUE(route_parse_host(t[i].text, 25, &r, &e));
		CU_ASSERT_EQUAL(r.kind, t[i].kind);
		CU_ASSERT_STRING_EQUAL(r.host, t[i].host);
		CU_ASSERT(r.port == t[i].port && r.lmtp == t[i].lmtp);
		CU_ASSERT(r.kind != ROUTE_ADDRESS || (r.address.family != 0 && r.address.port == t[i].port));
	}
}

static void what_is_no_host_is_the_admins_to_mend(void)
{
	static const char *const t[] = { "", "[", "]", "[]", "[a.example", "a.example:", "a.example:0", "a.example:65536",
		"[a.example]x", "[a.example]:x", "unix:", "unix:run", "-a.example", "a b", "a..b", ":25" };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct route r;
		struct err e = { .text = "" };
		CU_ASSERT_FALSE(route_parse_host(t[i], 25, &r, &e));
		CU_ASSERT(e.kind == ERR_TEMP && strcmp(e.dsn, "4.3.5") == 0);
	}
}

static struct maddr address(const char *text)
{
	struct maddr a = { .null = true };
	struct err e;
	if (*text)
		CU_ASSERT_TRUE(maddr_parse(sv_of(text), MADDR_UTF8_OK, &a, &e));
	return a;
}

static void the_domain_goes_before_all_others_and_a_sender_before_everybody(void)
{
	static const struct {
		const char *sender; /* NULL: not to be believed */
		const char *rcpt, *section, *host;
	} t[] = {
		{ "x@y.example", "a@one.example", "one", "next.example" },
		{ "x@y.example", "a@ONE.example", "one", "next.example" },
		{ "x@his.example", "a@one.example", "his", "his-host.example" },
		{ "x@HIS.example", "a@one.example", "his", "his-host.example" },
		{ "him@her.example", "a@one.example", "his", "his-host.example" },
		{ "she@her.example", "a@one.example", "one", "next.example" },
		{ NULL, "a@one.example", "one", "next.example" },
		{ "", "a@one.example", "one", "next.example" },
		{ "x@away.example", "a@one.example", "one", "next.example" },
		{ "x@away.example", "a@other.example", "all", "192.0.2.7" },
		{ NULL, "a@other.example", "", "other.example" },
		{ "x@y.example", "a@other.example", "", "other.example" },
		{ "x@y.example", "a@xn--bcher-kva.example", "one", "next.example" },
		{ "x@y.example", "a@bücher.example", "one", "next.example" },
		{ "x@y.example", "a@mx.example", "mx", "mx.example" },
		{ "x@y.example", "a@[192.0.2.9]", "", "192.0.2.9" },
	};
	struct vec faults = VEC_INIT(struct cfg_fault, 10);
	struct cfg *c = cfg_parse(SV(CONF), &faults);
	CU_ASSERT_EQUAL_FATAL(cfg_errors(&faults), 0);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct maddr rcpt = address(t[i].rcpt), sender = address(t[i].sender ? t[i].sender : "");
		struct route r;
		struct err e = { .text = "" };
		CU_ASSERT_TRUE(route_find(c, t[i].sender ? &sender : NULL, &rcpt, &r, &e));
		CU_ASSERT_STRING_EQUAL(r.host, t[i].host);
		CU_ASSERT_STRING_EQUAL(r.relay ? r.relay->name : "", t[i].section);
		CU_ASSERT_EQUAL(r.lmtp, strcmp(t[i].section, "mx") == 0);
		CU_ASSERT_EQUAL(r.tls, strcmp(t[i].section, "all") == 0 ? CFG_WISH_REQUIRE : CFG_WISH_MAY);
	}
	cfg_free(c);
	vec_free(&faults);
}

void suite_remote_route(void)
{
	static const struct unit_case cases[] = { UNIT(the_text_of_a_host_says_which_it_is),
		UNIT(what_is_no_host_is_the_admins_to_mend), UNIT(the_domain_goes_before_all_others_and_a_sender_before_everybody),
		UNIT_END };
	unit_suite("remote_route", cases);
}
