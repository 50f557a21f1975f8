/* smtpd's write of a lent file: the bytes, then one fsync (DESIGN D5). */
#include "spool/spool.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/uio.h>

/* RFC 3463: 4.3.1 "mail system full". A failure of the disk is ours to repair: 4.3.0. */
static bool write_failed(struct err *e, const char *what)
{
	bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	err_sys(e, ERR_TEMP, "%s the queue file", what);
	if (e != NULL)
		memcpy(e->dsn, full ? "4.3.1" : "4.3.0", sizeof("4.3.1"));
	return false;
}

static bool write_two(int fd, struct sv a, struct sv b, struct err *e)
{
	uint64_t at = 0;
	while (at < a.n + b.n) {
		struct sv rest_a = sv_skip(a, at < a.n ? (size_t)at : a.n);
		struct sv rest_b = at < a.n ? b : sv_skip(b, (size_t)at - a.n);
		struct iovec v[] = { { (void *)(uintptr_t)rest_a.p, rest_a.n }, { (void *)(uintptr_t)rest_b.p, rest_b.n } };
		ssize_t n = pwritev(fd, v, COUNT(v), (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return write_failed(e, "write");
		at += (uint64_t)n;
	}
	return true;
}

void spool_abandon(int fd)
{
	/* When even this fails the file is incomplete or, after a failed fsync, unacknowledged: recovery deals with it. */
	if (ftruncate(fd, 0) < 0)
		return;
}

/* A failed fsync is final: the kernel may have dropped the dirty pages, and a second one would lie. */
static bool sync_once(int fd, struct err *e)
{
	int rc;
	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc == 0 || write_failed(e, "sync");
}

bool spool_commit(int fd, struct sv header, struct sv body, struct err *e)
{
	if (write_two(fd, header, body, e) && sync_once(fd, e))
		return true;
	spool_abandon(fd);
	return false;
}

bool spool_stream(int fd, struct sv piece, uint64_t at, struct err *e)
{
	while (piece.n > 0) {
		ssize_t n = pwrite(fd, piece.p, piece.n, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0) {
			write_failed(e, "write");
			spool_abandon(fd);
			return false;
		}
		piece = sv_skip(piece, (size_t)n);
		at += (uint64_t)n;
	}
	return true;
}

bool spool_commit_header(int fd, struct sv header, struct err *e) { return spool_commit(fd, header, (struct sv){ NULL, 0 }, e); }
