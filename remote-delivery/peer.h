/* peer - a connection to another mail server: greeting, EHLO, TLS, authentication, and what it said it can. */
#ifndef REMOTE_PEER_H
#define REMOTE_PEER_H

#include "passwords.h"
#include "secure.h"
#include "smtp/client.h"

enum {
	CAP_PIPELINING = 1 << 0,
	CAP_8BITMIME = 1 << 1,
	CAP_SIZE = 1 << 2,
	CAP_SMTPUTF8 = 1 << 3,
	CAP_CHUNKING = 1 << 4,
	CAP_BINARYMIME = 1 << 5,
	CAP_DSN = 1 << 6,
	CAP_STARTTLS = 1 << 7,
	CAP_REQUIRETLS = 1 << 8,
	CAP_AUTH = 1 << 9,
};

struct caps {
	unsigned set;
	uint64_t size_max; /* 0: none said */
	char auth[200];    /* mechanisms, blanks between */
};
/* The lines of an EHLO reply, the greeting first. Unknown words are ignored. */
void caps_parse(struct sv lines, struct caps *ret);

struct peer {
	bool open;
	struct conn c;
	struct caps caps;
	bool lmtp;
	char key[400]; /* of the route, and the host */
	char name[MADDR_DOMAIN_MAX + 1];
	char label[MADDR_DOMAIN_MAX + 70]; /* "mx.example[192.0.2.1]:25" */
	struct addr at;                    /* where it leads; family 0: not connected, or a Unix socket */
	char tls[100];                     /* for the log: "no", "TLSv1.3:CIPHER:verified" */
	char hello[MADDR_DOMAIN_MAX + 1];  /* its name in its answer to EHLO */
	bool local;                        /* over the loopback or a Unix socket */
	bool tls_tried, encrypted, verified;
	char doubt[120];            /* why it is not verified, if that was asked for */
	bool strict;                /* it will go on as REQUIRETLS says */
	bool lax;                   /* opened without the receiver's demands: TLS-Required: No */
	bool tls_failed;            /* not opened, for TLS alone */
	unsigned messages;          /* sent over it */
	uint64_t since_ms, idle_ms; /* when it was opened; when its last message was done */
	uint64_t deadline_ms;       /* of the order */
	bool broken;                /* not to be used again: no QUIT either */
	struct smtp_answer last;    /* the last reply */
};

struct peer_options {
	const struct cfg *cfg;
	const struct route *route;
	int wake;
	uint64_t deadline_ms;
	bool lax;
	struct tls_client *tls;
	const struct passwords *passwords;
	const struct secure *secure; /* NULL: no TLS */
	struct tls_attempt *attempt; /* with `secure` */
};
/* Connects and says hello. Errors: ERR_TEMP, or ERR_PERM when the host says for good that it takes no mail (RFC 7504). */
bool peer_open(struct peer *p, const struct host *h, const struct peer_options *o, struct err *e) MUST_CHECK;
bool peer_open_unix(struct peer *p, const struct peer_options *o, struct err *e) MUST_CHECK;
void peer_close(struct peer *p); /* QUIT without waiting for its answer, unless broken */
/* The host closed it, or has something to say unasked (421). */
bool peer_gone(struct peer *p);

/* --- a step of the dialog: `secs` for the reply, however slowly it comes; the order's deadline as well */
bool peer_put(struct peer *p, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4) MUST_CHECK;
bool peer_answer(struct peer *p, uint64_t secs, struct err *e) MUST_CHECK; /* into p->last; 421: broken */
/* "550 5.1.1 text (in reply to RCPT TO)" */
const char *peer_said(const struct peer *p, const char *step, char dst[500]);
/* An error of the last reply: 5yz is ERR_PERM. */
bool peer_refused(const struct peer *p, const char *step, struct err *e);

#endif
