#include "authenticator.h"

#include "base/secret.h"

static bool call(
	struct authenticator *a, const struct ipc_desc *d, const void *q, const struct ipc_desc *d_answer, void *ret, struct err *e)
{
	if (!link_open(&a->link, a->wait_ms, e))
		return false;
	if (ipc_call(a->link.fd, d, q, d_answer, ret, a->wait_ms, e))
		return true;
	link_drop(&a->link); /* what may still come belongs to no question; authd forgets the dialogue */
	return false;
}

static bool next(struct authenticator *a, struct sv response, struct auth_answer *ret, struct err *e)
{
	struct auth_next q = { 0 };
	if (a->link.fd < 0)
		return err_set(e, ERR_TEMP, "authd went away in the middle");
	BUG_IF(!sv_copy(response, q.response, sizeof q.response));
	bool ok = call(a, &auth_next_desc, &q, &auth_answer_desc, ret, e);
	secret_wipe(q.response, sizeof q.response);
	return ok;
}

bool authenticator_ask(
	struct authenticator *a, const struct auth_start *start, struct sv response, struct auth_answer *ret, struct err *e)
{
	if (!start)
		return next(a, response, ret, e);
	return call(a, &auth_start_desc, start, &auth_answer_desc, ret, e) ||
	       (e->kind == ERR_PEER && call(a, &auth_start_desc, start, &auth_answer_desc, ret, e));
}

void authenticator_cancel(struct authenticator *a)
{
	struct auth_next q = { .cancel = 1 };
	if (a->link.fd >= 0 && !link_note(&a->link, &auth_next_desc, &q, NULL))
		link_drop(&a->link);
}

bool authenticator_spend(struct authenticator *a, const struct auth_spend *q, struct auth_spent *ret, struct err *e)
{
	return call(a, &auth_spend_desc, q, &auth_spent_desc, ret, e) ||
	       (e->kind == ERR_PEER && call(a, &auth_spend_desc, q, &auth_spent_desc, ret, e));
}
