#include "namer.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/msg_resolve.h"

static bool ask(struct namer *n, const struct resolve_name_req *q)
{
	struct err e;
	if (!link_open(&n->link, n->wait_ms, &e))
		return false;
	if (ipc_send(n->link.fd, &resolve_name_req_desc, q, 0, &e))
		return true;
	link_drop(&n->link);
	return false;
}

/* The answer for the client before, who left without it: it may be there by now. */
static void skip_answer(struct namer *n)
{
	struct resolve_name a;
	struct err e;
	if (n->waiting && !ipc_recv_msg(n->link.fd, &resolve_name_desc, &a, 0, &e))
		link_drop(&n->link);
	n->waiting = false;
}

static bool known(const struct namer *n, const char *address)
{
	return !n->waiting && !n->failed && n->address[0] != '\0' && strcmp(address, n->address) == 0 &&
	       clock_mono_ms() - n->known_ms < n->keep_ms;
}

/* A kept link may have ended since the last client: the second try is on a new one. */
void namer_start(struct namer *n, const struct addr *client)
{
	struct resolve_name_req q = { 0 };
	char text[ADDR_TEXT_MAX];
	if (known(n, addr_text(client, text)))
		return;
	skip_answer(n);
	n->address[0] = '\0';
	n->failed = false;
	n->name[0] = '\0';
	if (n->wait_ms == 0 || client->family == AF_UNIX)
		return;
	BUG_IF(!sv_copy(sv_of(text), q.address, sizeof q.address) || !sv_copy(sv_of(text), n->address, sizeof n->address));
	n->until_ms = clock_mono_ms() + n->wait_ms;
	n->waiting = ask(n, &q) || ask(n, &q);
	n->failed = !n->waiting;
}

const char *namer_name(struct namer *n)
{
	struct resolve_name a;
	struct err e;
	uint64_t now = clock_mono_ms();
	if (!n->waiting)
		return n->failed ? NULL : n->name;
	n->waiting = false;
	n->failed = true;
	if (!ipc_recv_msg(n->link.fd, &resolve_name_desc, &a, now < n->until_ms ? n->until_ms - now : 1, &e)) {
		LOG_DEBUG("client-name-unknown", KV_ERR(&e));
		link_drop(&n->link);
		return NULL;
	}
	n->failed = a.failed;
	n->known_ms = now;
	BUG_IF(!sv_copy(sv_of(a.name), n->name, sizeof n->name));
	return n->failed ? NULL : n->name;
}
