/* dotforward - what a user's ~/.forward says (postern-forward(5)): reading it safely and parsing it. For local-delivery's
 * user half, and `postern check`. */
#ifndef MAILBOX_DOTFORWARD_H
#define MAILBOX_DOTFORWARD_H

#include "base/buf.h"
#include "base/vec.h"
#include "mail/maddr.h"
#include "mailbox/mbx.h"

#define DOTFORWARD_SIZE_MAX (64 * 1024)
#define DOTFORWARD_TARGETS_MAX 100 /* more than that is a list, which is the admin's to make: an alias */
#define DOTFORWARD_NAME_MAX 160    /* ".forward", delimiter and extension */

/* The name of the file for mail to user+detail ("": the plain one). false: no file can have it. */
bool dotforward_name(const char *delimiter, const char *detail, char dst[DOTFORWARD_NAME_MAX + 1]) MUST_CHECK;

/* Appends the file to *ret; *ret_there false: there is none. With the caller's rights: the user half's are the user's. ERR_TEMP: it
 * is not used, and the text says why and what to do: a link, no regular file, another's, writable for others, too long, not
 * readable. */
bool dotforward_read(const struct mbx_user *user, const char *name, struct buf *ret, bool *ret_there, struct err *e) MUST_CHECK;

struct dotforward_self {       /* whose file it is */
	const char *user;      /* login name */
	struct maddr rcpt;     /* what the mail in hand was sent to */
	const char *delimiter; /* of user+detail, or "" */
};
struct dotforward {
	struct vec targets; /* of struct maddr, each once; a domain may be missing: dotforward_free() */
	bool own;           /* the user's own mailbox, too; set when there is no target at all */
};
/* ERR_TEMP, 4.3.5: something in it cannot be done; the text names the line. Nothing of it counts then. */
bool dotforward_parse(struct sv text, const struct dotforward_self *self, struct dotforward *ret, struct err *e) MUST_CHECK;
void dotforward_free(struct dotforward *f);

#endif
