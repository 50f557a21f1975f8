#include "checker.h"

#include "base/clock.h"
#include "base/fd.h"

/* Sealed, so that what is checked cannot be changed, not even by us. */
static int sealed_copy(struct sv body, struct err *e)
{
	int fd = fd_memfd("message", e);
	if (fd >= 0 && fd_write_all(fd, body.p, body.n, e) && fd_seal(fd, e))
		return fd;
	fd_close(&fd);
	return -1;
}

bool checker_ask(
	struct link *l, struct spam_req *req, struct sv body, int reader_fd, uint64_t wait_ms, struct spam_res *ret, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + wait_ms;
	int copy = req->streamed ? -1 : sealed_copy(body, e);
	req->file = req->streamed ? reader_fd : copy;
	bool ok = req->file >= 0 && link_open(l, wait_ms, e);
	if (ok) {
		uint64_t now = clock_mono_ms(), left = now < deadline ? deadline - now : 1;
		ok = ipc_call(l->fd, &spam_req_desc, req, &spam_res_desc, ret, left, e);
	}
	link_drop(l);
	fd_close(&copy);
	return ok;
}
