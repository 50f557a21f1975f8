/* input - the bytes of a message out of a passed descriptor. Always by pread into memory of our own, never mapped: a file that
 * is cut short under us is then a short read, not a SIGBUS, and for the usual few KiB it is quicker too. */
#ifndef SPAMCHECK_INPUT_H
#define SPAMCHECK_INPUT_H

#include "base/buf.h"
#include "base/err.h"

/* The first `max` of `size` bytes from `offset` of a regular file or memfd into b. ERR_PEER: no such file, or shorter than said. */
bool input_read(int fd, uint64_t offset, uint64_t size, size_t max, struct buf *b, struct err *e) MUST_CHECK;

#endif
