#include "base/log.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log_text.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RETRY_MS 1000

struct channel { /* to logd, or to syslog */
	int fd;
	uint64_t retry_ms; /* not connected again before this */
};

static struct {
	struct log_who who;
	enum log_level max_level;
	int (*connect)(void *arg);
	void *arg;
	struct channel logd, syslog;
	bool stderr_too;
	uint64_t dropped;
	struct buf packet, text;
} target = {
	.who.daemon = "postern",
	.max_level = LOG_LEVEL_INFO,
	.logd.fd = -1,
	.syslog.fd = -1,
	.packet.max = LOG_PACKET_MAX,
	.text.max = 2 * LOG_PACKET_MAX,
};

/* --- where records go ---------------------------------------------------------------------------------------------------- */

/* libc's syslog() waits for a slow reader of /dev/log; this does not. */
static int connect_syslog(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		fd_close(&fd);
	return fd;
}

static int reconnect(const struct channel *c) { return c == &target.logd ? target.connect(target.arg) : connect_syslog(); }

/* A send that would block loses the record but keeps the channel. A channel that has ended is replaced at once (logd was restarted
 * or replaced); when that fails there is one new attempt a second. */
static bool channel_send(struct channel *c, struct sv record, uint64_t now_ms)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		if (c->fd < 0) {
			if (now_ms < c->retry_ms)
				return false;
			c->fd = reconnect(c);
			c->retry_ms = c->fd < 0 ? now_ms + RETRY_MS : 0;
		}
		if (c->fd < 0)
			return false;
		if (send(c->fd, record.p, record.n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
		fd_close(&c->fd);
	}
	c->retry_ms = now_ms + RETRY_MS; /* the new channel ended at once as well */
	return false;
}

/* Only when the whole line goes at once: poll() reports room for PIPE_BUF bytes in a pipe, and an error where the reader is
 * gone, which a write would turn into SIGPIPE. */
static bool send_stderr(struct sv line)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&p, 1, 0) != 1 || p.revents != POLLOUT)
		return false;
	return write(STDERR_FILENO, line.p, line.n) >= 0;
}

bool log_to_syslog(struct sv packet)
{
	struct buf b = BUF_INIT(2 * LOG_PACKET_MAX);
	bool ok = log_packet_syslog(packet, &b) && channel_send(&target.syslog, buf_sv(&b), clock_mono_ms());

	buf_free(&b);
	return ok;
}

static struct sv as_text(struct sv packet)
{
	buf_reset(&target.text);
	return log_packet_text(packet, &target.text) ? buf_sv(&target.text) : SV("");
}

/* A logd that is there but slow is not bypassed: lines would come twice as slowly through syslog and out of order. */
static bool deliver(struct sv packet)
{
	if (!target.connect)
		return send_stderr(as_text(packet));
	if (target.stderr_too)
		send_stderr(as_text(packet));
	if (channel_send(&target.logd, packet, clock_mono_ms()))
		return true;
	return target.logd.fd < 0 && log_to_syslog(packet);
}

/* --- the API ------------------------------------------------------------------------------------------------------------- */

void log_open(const char *daemon, enum log_level max_level, int (*connect_fn)(void *arg), void *arg)
{
	fd_close(&target.logd.fd);
	target.logd.retry_ms = 0;
	snprintf(target.who.daemon, sizeof(target.who.daemon), "%s", daemon);
	target.max_level = max_level;
	target.connect = connect_fn;
	target.arg = arg;
}

void log_session(const char *sid) { snprintf(target.who.sid, sizeof(target.who.sid), "%s", sid ? sid : ""); }
void log_stderr_too(bool on) { target.stderr_too = on; }

void log_packet(struct buf *out, enum log_level level, uint64_t real_ms, const char *event, const struct log_kv *kv)
{
	target.who.pid = (unsigned)getpid();
	log_packet_as(out, &target.who, level, real_ms, event, kv);
}

static void report_dropped(void)
{
	struct log_kv kv[] = { KV_U64("n", target.dropped), { .kind = LOG_KV_END } };

	log_packet(&target.packet, LOG_LEVEL_WARN, clock_real_ms(), "dropped", kv);
	if (deliver(buf_sv(&target.packet)))
		target.dropped = 0;
}

void log_event(enum log_level level, const char *event, const struct log_kv *kv)
{
	int saved = errno;

	if (level > target.max_level)
		return;
	log_packet(&target.packet, level, clock_real_ms(), event, kv);
	if (!deliver(buf_sv(&target.packet)))
		target.dropped++;
	else if (target.dropped)
		report_dropped();
	errno = saved;
}

void bug_at(const char *file, int line, const char *what)
{
	static bool once;

	if (!once) { /* a bug in the log must not come back here for ever */
		once = true;
		LOG_ERROR("bug", KV_STR("file", file), KV_U64("line", (uint64_t)line), KV_STR("check", what));
	}
	abort();
}

bool log_may(struct log_rate *r, const char *event, uint64_t now_ms)
{
	uint64_t until = r->until_ms, n = 0;

	if (now_ms >= until && atomic_compare_exchange_strong(&r->until_ms, &until, now_ms + LOG_RATE_MS))
		n = atomic_exchange(&r->n, 0);
	if (n > LOG_RATE_MAX)
		LOG_INFO("left-out", KV_STR("event", event), KV_U64("n", n - LOG_RATE_MAX));
	return atomic_fetch_add(&r->n, 1) < LOG_RATE_MAX;
}
