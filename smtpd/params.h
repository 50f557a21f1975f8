/* params - the parameters of MAIL and RCPT: `KEYWORD=value` behind the path (RFC 5321 4.1.2). Syntax is checked strictly: what is
 * taken here travels with the message and is promised to the next server. */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "session.h"

struct mail_params {
	struct spool_options options;
	uint64_t size;          /* SIZE=, 0 not given */
	struct maddr forwarder; /* XFORWARDED=; its domain is empty when it was not given */
	bool strange;
	bool priority_lowered;
};
struct rcpt_params {
	uint8_t notify; /* SPOOL_NOTIFY_*; 0 not given */
	char orcpt[SPOOL_ORCPT_MAX + 1];
};

/* On failure the reply was given. *ret is all zeros before the first parameter. */
bool mail_params(struct session *s, struct sv rest, struct mail_params *ret, struct buf *reply) MUST_CHECK;
bool rcpt_params(struct session *s, struct sv rest, struct rcpt_params *ret, struct buf *reply) MUST_CHECK;
/* For HELP: " [SIZE=bytes] [...]", those of this session. */
void mail_params_help(const struct session *s, struct buf *out);
void rcpt_params_help(const struct session *s, struct buf *out);

/* --- for mail_params.c and rcpt_params.c ------------------------------------------------------------------------------------ */
struct param {
	const char *keyword, *help; /* help: what follows the keyword */
	int extension;              /* enum extension */
	/* Takes the value (p NULL: none) into a struct mail_params or rcpt_params; returns what is wrong with it, NULL for nothing.
	 */
	const char *(*take)(const struct session *s, struct sv value, void *into);
};
bool params_take(struct session *s, const char *verb, const struct param *table, size_t n, struct sv rest, void *into,
	struct buf *reply) MUST_CHECK;
void params_help(const struct session *s, const struct param *table, size_t n, struct buf *out);

#endif
