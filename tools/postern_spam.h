/* postern_spam - finds messages: in Maildirs, mbox files, files and directories of files. */
#ifndef POSTERN_SPAM_H
#define POSTERN_SPAM_H

#include "base/err.h"

struct found_mail { /* a message: bytes of an open file */
	int fd;
	uint64_t offset, size;
};
/* Calls on() for each message at or below path; on() returns false to stop (that is no failure). A file that begins with `From ` is
 * an mbox. Files and directories whose names begin with '.' are left out, and so is Maildir/tmp. */
bool found_each(const char *path, bool (*on)(const struct found_mail *m, void *arg), void *arg, struct err *e) MUST_CHECK;

#endif
