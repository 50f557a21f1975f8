/* fd - descriptors: whole reads and writes, copies, syncs. EINTR never reaches a caller. All opened ones are O_CLOEXEC. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

void fd_close(int *fd); /* closes and sets -1; ignores -1; keeps errno */
void fd_hold_std(void); /* first thing in main: descriptors 0 to 2 that the caller closed become /dev/null, reading 0 an error */
bool fd_nonblock(int fd, bool on, struct err *e) MUST_CHECK;
bool fd_cloexec(int fd, bool on, struct err *e) MUST_CHECK;
bool fd_write_all(int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
bool fd_pwrite_all(int fd, const void *p, size_t n, off_t at, struct err *e) MUST_CHECK;
/* Reads n bytes at `at`, fewer only at the end of the file. */
bool fd_pread(int fd, void *p, size_t n, off_t at, size_t *ret_n, struct err *e) MUST_CHECK;
/* Appends the whole file (from offset 0, by pread) to b; ERR_LIMIT when it does not fit. */
bool fd_read_file(int fd, struct buf *b, struct err *e) MUST_CHECK;
/* A regular file, or ERR_PERM; never blocks. O_NOFOLLOW is not set. */
bool fd_read_path(int dirfd, const char *path, struct buf *b, struct err *e) MUST_CHECK;
/* Copies len bytes from `in` at offset `from` (pread only) to the current place of `out`. Short input is ERR_TEMP. */
bool fd_copy(int in, off_t from, uint64_t len, int out, struct err *e) MUST_CHECK;
bool fd_sync(int fd, struct err *e) MUST_CHECK;                         /* fsync */
bool fd_sync_dir(int dirfd, const char *sub, struct err *e) MUST_CHECK; /* fsync of directory `sub` below dirfd ("." itself) */
/* Made if missing; opened O_DIRECTORY|O_NOFOLLOW. */
bool fd_mkdir(int dirfd, const char *name, unsigned mode, int *ret_fd, struct err *e) MUST_CHECK;
int fd_memfd(const char *name, struct err *e) MUST_CHECK; /* sealable; -1 on failure */
bool fd_seal(int memfd, struct err *e) MUST_CHECK;        /* write, shrink, grow, seal */
bool fd_is_sealed(int memfd);

#endif
