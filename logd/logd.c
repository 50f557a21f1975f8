#include "logd.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"
#include "service/priv.h"
#include "sink.h"

#include <errno.h>
#include <poll.h>

#define GATHER_MS 5     /* the first record of a quiet time waits so long for others: one wake-up and one write for all */
#define TURN_RECORDS 64 /* of one channel, then the others have their turn */
#define CHANNELS_MAX 20000
#define ACCEPT_PAUSE_MS 1000

struct channel {
	struct ev_io io;
	struct logd *logd;
	bool own;                   /* we log too */
	struct channel *next, **at; /* `at`: the pointer to this one */
};

struct logd {
	struct svc_ctx *ctx;
	struct ev_loop *loop;
	struct ev_io listener;
	struct ev_timer gather, pause;
	bool gathering; /* `gather` is set */
	struct channel *channels;
	uint64_t n_channels, n_own, records;
	struct sink sink;
	char packet[LOG_PACKET_MAX + 1]; /* one more: a longer packet is cut to this, and is then refused */
};

static void flush(struct logd *d)
{
	sink_flush(&d->sink);
	ev_timer_clear(d->loop, &d->gather);
	d->gathering = false;
}

static void on_gather(struct ev_timer *t, void *arg)
{
	(void)t;
	flush(arg);
}

static void channel_close(struct channel *c)
{
	struct logd *d = c->logd;
	ev_del(d->loop, &c->io);
	fd_close(&c->io.fd);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	d->n_channels--;
	d->n_own -= c->own;
	free(c);
}

/* The others have all gone. */
static bool alone(const struct logd *d) { return d->n_channels == d->n_own; }

/* A whole turn of records at most; false: the channel has ended, or broke the form. */
static bool take_records(struct logd *d, int fd, unsigned max, bool *ret_empty)
{
	*ret_empty = false;
	for (unsigned i = 0; i < max; i++) {
		ssize_t n = recv(fd, d->packet, sizeof(d->packet), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		*ret_empty = n <= 0;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		if (!sink_add(&d->sink, (struct sv){ d->packet, (size_t)n })) {
			LOG_WARN("bad-packet", KV_U64("size", (uint64_t)n));
			return false;
		}
		d->records++;
		if (sink_full(&d->sink))
			flush(d);
	}
	return true;
}

/* A sender that writes after the shutdown gets EPIPE and goes to our successor; what it wrote before is read here: nothing is lost.
 */
static void finish(struct logd *d)
{
	bool empty = false;
	for (struct channel *c = d->channels; c; c = c->next) {
		shutdown(c->io.fd, SHUT_RD);
		while (take_records(d, c->io.fd, TURN_RECORDS, &empty) && !empty)
			continue;
	}
	flush(d);
	svc_done(d->ctx);
}

/* Records stay in their channels meanwhile: a sender that finds us asleep at each of them pays for a wake-up at each. A channel has
 * room for some 200. */
static void gather(struct logd *d)
{
	d->gathering = true;
	ev_timer_set(d->loop, &d->gather, GATHER_MS);
	(void)poll(NULL, 0, GATHER_MS);
}

static void on_record(struct ev_io *io, unsigned events, void *arg)
{
	struct channel *c = arg;
	struct logd *d = c->logd;
	bool empty;
	(void)events;
	if (!take_records(d, io->fd, TURN_RECORDS, &empty))
		channel_close(c);
	if (!d->gathering && !sink_empty(&d->sink))
		gather(d);
	if (alone(d) && svc_orphaned(d->ctx))
		finish(d);
}

static void channel_open(struct logd *d, int fd)
{
	struct err e;
	pid_t pid = 0;
	uid_t uid;
	gid_t gid;
	struct channel *c = mem_new(sizeof(*c));
	*c = (struct channel){ .io = { .fd = fd, .on = on_record, .arg = c }, .logd = d, .next = d->channels, .at = &d->channels };
	if (!ev_add(d->loop, &c->io, EV_READ, &e)) {
		LOG_WARN("accept-failed", KV_ERR(&e));
		fd_close(&c->io.fd);
		free(c);
		return;
	}
	if (c->next)
		c->next->at = &c->next;
	d->channels = c;
	d->n_channels++;
	c->own = sock_peer_cred(fd, &pid, &uid, &gid, &e) && pid == getpid();
	d->n_own += c->own;
}

static void on_pause_over(struct ev_timer *t, void *arg)
{
	struct logd *d = arg;
	(void)t;
	if (!ev_add(d->loop, &d->listener, EV_READ, NULL))
		ev_timer_set(d->loop, &d->pause, ACCEPT_PAUSE_MS);
}

static void on_caller(struct ev_io *io, unsigned events, void *arg)
{
	struct logd *d = arg;
	struct addr peer;
	struct err e;
	int fd;
	(void)events;
	if (d->n_channels < CHANNELS_MAX && sock_accept(io->fd, &fd, &peer, &e)) {
		channel_open(d, fd);
		return;
	}
	if (d->n_channels < CHANNELS_MAX && e.sys == EAGAIN)
		return;
	/* No descriptors left: the listener stays readable, so look away for a while. Senders use syslog meanwhile. */
	LOG_WARN("accept-failed", KV_U64("channels", d->n_channels));
	ev_del(d->loop, &d->listener);
	ev_timer_set(d->loop, &d->pause, ACCEPT_PAUSE_MS);
}

/* --- the service ------------------------------------------------------------------------------------------------------------ */

/* The file belongs to the daemon's user, and admins may read it. */
static bool owner(const struct svc_ctx *ctx, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	*ret_uid = (uid_t)-1;
	*ret_gid = (gid_t)-1;
	if (svc_unprivileged(ctx))
		return true;
	return priv_lookup("postern-log", ret_uid, ret_gid, e) && priv_lookup_group(svc_cfg(ctx)->global.admin_group, ret_gid, e);
}

bool logd_open(struct svc_ctx *ctx, struct err *e)
{
	uid_t uid;
	gid_t gid;
	struct logd *d = mem_new(sizeof(*d));
	d->ctx = ctx;
	if (!owner(ctx, &uid, &gid, e) || !sink_open(&d->sink, &svc_cfg(ctx)->log, uid, gid, e)) {
		free(d);
		return false;
	}
	if (d->sink.dir >= 0)
		svc_allow_dir(ctx, d->sink.dir, SB_DIR_READ | SB_DIR_WRITE);
	svc_set_data(ctx, d);
	return true;
}

bool logd_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	struct logd *d = svc_data(ctx);
	const struct svc_listener *l = svc_listener(ctx, "logd.log");
	if (!l)
		return err_set(e, ERR_PERM, "no socket logd.log was passed on");
	d->loop = loop;
	d->gather = (struct ev_timer){ .on = on_gather, .arg = d };
	d->pause = (struct ev_timer){ .on = on_pause_over, .arg = d };
	d->listener = (struct ev_io){ .fd = l->fd, .on = on_caller, .arg = d };
	return ev_add(loop, &d->listener, EV_READ, e);
}

/* Without a master the others are ending too, and still have things to say: stay until the last one has closed its channel. */
void logd_drain(struct svc_ctx *ctx)
{
	struct logd *d = svc_data(ctx);
	ev_del(d->loop, &d->listener);
	ev_timer_clear(d->loop, &d->pause);
	if (!svc_orphaned(ctx) || alone(d))
		finish(d);
}

void logd_reopen(struct svc_ctx *ctx)
{
	struct logd *d = svc_data(ctx);
	struct err e;
	flush(d);
	if (sink_reopen(&d->sink, &e))
		LOG_INFO("log-reopened");
	else
		LOG_ERROR("log-reopen-failed", KV_ERR(&e));
}

void logd_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	struct logd *d = svc_data(ctx);
	*ret_workers = *ret_max = 1;
	*ret_busy = 0;
	*ret_served = d->records;
}
