/* A balancer's header, whatever it is: parsed or refused within its bytes, and what is taken is an IP address. */
#include "smtpd/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proxy x;
	struct sv in = { (const char *)p, n };
	if (proxy_parse_v1(in, &x))
		BUG_IF(n > PROXY_V1_MAX || (!x.own && x.client.family != AF_INET && x.client.family != AF_INET6));
	if (proxy_parse_v2(in, &x))
		BUG_IF(n != proxy_v2_len(in) || (!x.own && x.client.family != AF_INET && x.client.family != AF_INET6));
	return 0;
}
