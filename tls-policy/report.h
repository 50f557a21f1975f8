/* report - a domain's report of a day: JSON (RFC 8460 4), and the message that carries it (5.3). */
#ifndef TLS_POLICY_REPORT_H
#define TLS_POLICY_REPORT_H

#include "base/buf.h"

#define REPORT_JSON_MAX (256u * 1024)
#define REPORT_MESSAGE_MAX (512u * 1024)

struct report {
	const char *organization; /* who reports: our host name */
	const char *contact;      /* an address */
	const char *domain;
	uint64_t from, to; /* Unix time: its first and last second */
	uint64_t now;
};

/* rows: facts_text(). */
void report_json(const struct report *r, struct sv rows, struct buf *out);
bool report_gzip(struct sv text, struct buf *out) MUST_CHECK;   /* false: it does not fit */
void report_file_name(const struct report *r, struct buf *out); /* 5.1 */
/* LF line ends. */
void report_message(const struct report *r, const char *to, struct sv gzip, struct buf *out);

/* The receivers in a domain's TXT record (3): "v=TLSRPTv1; rua=mailto:a@b.example,https://b.example/x". false: it is no such
 * record. */
#define REPORT_RUA_MAX 2000
bool report_is_record(struct sv txt, char ret_rua[REPORT_RUA_MAX + 1]);

#endif
