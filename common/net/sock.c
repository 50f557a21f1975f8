#include "net/sock.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

bool sock_wait(int fd, short events, uint64_t wait_ms, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t end = clock_mono_ms() + wait_ms, now;

	for (;;) {
		now = clock_mono_ms();
		int n = poll(&p, 1, now < end ? (int)MIN(end - now, INT_MAX) : 0);
		if (n > 0)
			return true; /* errors too: the call that follows reports them */
		if (n < 0 && errno != EINTR)
			return err_sys(e, ERR_TEMP, "poll");
		if (n == 0 && now >= end) {
			errno = ETIMEDOUT;
			return err_sys(e, ERR_TEMP, "wait for peer");
		}
	}
}

/* --- streams ------------------------------------------------------------------------------------------------------------- */

static bool on(int fd, int level, int option) { return setsockopt(fd, level, option, &(int){ 1 }, sizeof(int)) == 0; }

/* Postern writes whole replies and flushes only when it is about to wait: Nagle's delay could only hurt. */
static bool no_delay(int fd) { return on(fd, IPPROTO_TCP, TCP_NODELAY); }

static bool bind_tcp(int fd, const struct addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);

	if (!on(fd, SOL_SOCKET, SO_REUSEADDR) || !no_delay(fd)) /* accepted sockets inherit both */
		return false;
	if (at->family == AF_INET6 && !on(fd, IPPROTO_IPV6, IPV6_V6ONLY))
		return false;
	return bind(fd, (struct sockaddr *)&ss, len) == 0;
}

bool sock_listen_tcp(const struct addr *at, int backlog, int *ret_fd, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	int fd = socket(at->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !bind_tcp(fd, at) || listen(fd, backlog) < 0) {
		err_sys(e, ERR_TEMP, "listen on %s", addr_text_port(at, text));
		fd_close(&fd);
		return false;
	}
	*ret_fd = fd;
	return true;
}

/* accept(2): errors of the waiting connection itself show up there. That client is gone, as if never seen. */
static bool client_gone(int sys)
{
	static const int gone[] = { ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH };

	for (size_t i = 0; i < COUNT(gone); i++)
		if (sys == gone[i])
			return true;
	return false;
}

bool sock_accept(int listen_fd, int *ret_fd, struct addr *ret_peer, struct err *e)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	int fd;

	do
		fd = accept4(listen_fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		if (client_gone(errno))
			errno = EAGAIN;
		return err_sys(e, ERR_TEMP, "accept");
	}
	addr_from_sockaddr(&ss, ret_peer);
	*ret_fd = fd;
	return true;
}

bool sock_connect_tcp(const struct addr *to, uint64_t timeout_ms, int *ret_fd, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss), err_len = sizeof(int);
	char text[ADDR_TEXT_MAX];
	int sys = 0, fd = socket(to->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !no_delay(fd) || (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)) {
		err_sys(e, ERR_TEMP, "socket");
		goto fail;
	}
	if (!sock_wait(fd, POLLOUT, timeout_ms, e))
		goto fail;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &err_len) < 0)
		sys = errno;
	errno = sys;
	if (sys) {
		err_sys(e, ERR_TEMP, "refused");
		goto fail;
	}
	if (!fd_nonblock(fd, false, e))
		goto fail;
	*ret_fd = fd;
	return true;
fail:
	err_add(e, "connect to %s", addr_text_port(to, text));
	fd_close(&fd);
	return false;
}

/* --- Unix sockets -------------------------------------------------------------------------------------------------------- */

/* sun_path holds 107 bytes; a path through the descriptor of the directory is short, however deep the directory lies. */
static bool unix_addr(int dirfd, const char *name, struct sockaddr_un *ret, struct err *e)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (dirfd == AT_FDCWD || name[0] == '/')
		n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", name);
	else
		n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return err_set(e, ERR_PERM, "socket name %s is too long", name);
	return true;
}

/* Made under another name and moved to its place when all is set: clients see the old socket or the finished new one. */
bool sock_listen_unix(int dirfd, const char *name, int type, unsigned mode, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	struct sockaddr_un at;
	char fresh[NAME_MAX + 1];
	int fd = -1, n = snprintf(fresh, sizeof(fresh), "%s.new", name);

	if (n < 0 || (size_t)n >= sizeof(fresh))
		return err_set(e, ERR_PERM, "socket name %s is too long", name);
	if (!unix_addr(dirfd, fresh, &at, e))
		return false;
	if (unlinkat(dirfd, fresh, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_TEMP, "remove %s", fresh);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		err_sys(e, ERR_TEMP, "bind socket %s", name);
		goto fail;
	}
	if (fchmodat(dirfd, fresh, mode, 0) < 0 ||
		((uid != (uid_t)-1 || gid != (gid_t)-1) && fchownat(dirfd, fresh, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)) {
		err_sys(e, ERR_TEMP, "set owner and mode of socket %s", name);
		goto fail;
	}
	if (listen(fd, SOMAXCONN) < 0 || renameat(dirfd, fresh, dirfd, name) < 0) {
		err_sys(e, ERR_TEMP, "listen on socket %s", name);
		goto fail;
	}
	*ret_fd = fd;
	return true;
fail:
	if (fd >= 0)
		unlinkat(dirfd, fresh, 0);
	fd_close(&fd);
	return false;
}

/* SO_SNDTIMEO bounds the wait for a place in the backlog; poll(2) cannot wait for that. */
static bool send_timeout(int fd, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0;
}

bool sock_connect_unix(int dirfd, const char *name, int type, uint64_t timeout_ms, int *ret_fd, struct err *e)
{
	struct sockaddr_un at;
	int fd, r;

	if (!unix_addr(dirfd, name, &at, e))
		return false;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || !send_timeout(fd, MAX(timeout_ms, 1)))
		goto fail;
	do
		r = connect(fd, (struct sockaddr *)&at, sizeof(at));
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN)
		errno = ETIMEDOUT;
	if (r < 0 || !send_timeout(fd, 0))
		goto fail;
	*ret_fd = fd;
	return true;
fail:
	err_sys(e, ERR_TEMP, "connect to socket %s", name);
	fd_close(&fd);
	return false;
}

bool sock_pair(int type, int ret_fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return err_sys(e, ERR_TEMP, "make a pair of sockets");
	return true;
}

bool sock_peer_cred(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(e, ERR_TEMP, "who is the peer of a socket");
	*ret_pid = cred.pid;
	*ret_uid = cred.uid;
	*ret_gid = cred.gid;
	return true;
}

bool sock_local_addr(int fd, struct addr *ret, struct err *e)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return err_sys(e, ERR_TEMP, "address of a socket");
	addr_from_sockaddr(&ss, ret);
	return true;
}
