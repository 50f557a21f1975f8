/* Who may ask what, in which phase, how often: the rules of a service, applied. */
#include "ipc/ipc.h"

#define MESSAGE_SIZE_MAX (32 * 1024) /* largest struct of any message in a rule table; they hold small fixed texts */

static const struct ipc_rule *find_rule(const struct ipc_rule *rules, uint16_t type)
{
	for (const struct ipc_rule *r = rules; r->desc; r++)
		if (r->desc->type == type)
			return r;
	return NULL;
}

static bool may_ask(const struct ipc_rule *r, uint64_t n_seen, unsigned peer, unsigned phase, struct err *e)
{
	if (!(r->peers & peer))
		return err_set(e, ERR_PEER, "%s: this peer may not send it", r->desc->name);
	if (!(r->phases & phase))
		return err_set(e, ERR_PEER, "%s: not in this phase", r->desc->name);
	if (r->max > 0 && n_seen >= r->max)
		return err_set(e, ERR_PEER, "%s: more than %llu of them", r->desc->name, (unsigned long long)r->max);
	return true;
}

bool ipc_dispatch(const struct ipc_rule *rules, struct ipc_seen *seen, unsigned peer, unsigned phase, struct ipc_packet *p,
	void *chan, struct err *e)
{
	_Alignas(max_align_t) char msg[MESSAGE_SIZE_MAX];
	uint16_t type, version;
	struct sv in = buf_sv(&p->bytes);
	if (!ipc_type_of(in, &type, &version))
		return err_set(e, ERR_PEER, "message of %zu bytes is too short", in.n);
	const struct ipc_rule *r = find_rule(rules, type);
	if (!r)
		return err_set(e, ERR_PEER, "message of unknown type 0x%x", type);
	size_t place = (size_t)(r - rules);
	BUG_IF(place >= IPC_RULES_MAX || r->desc->size > sizeof msg);
	if (!may_ask(r, seen->n[place], peer, phase, e))
		return false;
	bool ok = ipc_decode(r->desc, in, p->fds, p->n_fds, msg, e);
	p->n_fds = 0; /* the handler's, or closed */
	if (!ok)
		return false;
	seen->n[place]++;
	return r->on(chan, msg, e);
}
