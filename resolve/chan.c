#include "chan.h"
#include "base/log.h"

#include <errno.h>

static void put_off(struct chan *c, struct sv packet)
{
	uint32_t len = (uint32_t)packet.n;

	buf_put(&c->out, &len, sizeof(len));
	buf_putsv(&c->out, packet);
	if (buf_ok(&c->out))
		return;
	LOG_WARN("channel-slow", KV_U64("bytes", c->out.len));
	c->broken = true;
}

/* false: the client must read first, or is gone. */
static bool send_now(struct chan *c, struct sv packet)
{
	struct err e = { .kind = ERR_NONE };

	if (sock_send_packet(c->io.fd, packet, NULL, 0, 0, &e))
		return true;
	c->broken |= e.sys != EAGAIN;
	return false;
}

void chan_send(struct chan *c, const struct ipc_desc *d, const void *msg, struct buf *scratch)
{
	if (c->broken)
		return;
	ipc_encode(d, msg, scratch);
	if (c->out.len || !send_now(c, buf_sv(scratch)))
		put_off(c, buf_sv(scratch));
}

void chan_flush(struct chan *c)
{
	struct sv rest = buf_sv(&c->out);
	uint32_t len;

	while (rest.n && !c->broken) {
		memcpy(&len, rest.p, sizeof(len));
		if (!send_now(c, sv_sub(rest, sizeof(len), len)))
			break;
		rest = sv_skip(rest, sizeof(len) + len);
	}
	buf_drop(&c->out, c->out.len - rest.n);
}

bool chan_has_output(const struct chan *c) { return c->out.len > 0; }
