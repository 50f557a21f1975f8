#include "input.h"

#include "base/fd.h"

#include <sys/stat.h>

bool input_read(int fd, uint64_t offset, uint64_t size, size_t max, struct buf *b, struct err *e)
{
	struct stat st;
	size_t want = (size_t)MIN(size, (uint64_t)max), got = 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_PEER, "the message is not a regular file");
	buf_reset(b);
	char *room = buf_room(b, want);
	if (!room && want > 0)
		return err_set(e, ERR_LIMIT, "no room for %zu bytes of the message", want);
	if (want > 0 && !fd_pread(fd, room, want, (off_t)offset, &got, e))
		return false;
	if (got < want)
		return err_set(e, ERR_PEER, "the message ends after %zu of %zu bytes", got, want);
	buf_grew(b, got);
	return true;
}
