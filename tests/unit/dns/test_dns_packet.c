#include "base/buf.h"
#include "dns/dns.h"

#include "unit/unit.h"

#define HEAD "\x12\x34\x81\x80\x00\x01"
#define TAIL "\x00\x00\x00\x00"
#define QUESTION    \
	"\x01x\x07" \
	"example\x00\x00\x0f\x00\x01" /* x.example. MX, at 12; example is at 14 */
#define TTL "\x00\x00\x00\x3c"

struct packet {
	const char *p;
	size_t n;
};
#define PACKET(answers, rest)                                                                \
	{                                                                                    \
		HEAD answers TAIL QUESTION rest, sizeof(HEAD answers TAIL QUESTION rest) - 1 \
	}

static bool parse(const struct packet *p, enum dns_type type, struct dns_answer *ret)
{
	/* A copy of its size, so that a checker of memory sees each byte read behind it. */
	char *copy = mem_dup((struct sv){ p->p, p->n });
	bool ok = dns_packet_parse((struct sv){ copy, p->n }, "X.example.", type, ret);
	free(copy);
	return ok;
}

static void mail_exchangers_are_read_through_compressed_names(void)
{
	static const struct packet p = PACKET("\x00\x02", "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x07\x00\x0a\x02mx\xc0\x0e"
							  "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x03\x00\x00\x00");
	struct dns_answer a;
	CU_ASSERT_TRUE_FATAL(parse(&p, DNS_MX, &a));
	CU_ASSERT(a.status == DNS_OK && a.n == 2 && a.ttl == 60 && !a.alias);
	CU_ASSERT_STRING_EQUAL(a.name, "x.example");
	CU_ASSERT(a.rec[0].preference == 10 && sv_eqs(a.rec[0].data, "mx.example"));
	CU_ASSERT(a.rec[1].preference == 0 && a.rec[1].data.n == 0);
	dns_answer_free(&a);
}

static void an_alias_leads_to_the_records_in_whatever_order_they_come(void)
{
	static const struct packet p = PACKET("\x00\x02", "\x01y\xc0\x0e\x00\x0f\x00\x01" TTL "\x00\x04\x00\x05\xc0\x0e"
							  "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x04\x01y\xc0\x0e");
	struct dns_answer a;
	CU_ASSERT_TRUE_FATAL(parse(&p, DNS_MX, &a));
	CU_ASSERT(a.status == DNS_OK && a.n == 1 && a.alias && a.ttl == 5);
	CU_ASSERT_STRING_EQUAL(a.name, "y.example");
	dns_answer_free(&a);
}

static void nothing_there_and_nobody_there_are_told_apart(void)
{
	static const struct packet nodata = PACKET("\x00\x00", "");
	static const char nxdomain[] = "\x12\x34\x81\x83\x00\x01\x00\x00" TAIL QUESTION;
	const struct packet gone = { nxdomain, sizeof nxdomain - 1 };
	struct dns_answer a;
	CU_ASSERT_TRUE_FATAL(parse(&nodata, DNS_MX, &a));
	CU_ASSERT_EQUAL(a.status, DNS_NODATA);
	dns_answer_free(&a);
	CU_ASSERT_TRUE_FATAL(parse(&gone, DNS_MX, &a));
	CU_ASSERT_EQUAL(a.status, DNS_NXDOMAIN);
	dns_answer_free(&a);
}

static void records_of_another_name_or_class_are_not_ours(void)
{
	static const struct packet p = PACKET("\x00\x02", "\x01z\xc0\x0e\x00\x0f\x00\x01" TTL "\x00\x04\x00\x05\xc0\x0e"
							  "\xc0\x0c\x00\x0f\x00\x03" TTL "\x00\x04\x00\x05\xc0\x0e");
	struct dns_answer a;
	CU_ASSERT_TRUE_FATAL(parse(&p, DNS_MX, &a));
	CU_ASSERT_EQUAL(a.status, DNS_NODATA);
	dns_answer_free(&a);
}

static void what_is_malformed_is_refused(void)
{
	static const struct packet t[] = {
		{ "", 0 }, { HEAD, 6 }, PACKET("\x00\x01", ""),                                      /* an answer is missing */
		PACKET("\x00\x01", "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x09\x00\x0a\x02mx\xc0\x0e"), /* longer than the packet */
		PACKET("\x00\x01", "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x01\x00"),                   /* too short for MX */
		PACKET("\x00\x01", "\xc0\x1b\x00\x0f\x00\x01" TTL "\x00\x04\x00\x0a\xc0\x0e"),       /* a pointer to itself */
		PACKET("\x00\x01", "\xc0\xff\x00\x0f\x00\x01" TTL "\x00\x04\x00\x0a\xc0\x0e"),       /* a pointer forwards */
		PACKET("\x00\x01", "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x06\x00\x0a\x41mx\x00"),     /* a label of 65 bytes */
		PACKET("\x00\x01", "\xc0\x0c\x00\x05\x00\x01" TTL "\x00\x02\xc0\x0c"),               /* a CNAME to itself */
		{ "\x12\x34\x81\x82\x00\x01\x00\x00" TAIL QUESTION, 12 + 15 },                       /* SERVFAIL */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct dns_answer a = { .status = DNS_BOGUS };
		CU_ASSERT_FALSE(parse(&t[i], DNS_MX, &a));
		CU_ASSERT_EQUAL(a.status, DNS_BOGUS);
	}
}

static void no_part_of_a_name_can_pass_for_another(void)
{
	static const struct packet p = PACKET("\x00\x01", "\xc0\x0c\x00\x0f\x00\x01" TTL "\x00\x0a\x00\x0a\x05"
							  "a.b C\xc0\x0e");
	struct dns_answer a;
	CU_ASSERT_TRUE_FATAL(parse(&p, DNS_MX, &a));
	CU_ASSERT_TRUE(sv_eqs(a.rec[0].data, "a?b?c.example"));
	dns_answer_free(&a);
}

void suite_dns_packet(void)
{
	static const struct unit_case cases[] = { UNIT(mail_exchangers_are_read_through_compressed_names),
		UNIT(an_alias_leads_to_the_records_in_whatever_order_they_come),
		UNIT(nothing_there_and_nobody_there_are_told_apart), UNIT(records_of_another_name_or_class_are_not_ours),
		UNIT(what_is_malformed_is_refused), UNIT(no_part_of_a_name_can_pass_for_another), UNIT_END };
	unit_suite("dns_packet", cases);
}
