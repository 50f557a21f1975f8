/* smtp client - a small blocking SMTP client for our own programs over Unix sockets: bounce and sendmail. Replies are read with
 * nothing taken for granted, so remote-delivery uses that part too. */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "net/conn.h"
#include "smtp/smtp.h"

struct smtp_answer {
	int code; /* 0: none came */
	char dsn[12];
	char text[400]; /* all lines, without their enhanced codes, joined by blanks; bounded, no control bytes */
};
#define SMTP_CAP_8BITMIME 1u
#define SMTP_CAP_SMTPUTF8 2u
#define SMTP_CAP_SIZE 4u
#define SMTP_CAP_PIPELINING 8u
#define SMTP_CAP_DSN 16u

/* Greeting and EHLO. ERR_TEMP/ERR_PEER with the reply's text when the server will not talk. */
bool smtp_client_hello(struct conn *c, const char *name, unsigned *ret_caps, struct err *e) MUST_CHECK;
/* Sends one command line (without CRLF; must hold no CR, LF or NUL: BUG) and reads the answer. false only when the channel failed.
 */
bool smtp_client_cmd(struct conn *c, struct smtp_answer *ret, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5) MUST_CHECK;
bool smtp_client_answer(struct conn *c, struct smtp_answer *ret, struct err *e) MUST_CHECK;
/* The same, and each line's text without its code into ret_lines (may be NULL): EHLO. */
bool smtp_client_lines(struct conn *c, struct smtp_answer *ret, struct buf *ret_lines, struct err *e) MUST_CHECK;

#endif
