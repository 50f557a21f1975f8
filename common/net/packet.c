/* Packets with descriptors (SOCK_SEQPACKET, SCM_RIGHTS): one message is one packet. */
#include "net/sock.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * SOCK_FDS_MAX)];
};

static bool peer_gone(int sys) { return sys == EPIPE || sys == ECONNRESET || sys == ENOTCONN || sys == ECONNREFUSED; }

static bool fail(const char *what, struct err *e)
{
	return err_sys(e, peer_gone(errno) ? ERR_PEER : errno == EMSGSIZE ? ERR_PERM : ERR_TEMP, "%s", what);
}

/* After a call that said EAGAIN: true when it may be tried again before `end`. */
static bool may_retry(int fd, short events, uint64_t wait_ms, uint64_t end, struct err *e)
{
	uint64_t now = wait_ms ? clock_mono_ms() : 0;

	if (wait_ms == 0)
		return err_sys(e, ERR_TEMP, "packet");
	return sock_wait(fd, events, end > now ? end - now : 0, e);
}

bool sock_send_packet(int fd, struct sv bytes, const int *fds, size_t n_fds, uint64_t wait_ms, struct err *e)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { .bytes = { 0 } };
	uint64_t end = wait_ms ? clock_mono_ms() + wait_ms : 0;

	BUG_IF(bytes.n == 0 || n_fds > SOCK_FDS_MAX); /* an empty packet would read as the end */
	if (bytes.n > SOCK_PACKET_MAX)
		return err_set(e, ERR_PERM, "packet of %zu bytes is too long", bytes.n);
	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	while (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return fail("send packet", e);
		if (!may_retry(fd, POLLOUT, wait_ms, end, e))
			return false;
	}
	return true;
}

struct received {
	int fds[SOCK_FDS_MAX];
	size_t n;
};

/* The kernel gives no more than `control` holds, closes the rest and says MSG_CTRUNC. */
static void take_fds(struct msghdr *msg, struct received *r)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		BUG_IF(n > SOCK_FDS_MAX - r->n);
		memcpy(r->fds + r->n, CMSG_DATA(c), n * sizeof(int));
		r->n += n;
	}
}

/* In the order of what the receiver must know: the end, then what did not fit. */
static bool judge(const struct msghdr *msg, ssize_t got, size_t n_fds, size_t room, struct err *e)
{
	bool cut = msg->msg_flags & MSG_CTRUNC;

	if (got == 0)
		return err_set(e, ERR_PEER, "the peer closed the channel");
	if (msg->msg_flags & MSG_TRUNC || (size_t)got > room)
		return err_set(e, ERR_PEER, "a packet is longer than %zu bytes", MIN(room, SOCK_PACKET_MAX));
	if (cut && n_fds == SOCK_FDS_MAX)
		return err_set(e, ERR_PEER, "a packet has more than %d descriptors", SOCK_FDS_MAX);
	if (cut) { /* there was room for them: this process may not open more */
		errno = EMFILE;
		return err_sys(e, ERR_TEMP, "receive descriptors");
	}
	return true;
}

#define FIRST 4095 /* nearly all packets are shorter; with its NUL one page */

bool sock_recv_packet(int fd, struct buf *b, int *ret_fds, size_t *ret_n_fds, uint64_t wait_ms, struct err *e)
{
	static char spill[SOCK_PACKET_MAX - FIRST]; /* not touched, hence no memory, until a long packet comes */
	struct iovec iov[2] = { { .iov_len = MIN(FIRST, b->max - b->len) }, { .iov_base = spill, .iov_len = sizeof(spill) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = COUNT(iov) };
	union control control;
	uint64_t end = wait_ms ? clock_mono_ms() + wait_ms : 0;
	struct received r = { .n = 0 };
	ssize_t got;

	iov[0].iov_base = buf_room(b, iov[0].iov_len);
	if (!iov[0].iov_base)
		return err_set(e, ERR_LIMIT, "no room for a packet");
	for (;;) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		got = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return fail("receive packet", e);
		if (!may_retry(fd, POLLIN, wait_ms, end, e))
			return false;
	}
	take_fds(&msg, &r);
	if (!judge(&msg, got, r.n, b->max - b->len, e)) {
		buf_grew(b, 0);
		for (size_t i = 0; i < r.n; i++)
			fd_close(&r.fds[i]);
		return false;
	}
	buf_grew(b, MIN((size_t)got, iov[0].iov_len));
	if ((size_t)got > iov[0].iov_len)
		buf_put(b, spill, (size_t)got - iov[0].iov_len);
	memcpy(ret_fds, r.fds, r.n * sizeof(int));
	*ret_n_fds = r.n;
	return true;
}
