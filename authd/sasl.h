/* sasl - one AUTH exchange (RFC 4422) as a state machine: responses in, challenges out. No I/O; who knows a user's password or
 * verifier is the caller. Mechanisms: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and -PLUS (RFC 7677, 9266), EXTERNAL. */
#ifndef AUTHD_SASL_H
#define AUTHD_SASL_H

#include "ipc/msg_auth.h"
#include "smtp/scram.h"

enum sasl_want {
	SASL_SEND,        /* `out`, in base64, is a challenge; then sasl_response() */
	SASL_PASSWORD,    /* judge `user` by `password`: the exchange is over */
	SASL_VERIFIER,    /* sasl_verifier() with that of `user`, or one that fits nobody */
	SASL_PROVED,      /* it is `user`, if the verifier was a true one: the exchange is over */
	SASL_CERTIFICATE, /* whose is the client's certificate? `user` is who it wants to be, "" whoever */
	SASL_REFUSED,     /* as after a wrong password; `why` is for the log */
	SASL_MALFORMED,   /* `why` is for the client */
	SASL_UNKNOWN,     /* no such mechanism here */
};

struct sasl_facts {             /* about the client's connection */
	const char *local_user; /* whose process it is; "" a network client */
	bool certificate;       /* it has shown one */
	struct scram_channel channel;
	bool plus_offered; /* SCRAM-SHA-256-PLUS was */
};

struct sasl_mech;
struct sasl {
	const struct sasl_mech *mech;
	unsigned step;
	struct sasl_facts facts; /* its strings must outlive the exchange */
	char user[AUTH_ACCOUNT_MAX + 1];
	char password[AUTH_PASSWORD_MAX + 1]; /* as it came: PAM knows passwords as bytes */
	struct scram scram;
	struct scram_verifier verifier;
	struct buf out;
	struct err why;
};

/* `initial` is base64, "=" for an empty one (RFC 4954 4); p NULL: none was sent. */
enum sasl_want sasl_start(struct sasl *s, const char *mechanism, const struct sasl_facts *facts, struct sv initial);
enum sasl_want sasl_response(struct sasl *s, struct sv response);
enum sasl_want sasl_verifier(struct sasl *s, const struct scram_verifier *v, const char *own_nonce);
void sasl_free(struct sasl *s); /* wipes what is secret */

#endif
