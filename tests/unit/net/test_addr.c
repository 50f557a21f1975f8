#include "unit/unit.h"
#include "net/addr.h"

#include <netinet/in.h>

static void addresses_are_read_and_shown(void)
{
	static const struct {
		const char *in, *ip, *with_port; /* NULL: refused */
	} t[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1:25" },
		{ "192.0.2.1:2525", "192.0.2.1", "192.0.2.1:2525" },
		{ "192.0.2.1:0", "192.0.2.1", "192.0.2.1:0" },
		{ "::1", "::1", "[::1]:25" },
		{ "[::1]", "::1", "[::1]:25" },
		{ "[::1]:587", "::1", "[::1]:587" },
		{ "2001:DB8::25", "2001:db8::25", "[2001:db8::25]:25" },
		{ "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:25" },
		{ "[::ffff:192.0.2.1]:26", "192.0.2.1", "192.0.2.1:26" },
		{ "::", "::", "[::]:25" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:25" },
		{ "", NULL, NULL },
		{ "localhost", NULL, NULL },
		{ "192.0.2", NULL, NULL },
		{ "192.0.2.256", NULL, NULL },
		{ "192.0.2.1:", NULL, NULL },
		{ "192.0.2.1:65536", NULL, NULL },
		{ "192.0.2.1:+25", NULL, NULL },
		{ "192.0.2.1 ", NULL, NULL },
		{ "[192.0.2.1]:25", NULL, NULL },
		{ "[::1", NULL, NULL },
		{ "[::1]25", NULL, NULL },
		{ "[::1]:", NULL, NULL },
		{ "[]:25", NULL, NULL },
		{ "]", NULL, NULL },
		{ ":25", NULL, NULL },
		{ "fe80::1%lo", NULL, NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct addr a = { .port = 4242 };
		char text[ADDR_TEXT_MAX];
		CU_ASSERT_EQUAL_FATAL(addr_parse(sv_of(t[i].in), 25, &a), t[i].ip != NULL);
		if (!t[i].ip) {
			CU_ASSERT_EQUAL(a.port, 4242);
			continue;
		}
		CU_ASSERT_STRING_EQUAL(addr_text(&a, text), t[i].ip);
		CU_ASSERT_STRING_EQUAL(addr_text_port(&a, text), t[i].with_port);
	}
	struct addr a;
	CU_ASSERT_FALSE(addr_parse_ip(SV("192.0.2.1:25"), &a));
	CU_ASSERT_FALSE(addr_parse_ip(SV("[::1]"), &a));
	CU_ASSERT_FALSE(addr_parse_ip(SV("::1\0"), &a));
}

static void socket_addresses_go_there_and_back(void)
{
	static const char *const t[] = { "192.0.2.1:25", "[2001:db8::1]:587" };

	for (size_t i = 0; i < COUNT(t); i++) {
		struct sockaddr_storage ss;
		struct addr a, back;
		char text[ADDR_TEXT_MAX];
		CU_ASSERT_TRUE(addr_parse(sv_of(t[i]), 0, &a));
		CU_ASSERT_EQUAL(addr_to_sockaddr(&a, &ss), i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		addr_from_sockaddr(&ss, &back);
		CU_ASSERT_STRING_EQUAL(addr_text_port(&back, text), t[i]);
	}
}

static void a_mapped_peer_is_an_ipv4_peer(void)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET6 };
	struct sockaddr_in6 *in6 = (void *)&ss;
	struct addr a, want;
	char text[ADDR_TEXT_MAX];

	in6->sin6_port = htons(99);
	memcpy(&in6->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", 16);
	addr_from_sockaddr(&ss, &a);
	CU_ASSERT_STRING_EQUAL(addr_text_port(&a, text), "127.0.0.1:99");
	CU_ASSERT_TRUE(addr_is_loopback(&a));
	CU_ASSERT_TRUE(addr_parse_ip(SV("127.0.0.1"), &want));
	CU_ASSERT_TRUE(addr_same_ip(&a, &want)); /* whatever the port */
}

static void other_families_have_a_name(void)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	struct addr a;
	char text[ADDR_TEXT_MAX];

	addr_from_sockaddr(&ss, &a);
	CU_ASSERT_STRING_EQUAL(addr_text(&a, text), "local");
	CU_ASSERT_STRING_EQUAL(addr_text_port(&a, text), "local");
	CU_ASSERT_TRUE(addr_is_loopback(&a));
	a.family = AF_UNSPEC;
	CU_ASSERT_STRING_EQUAL(addr_text(&a, text), "unknown");
	CU_ASSERT_FALSE(addr_is_loopback(&a));
}

static void loopback_is_a_whole_network_in_ipv4(void)
{
	static const struct {
		const char *ip;
		bool yes;
	} t[] = {
		{ "127.0.0.1", true },
		{ "127.255.0.9", true },
		{ "128.0.0.1", false },
		{ "::1", true },
		{ "::2", false },
		{ "1::1", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct addr a;
		CU_ASSERT_TRUE(addr_parse_ip(sv_of(t[i].ip), &a));
		CU_ASSERT_EQUAL(addr_is_loopback(&a), t[i].yes);
	}
}

static void networks_are_read_and_shown(void)
{
	static const struct {
		const char *in, *want, *reason; /* one of the two */
	} t[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", NULL },
		{ "0.0.0.0/0", "0.0.0.0/0", NULL },
		{ "192.0.2.1", "192.0.2.1/32", NULL },
		{ "::1", "::1/128", NULL },
		{ "2001:db8::/32", "2001:db8::/32", NULL },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8", NULL },
		{ "192.0.2.128/25", "192.0.2.128/25", NULL },
		{ "10.0.0.1/8", NULL, "10.0.0.1/8: has bits set beyond the prefix; did you mean 10.0.0.0/8?" },
		{ "192.0.2.128/24", NULL, "did you mean 192.0.2.0/24?" },
		{ "2001:db8::1/64", NULL, "did you mean 2001:db8::/64?" },
		{ "::ffff:10.0.0.0/90", NULL, "did you mean ::ffc0:0:0/90?" },
		{ "10.0.0.0/33", NULL, "from 0 to 32" },
		{ "::/129", NULL, "from 0 to 128" },
		{ "10.0.0.0/", NULL, "from 0 to 32" },
		{ "10.0.0.0/-1", NULL, "from 0 to 32" },
		{ "10.0.0.0/8/8", NULL, "from 0 to 32" },
		{ "10.0.0/8", NULL, "not an IP network" },
		{ "", NULL, "not an IP network" },
		{ "example.org", NULL, "example.org: not an IP network" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct addr_net net = { .bits = 42 };
		struct err e = { .text = "" };
		char text[ADDR_TEXT_MAX];
		CU_ASSERT_EQUAL_FATAL(addr_net_parse(sv_of(t[i].in), &net, &e), t[i].want != NULL);
		if (t[i].want) {
			CU_ASSERT_STRING_EQUAL(addr_net_text(&net, text), t[i].want);
			continue;
		}
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].reason));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_EQUAL(net.bits, 42);
	}
}

static void a_network_has_what_its_prefix_says(void)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} t[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "203.0.113.9", false },
		{ "::/0", "2001:db8::1", true },
		{ "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.128", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct addr_net net;
		struct addr a;
		CU_ASSERT_TRUE(addr_net_parse(sv_of(t[i].net), &net, NULL));
		CU_ASSERT_TRUE(addr_parse_ip(sv_of(t[i].ip), &a));
		CU_ASSERT_EQUAL(addr_net_has(&net, &a), t[i].has);
	}
}

void suite_addr(void)
{
	static const struct unit_case cases[] = {
		UNIT(addresses_are_read_and_shown),
		UNIT(socket_addresses_go_there_and_back),
		UNIT(a_mapped_peer_is_an_ipv4_peer),
		UNIT(other_families_have_a_name),
		UNIT(loopback_is_a_whole_network_in_ipv4),
		UNIT(networks_are_read_and_shown),
		UNIT(a_network_has_what_its_prefix_says),
		UNIT_END,
	};
	unit_suite("addr", cases);
}
