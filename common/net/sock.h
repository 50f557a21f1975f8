/* sock - making sockets, and packets with descriptors over Unix sockets. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/err.h"
#include "net/addr.h"

#define SOCK_PACKET_MAX 65536
#define SOCK_FDS_MAX 4

/* Listening sockets are non-blocking. IPv6 ones are V6ONLY: "*:25" is two sockets. */
bool sock_listen_tcp(const struct addr *at, int backlog, int *ret_fd, struct err *e) MUST_CHECK;
/* A Unix socket at dirfd/name (any path length), replacing a stale one; mode is set before it can be connected to.
 * type: SOCK_SEQPACKET or SOCK_STREAM. uid/gid (uid_t)-1: unchanged. */
bool sock_listen_unix(
	int dirfd, const char *name, int type, unsigned mode, uid_t uid, gid_t gid, int *ret_fd, struct err *e) MUST_CHECK;
/* Connects without blocking longer than timeout_ms (a full backlog counts); the result blocks. */
bool sock_connect_unix(int dirfd, const char *name, int type, uint64_t timeout_ms, int *ret_fd, struct err *e) MUST_CHECK;
bool sock_connect_tcp(const struct addr *to, uint64_t timeout_ms, int *ret_fd, struct err *e) MUST_CHECK;
/* ERR_TEMP with sys EAGAIN: another process was faster. The result blocks. */
bool sock_accept(int listen_fd, int *ret_fd, struct addr *ret_peer, struct err *e) MUST_CHECK;
bool sock_peer_cred(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid, struct err *e) MUST_CHECK;
bool sock_local_addr(int fd, struct addr *ret, struct err *e) MUST_CHECK;

/* One packet with up to SOCK_FDS_MAX descriptors. wait_ms 0: never blocks, ERR_TEMP with sys EAGAIN when it would;
 * after the deadline ERR_TEMP with sys ETIMEDOUT; a peer that is gone is ERR_PEER. SIGPIPE is never raised. */
bool sock_send_packet(int fd, struct sv bytes, const int *fds, size_t n_fds, uint64_t wait_ms, struct err *e) MUST_CHECK;
/* Appends the packet to b (SOCK_PACKET_MAX at most, else ERR_PEER) and stores received descriptors (CLOEXEC).
 * End of the channel: ERR_PEER with sys 0. ret_fds has room for SOCK_FDS_MAX; more than that: ERR_PEER, all closed. */
bool sock_recv_packet(int fd, struct buf *b, int *ret_fds, size_t *ret_n_fds, uint64_t wait_ms, struct err *e) MUST_CHECK;
bool sock_pair(int type, int ret_fds[2], struct err *e) MUST_CHECK; /* Unix, CLOEXEC, blocking */
/* Waits until fd is ready for `events` (POLLIN/POLLOUT); false: deadline passed (ETIMEDOUT) or error. */
bool sock_wait(int fd, short events, uint64_t wait_ms, struct err *e) MUST_CHECK;

#endif
