#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COPY_CHUNK 65536
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd); /* EINTR: Linux has closed it all the same */
	*fd = -1;
	errno = saved;
}

/* Otherwise the next file or socket that we open would get their number, and what is said on stderr would go into it. The lowest
 * free number is what open(2) gives, and it is above 2 when all are held. */
void fd_hold_std(void)
{
	int fd;
	do
		fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_WRONLY : O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

bool fd_nonblock(int fd, bool on, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		return err_sys(e, ERR_TEMP, "set descriptor %d %s", fd, on ? "non-blocking" : "blocking");
	return true;
}

bool fd_cloexec(int fd, bool on, struct err *e)
{
	if (fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0)
		return err_sys(e, ERR_TEMP, "set close-on-exec of descriptor %d", fd);
	return true;
}

/* Some filesystems answer a write with 0 when they are full. */
static bool wrote(ssize_t got, const char **p, size_t *n)
{
	if (got == 0)
		errno = ENOSPC;
	if (got <= 0)
		return got < 0 && errno == EINTR;
	*p += got;
	*n -= (size_t)got;
	return true;
}

bool fd_write_all(int fd, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	while (n)
		if (!wrote(write(fd, p, n), &p, &n))
			return err_sys(e, ERR_TEMP, "write");
	return true;
}

bool fd_pwrite_all(int fd, const void *data, size_t n, off_t at, struct err *e)
{
	const char *p = data;

	while (n)
		if (!wrote(pwrite(fd, p, n, at + (p - (const char *)data)), &p, &n))
			return err_sys(e, ERR_TEMP, "write");
	return true;
}

bool fd_pread(int fd, void *p, size_t n, off_t at, size_t *ret_n, struct err *e)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (char *)p + done, n - done, at + (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, ERR_TEMP, "read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return true;
}

/* At the limit one more byte is asked for: the file may end just there. */
static bool at_end(int fd, off_t at, bool *ret_end, struct err *e)
{
	char probe;
	size_t got;

	if (!fd_pread(fd, &probe, 1, at, &got, e))
		return false;
	*ret_end = got == 0;
	return true;
}

bool fd_read_file(int fd, struct buf *b, struct err *e)
{
	size_t before = b->len, n, got, chunk = 4096;
	bool end = false;

	while (!end) {
		n = MIN(chunk, b->max - b->len);
		char *room = n ? buf_room(b, n) : NULL;
		off_t at = (off_t)(b->len - before);
		if (room ? !fd_pread(fd, room, n, at, &got, e) : !at_end(fd, at, &end, e))
			goto fail;
		if (!room && !end) {
			err_set(e, ERR_LIMIT, "file is larger than %zu bytes", b->max - before);
			goto fail;
		}
		if (room) {
			buf_grew(b, got);
			end = got < n;
		}
		chunk = COPY_CHUNK;
	}
	return true;
fail:
	buf_cut(b, before);
	return false;
}

bool fd_read_path(int dirfd, const char *path, struct buf *b, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* never waits for a pipe's writer */
	struct stat st;
	bool ok = false;

	if (fd < 0)
		return err_sys(e, ERR_TEMP, "open %s", path);
	if (fstat(fd, &st) < 0)
		err_sys(e, ERR_TEMP, "look at %s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_PERM, "%s is not a regular file", path);
	else if (!(ok = fd_read_file(fd, b, e)))
		err_add(e, "%s", path);
	fd_close(&fd);
	return ok;
}

bool fd_copy(int in, off_t from, uint64_t len, int out, struct err *e)
{
	char chunk[COPY_CHUNK];
	size_t n;

	while (len) {
		if (!fd_pread(in, chunk, (size_t)MIN(len, sizeof(chunk)), from, &n, e))
			return false;
		if (n == 0)
			return err_set(e, ERR_TEMP, "copy: file ends %llu bytes early", (unsigned long long)len);
		if (!fd_write_all(out, chunk, n, e))
			return false;
		from += (off_t)n;
		len -= n;
	}
	return true;
}

bool fd_sync(int fd, struct err *e)
{
	while (fsync(fd) < 0)
		if (errno != EINTR)
			return err_sys(e, ERR_TEMP, "sync");
	return true;
}

bool fd_sync_dir(int dirfd, const char *sub, struct err *e)
{
	int fd = openat(dirfd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return err_sys(e, ERR_TEMP, "open directory %s", sub);
	ok = fd_sync(fd, e);
	if (!ok)
		err_add(e, "directory %s", sub);
	fd_close(&fd);
	return ok;
}

/* An existing directory keeps the mode that its admin gave it; a new one gets `mode` whatever the umask is. */
bool fd_mkdir(int dirfd, const char *name, unsigned mode, int *ret_fd, struct err *e)
{
	bool made = mkdirat(dirfd, name, mode) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return err_sys(e, ERR_TEMP, "make directory %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "open directory %s", name);
	if (made && fchmod(fd, mode) < 0) {
		err_sys(e, ERR_TEMP, "set mode of directory %s", name);
		fd_close(&fd);
		return false;
	}
	*ret_fd = fd;
	return true;
}

int fd_memfd(const char *name, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		err_sys(e, ERR_TEMP, "make memory file %s", name);
	return fd;
}

bool fd_seal(int memfd, struct err *e)
{
	if (fcntl(memfd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, ERR_TEMP, "seal memory file");
	return true;
}

bool fd_is_sealed(int memfd)
{
	int seals = fcntl(memfd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}
