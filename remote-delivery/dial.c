#include "dial.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define TRIES_MAX 16

struct race {
	const struct addr *addr;
	const struct cfg_list *source;
	struct pollfd p[TRIES_MAX + 1]; /* the last is `wake` */
	size_t n, started, open;
};

static void fail(const struct addr *a, int why, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	errno = why;
	err_sys(e, ERR_TEMP, "connect to %s", addr_text_port(a, text));
}

static bool bind_source(int fd, sa_family_t family, const struct cfg_list *source)
{
	for (size_t i = 0; source && i < source->n; i++) {
		struct sockaddr_storage ss;
		struct addr a;
		if (!addr_parse_ip(sv_of(source->item[i]), &a) || a.family != family)
			continue;
		a.port = 0;
		socklen_t len = addr_to_sockaddr(&a, &ss);
		return bind(fd, (struct sockaddr *)&ss, len) == 0;
	}
	return true;
}

/* False: it failed at once. */
static bool start(struct race *r, struct err *e)
{
	const struct addr *a = &r->addr[r->started];
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	struct pollfd *p = &r->p[r->started++];
	int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	*p = (struct pollfd){ .fd = -1, .events = POLLOUT };
	if (fd >= 0 && bind_source(fd, a->family, r->source) &&
		(connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS)) {
		p->fd = fd;
		r->open++;
		return true;
	}
	fail(a, errno, e);
	fd_close(&fd);
	return false;
}

/* The one that is connected, or -1. Failed ones are closed. */
static int finished(struct race *r, struct err *e)
{
	for (size_t i = 0; i < r->started; i++) {
		int why = 0;
		socklen_t len = sizeof why;
		if (r->p[i].fd < 0 || r->p[i].revents == 0)
			continue;
		if (getsockopt(r->p[i].fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 && why == 0)
			return (int)i;
		fail(&r->addr[i], why, e);
		fd_close(&r->p[i].fd);
		r->open--;
	}
	return -1;
}

static void close_all(struct race *r)
{
	for (size_t i = 0; i < r->started; i++)
		fd_close(&r->p[i].fd);
}

/* Starts what is due and says until when to wait for the next. */
static uint64_t start_due(struct race *r, uint64_t *next, uint64_t end, struct err *e)
{
	uint64_t now = clock_mono_ms();
	while (r->started < r->n && (now >= *next || r->open == 0)) {
		bool pending = start(r, e);
		*next = now + (pending ? DIAL_STEP_MS : 0);
	}
	return r->started < r->n ? MIN(*next, end) : end;
}

static bool timed_out(struct race *r, struct err *e)
{
	for (size_t i = r->started; i-- > 0;)
		if (r->p[i].fd >= 0) {
			fail(&r->addr[i], ETIMEDOUT, e);
			break;
		}
	close_all(r);
	return false;
}

bool dial(const struct addr *addr, size_t n, const struct cfg_list *source, uint64_t timeout_ms, int wake, int *ret_fd,
	struct addr *ret_addr, struct err *e)
{
	struct race r = { .addr = addr, .source = source, .n = MIN(n, (size_t)TRIES_MAX) };
	uint64_t end = clock_mono_ms() + timeout_ms, next = 0;
	err_set(e, ERR_TEMP, "no address");
	r.p[TRIES_MAX] = (struct pollfd){ .fd = wake, .events = POLLIN };
	for (;;) {
		uint64_t until = start_due(&r, &next, end, e), now = clock_mono_ms();
		if (r.open == 0 && r.started == r.n)
			return false;
		if (now >= end)
			return timed_out(&r, e);
		struct pollfd p[TRIES_MAX + 1];
		memcpy(p, r.p, r.started * sizeof *p);
		p[r.started] = r.p[TRIES_MAX];
		if (poll(p, r.started + 1, until > now ? (int)(until - now) : 0) < 0 && errno != EINTR) {
			close_all(&r);
			return err_sys(e, ERR_TEMP, "poll");
		}
		for (size_t i = 0; i < r.started; i++)
			r.p[i].revents = p[i].revents;
		if (p[r.started].revents) {
			close_all(&r);
			errno = EINTR;
			return err_sys(e, ERR_TEMP, "connect");
		}
		int won = finished(&r, e);
		if (won < 0)
			continue;
		*ret_fd = r.p[won].fd;
		*ret_addr = addr[won];
		r.p[won].fd = -1;
		close_all(&r);
		return true;
	}
}
