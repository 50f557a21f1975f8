/* postern-tls-policy - knows what domains demand of TLS (MTA-STS). */
#include "server.h"

static const struct svc tls_policy = {
	.name = "tls-policy",
	.user = TLS_POLICY_USER,
	.model = SVC_LOOP,
	.sandbox = SB_STDIO | SB_SOCKETS | SB_FILES,
	.pre_drop = tls_policy_pre_drop,
	.start = tls_policy_start,
	.drain = tls_policy_drain,
	.report = tls_policy_report,
};

int main(int argc, char **argv) { return svc_main(&tls_policy, argc, argv); }
