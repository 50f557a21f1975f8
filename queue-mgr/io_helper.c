/* A queue-io helper: one request at a time, blocking. */
#include "io.h"
#include "qfile.h"

#include "base/fd.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define SECTOR 512 /* what a disk writes at once, or a part of it */
#define HOLD_BIT ((uint64_t)1 << (2 * SPOOL_SHARDS))

uint64_t io_dir_bit(enum where where, const struct spool_id *id)
{
	if (where == IN_HOLD)
		return HOLD_BIT;
	return (uint64_t)1 << (spool_id_shard(id) + (where == IN_CUR ? SPOOL_SHARDS : 0));
}

/* Nothing was written at the start: the header of a streamed message comes last. */
static bool headless(int fd)
{
	static const char zeros[SECTOR];
	char p[SECTOR];
	size_t n;
	return fd_pread(fd, p, sizeof(p), 0, &n, NULL) && memcmp(p, zeros, n) == 0;
}

/* Of a file that ends too early: did the write end there, or are its words about itself damaged? Writes are cut off between
 * pages, or between blocks of the disk. What was cut elsewhere may have been whole once, and is kept. */
static enum io_answer ended_early(uint64_t size) { return size % SECTOR == 0 ? IO_TORN : IO_CORRUPT; }

static enum io_answer verify_size(int fd, uint64_t size, struct err *e)
{
	struct spool_envelope env;
	enum io_answer answer = IO_OK;
	if (!spool_envelope_read(fd, &env, e)) {
		if (e->kind == ERR_TEMP)
			return IO_TEMP;
		return headless(fd) ? IO_TORN : e->kind == ERR_LIMIT ? ended_early(size) : IO_CORRUPT;
	}
	if (size < env.size) {
		err_set(e, ERR_PERM, "torn: %llu of %llu bytes", (unsigned long long)size, (unsigned long long)env.size);
		answer = ended_early(size);
	} else if (!spool_verify(fd, &env, e))
		answer = e->kind == ERR_PERM ? IO_CORRUPT : IO_TEMP;
	spool_envelope_free(&env);
	return answer;
}

static enum io_answer verify_open(int fd, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		err_set(e, ERR_PERM, "not a regular file");
		return IO_CORRUPT;
	}
	return fd_sync(fd, e) ? verify_size(fd, (uint64_t)st.st_size, e) : IO_TEMP;
}

static enum io_answer verify(const struct spool_dir *d, const struct io_request *req, struct err *e)
{
	int fd = openat(qfile_dir(d, (enum where)req->where, &req->id), req->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_sys(e, ERR_TEMP, "open");
		return IO_TEMP;
	}
	enum io_answer answer = verify_open(fd, e);
	close(fd);
	return answer;
}

static bool write_marks(int fd, const struct io_mark *marks, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		char status = (char)marks[i].status;
		if (!fd_pwrite_all(fd, &status, 1, (off_t)marks[i].at, e))
			return false;
	}
	return fdatasync(fd) == 0 || err_sys(e, ERR_TEMP, "sync status of recipients");
}

static enum io_answer mark(const struct spool_dir *d, const struct io_request *req, const struct io_mark *marks, struct err *e)
{
	int fd = openat(qfile_dir(d, (enum where)req->where, &req->id), req->name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_sys(e, ERR_TEMP, "open to mark recipients");
		return IO_TEMP;
	}
	bool ok = write_marks(fd, marks, req->n_marks, e);
	close(fd);
	return ok ? IO_OK : IO_TEMP;
}

static enum io_answer sync_dirs(const struct spool_dir *d, uint64_t dirs, struct err *e)
{
	for (size_t i = 0; i < SPOOL_SHARDS; i++) {
		if ((dirs >> i & 1) != 0 && !fd_sync(d->new_fd[i], e))
			return IO_TEMP;
		if ((dirs >> (i + SPOOL_SHARDS) & 1) != 0 && !fd_sync(d->cur_fd[i], e))
			return IO_TEMP;
	}
	return (dirs & HOLD_BIT) == 0 || fd_sync(d->hold_fd, e) ? IO_OK : IO_TEMP;
}

enum io_answer io_do(const struct spool_dir *d, const struct io_request *req, const struct io_mark *marks, struct err *e)
{
	switch ((enum io_op)req->op) {
	case IO_VERIFY:
		return verify(d, req, e);
	case IO_MARK:
		return mark(d, req, marks, e);
	case IO_SYNC_DIR:
		break;
	}
	return sync_dirs(d, req->dirs, e);
}

/* End of queue-mgr, in whatever way, is the end of the socket. */
static bool next_request(int fd, char *packet, size_t *ret_n)
{
	ssize_t n;
	do
		n = recv(fd, packet, IO_PACKET_MAX, 0);
	while (n < 0 && errno == EINTR);
	*ret_n = n > 0 ? (size_t)n : 0;
	return n >= (ssize_t)sizeof(struct io_request);
}

void io_helper_run(int fd, const char *queue_path)
{
	struct spool_dir d;
	bool opened = false;
	size_t n;
	char *packet = mem_new(IO_PACKET_MAX);
	while (next_request(fd, packet, &n)) {
		struct io_request req;
		struct io_reply reply = { .answer = IO_TEMP };
		memcpy(&req, packet, sizeof(req));
		BUG_IF(n != sizeof(req) + req.n_marks * sizeof(struct io_mark));
		/* Not before the first request: queue-mgr makes the directories after its helpers. */
		if (!opened)
			opened = spool_dir_open(queue_path, false, &d, &reply.e);
		if (opened)
			reply.answer = io_do(&d, &req, (const struct io_mark *)(const void *)(packet + sizeof(req)), &reply.e);
		if (send(fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			break;
	}
	if (opened)
		spool_dir_close(&d);
	free(packet);
}
