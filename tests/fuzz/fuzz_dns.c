/* A DNS answer: read or refused; what is read stays within its bounds and is what a name or an address can be. */
#include "dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_name(struct sv s) { BUG_IF(s.n >= DNS_NAME_MAX || sv_has_ctl(s) || !sv_is_ascii(s) || sv_chr(s, ' ') >= 0); }

static void check(const struct dns_answer *a, enum dns_type type)
{
	BUG_IF(a->n > DNS_RECORDS_MAX || (a->status == DNS_OK && a->n == 0));
	check_name(sv_of(a->name));
	for (size_t i = 0; i < a->n; i++) {
		struct sv d = a->rec[i].data;
		if (type == DNS_MX || type == DNS_PTR)
			check_name(d);
		BUG_IF((type == DNS_A && d.n != 4) || (type == DNS_AAAA && d.n != 16));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum dns_type types[] = { DNS_MX, DNS_A, DNS_AAAA, DNS_TXT, DNS_TLSA, DNS_PTR, DNS_CNAME };
	for (size_t i = 0; i < COUNT(types) && n <= 65535; i++) {
		struct dns_answer a;
		if (!dns_packet_parse((struct sv){ (const char *)p, n }, "x.example", types[i], &a))
			continue;
		check(&a, types[i]);
		dns_answer_free(&a);
	}
	return 0;
}
