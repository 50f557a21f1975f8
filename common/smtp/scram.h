/* scram - SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677), the server's side, and the verifiers that are stored instead of passwords.
 * No I/O. Passwords and names are taken as the bytes they are: saslprep.h prepares them. */
#ifndef SMTP_SCRAM_H
#define SMTP_SCRAM_H

#include "base/buf.h"
#include "base/err.h"

#define SCRAM_KEY 32
#define SCRAM_SALT_MAX 64
#define SCRAM_SALT 16           /* of new verifiers */
#define SCRAM_ITERATIONS 10000u /* of new verifiers; RFC 7677 4: at least 4096 */
#define SCRAM_USER_MAX 128
#define SCRAM_NONCE_MAX 256 /* of the client */
#define SCRAM_OWN_NONCE 24
#define SCRAM_MESSAGE_MAX 2048

struct scram_verifier { /* leaks no password; whoever has it can pose as the server, not as the client */
	uint64_t iterations;
	size_t salt_len;
	unsigned char salt[SCRAM_SALT_MAX], stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
};

void scram_hmac(struct sv key, struct sv data, unsigned char ret[SCRAM_KEY]); /* HMAC-SHA-256 */
void scram_hash(struct sv data, unsigned char ret[SCRAM_KEY]);                /* SHA-256 */
void scram_derive(struct sv password, struct sv salt, uint64_t iterations, struct scram_verifier *ret);
/* "SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>", base64 */
#define SCRAM_TEXT_MAX 300
void scram_verifier_text(const struct scram_verifier *v, struct buf *out);
bool scram_verifier_parse(struct sv text, struct scram_verifier *ret) MUST_CHECK;

/* What our end of the channel knows (RFC 9266, RFC 5929): the client chooses one type. Empty: there is none of that type. */
struct scram_channel {
	struct sv exporter, unique, end_point;
};

/* One exchange. `offered`: the client was shown the -PLUS mechanism, so that one which says it was not has met a man in the middle.
 */
struct scram {
	bool plus, offered;
	struct scram_channel channel;
	struct sv binding; /* of the type that the client chose */
	char user[SCRAM_USER_MAX + 1];
	char authzid[SCRAM_USER_MAX + 1]; /* "" none */
	char gs2[SCRAM_USER_MAX * 3 + 40];
	struct buf first_bare, server_first; /* for the signatures */
	char nonce[SCRAM_NONCE_MAX + SCRAM_OWN_NONCE + 1];
};
void scram_init(struct scram *s, bool plus, bool offered, const struct scram_channel *channel); /* the bytes must outlive it */
void scram_free(struct scram *s);
/* ERR_PEER: malformed, the text says how; ERR_PERM: to be refused like a wrong password, the text is for the log. */
bool scram_take_first(struct scram *s, struct sv message, struct err *e) MUST_CHECK;
/* own_nonce: printable, without comma, SCRAM_OWN_NONCE bytes */
void scram_challenge(struct scram *s, const struct scram_verifier *v, const char *own_nonce, struct buf *ret_message);
bool scram_take_final(
	struct scram *s, const struct scram_verifier *v, struct sv message, struct buf *ret_message, struct err *e) MUST_CHECK;

#endif
