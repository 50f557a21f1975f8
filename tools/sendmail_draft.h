/* sendmail_draft - the message from standard input, kept in an unlinked file: memory stays small whatever its size, and it is still
 * there for dead.letter when it cannot be sent. */
#ifndef SENDMAIL_DRAFT_H
#define SENDMAIL_DRAFT_H

#include "base/buf.h"
#include "base/err.h"

/* Lines: CRLF becomes LF, a lone dot ends the message if dot_ends. Any chunking gives the same result. */
struct line_filter {
	bool dot_ends;
	bool done; /* the dot was seen */
	bool mid_line, dot, cr;
	bool eight_bit; /* some byte was not ASCII */
};
void line_filter(struct line_filter *f, struct sv in, struct buf *out);
void line_filter_end(struct line_filter *f, struct buf *out);

struct draft {
	int fd;
	uint64_t size;
	bool eight_bit;
};
/* Reads `in` to its end (or the dot). ERR_TEMP: no room, ERR_LIMIT: larger than max. */
bool draft_read(int in, bool dot_ends, uint64_t max, struct draft *ret, struct err *e) MUST_CHECK;
void draft_close(struct draft *s);

#endif
