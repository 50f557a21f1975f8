/* scan - from the bytes of a message to findings and tokens. Pure: no descriptors, no clock; bounded in time and memory. */
#ifndef SPAMCHECK_SCAN_H
#define SPAMCHECK_SCAN_H

#include "decode.h"
#include "rules.h"
#include "tokens.h"

#define SCAN_MAX (1024 * 1024) /* of a message; what makes it spam stands at its beginning */

struct scan_in {
	struct sv msg;  /* SCAN_MAX at most */
	bool truncated; /* msg is the beginning of a longer one */
	bool smtputf8;
	uint64_t now_secs;
};

struct scan {                    /* kept from message to message for its memory */
	struct decoder *decoder; /* the caller's */
	struct findings findings;
	struct tokens tokens;
	bool want_tokens;
	/* its own */
	struct buf text;
	bool plain_text, html;
};

void scan_init(struct scan *s, struct decoder *d);
void scan_free(struct scan *s);
/* Fills s->findings and, if s->want_tokens, s->tokens. */
void scan_message(struct scan *s, const struct scan_in *in);

#endif
