/* scram client - the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. No I/O. */
#ifndef SMTP_SCRAM_CLIENT_H
#define SMTP_SCRAM_CLIENT_H

#include "smtp/scram.h"

#define SCRAM_CLIENT_ITERATIONS_MAX 1000000u /* a server must not make us reckon for minutes */

struct scram_client {
	struct buf first_bare;
	unsigned char server_signature[SCRAM_KEY];
	char nonce[SCRAM_OWN_NONCE + 1];
};
/* own_nonce: printable, without comma, SCRAM_OWN_NONCE bytes */
void scram_client_init(struct scram_client *s, const char *own_nonce);
void scram_client_free(struct scram_client *s);
void scram_client_first(struct scram_client *s, const char *user, struct buf *ret_message);
/* The challenge is answered. ERR_PEER: it is none. */
bool scram_client_final(
	struct scram_client *s, struct sv password, struct sv challenge, struct buf *ret_message, struct err *e) MUST_CHECK;
/* Does the server know the password too? ERR_PEER. */
bool scram_client_verify(const struct scram_client *s, struct sv message, struct err *e) MUST_CHECK;

#endif
