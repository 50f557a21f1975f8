/* dns - questions to a resolver, by libunbound inside our own event loop: no threads, no processes, our own deadlines.
 *
 * Answers are checked by DNSSEC where a trust anchor is known and the zone is signed: `secure`. A forwarder that strips signatures
 * would make every signed zone look forged, so dns_probe() asks once and then goes without validation. Sources: RFC 1035, 2308
 * (no such name, no such data), 4035, 6698. The packet parser takes nothing for granted: what libunbound hands over was a
 * stranger's. Names are ASCII, lower case, without a final dot. */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/err.h"
#include "event/ev.h"

#define DNS_NAME_MAX 256
#define DNS_RECORDS_MAX 200 /* of one answer; more are ignored */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_DNSKEY = 48, DNS_TLSA = 52 };
enum dns_status {
	DNS_OK,
	DNS_NODATA,   /* the name exists, or may: none of this type */
	DNS_NXDOMAIN, /* no such name */
	DNS_FAILED,   /* the servers do not say: try again later */
	DNS_TIMEOUT,
	DNS_BOGUS, /* the answer is forged, or its zone is broken: try again later */
};

struct dns_record {
	uint16_t preference; /* MX */
	struct sv data;      /* MX, PTR: the name; "" is the root. TXT: its strings joined. Others: as on the wire */
};
struct dns_answer {
	enum dns_status status;
	bool secure;             /* validated. For NXDOMAIN and NODATA too */
	bool alias;              /* CNAMEs led to `name` */
	char name[DNS_NAME_MAX]; /* whose records they are */
	uint32_t ttl;            /* the least of all */
	struct dns_record *rec;  /* in the order of the answer */
	size_t n;
	char why[240]; /* what went wrong, and who said so */
	struct arena *mem;
};
void dns_answer_free(struct dns_answer *a);
/* An answer's packet. false: it is malformed, ret untouched. `type` is what was asked for. */
bool dns_packet_parse(struct sv packet, const char *name, enum dns_type type, struct dns_answer *ret) MUST_CHECK;

struct dns_options {
	const char *const *servers; /* "192.0.2.1", "::1@5353"; none: those of /etc/resolv.conf */
	size_t n_servers;
	const char *anchor_file; /* "" or missing: nothing is validated */
};
struct dns;
/* Reads all files that it needs: before a sandbox is closed. */
struct dns *dns_new(const struct dns_options *o, struct ev_loop *loop, struct err *e);
void dns_free(struct dns *d);                 /* questions that wait are forgotten */
const char *dns_servers(const struct dns *d); /* for messages: "127.0.0.1@53, ..." */

struct dns_query {
	const char *name;
	enum dns_type type;
	struct dns_answer answer; /* zero before; dns_answer_free() when done with */
	bool done;
	struct dns_wait *waits; /* dns's own */
};
/* For an event loop: done(q) is called once, maybe at once. dns_cancel: it will not be. */
void dns_ask(struct dns *d, struct dns_query *q, void (*on)(struct dns_query *q, void *arg), void *arg);
void dns_cancel(struct dns_query *q);
/* For blocking code, which has the loop for this alone: all at once, until `deadline_ms` (monotonic); those without an answer then
 * are DNS_TIMEOUT. */
void dns_ask_all(struct dns *d, struct dns_query *q, size_t n, uint64_t deadline_ms);

/* Can answers be validated? Asks for the keys of the trust anchor's zone, once; when they come back unsigned, validation is off
 * from then on and *ret_why says so ("" else). Blocking, like dns_ask_all(). */
bool dns_probe(struct dns *d, uint64_t deadline_ms, char *ret_why, size_t why_size);
bool dns_validates(const struct dns *d);

#endif
