#include "link.h"

#include "base/fd.h"

bool link_open(struct link *l, uint64_t wait_ms, struct err *e)
{
	return l->fd >= 0 || l->connect(l->arg, l->endpoint, wait_ms, &l->fd, e);
}

void link_drop(struct link *l) { fd_close(&l->fd); }

bool link_note(struct link *l, const struct ipc_desc *d, const void *msg, struct err *e)
{
	if (l->fd < 0)
		return err_set(e, ERR_TEMP, "%s: no connection", l->endpoint);
	if (ipc_send(l->fd, d, msg, 0, e))
		return true;
	link_drop(l);
	return false;
}
