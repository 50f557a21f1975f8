#include "authenticator.h"

#include "base/secret.h"

#define PROMPT_MS 5000 /* for what authd answers at once; more than it waits for the data base at a reload */

static bool call(struct authenticator *a, uint64_t wait_ms, const struct ipc_desc *d, const void *q,
	const struct ipc_desc *d_answer, void *ret, struct err *e)
{
	if (!link_open(&a->link, wait_ms, e))
		return false;
	if (ipc_call(a->link.fd, d, q, d_answer, ret, wait_ms, e))
		return true;
	link_drop(&a->link); /* what may still come belongs to no question; authd forgets the dialogue */
	return false;
}

/* A link that ended since the last question (authd was restarted) is made anew once. */
static bool call_promptly(
	struct authenticator *a, const struct ipc_desc *d, const void *q, const struct ipc_desc *d_answer, void *ret, struct err *e)
{
	return call(a, PROMPT_MS, d, q, d_answer, ret, e) || (e->kind == ERR_PEER && call(a, PROMPT_MS, d, q, d_answer, ret, e));
}

bool authenticator_offer(struct authenticator *a, const struct auth_offer *q, struct auth_offered *ret, struct err *e)
{
	return call_promptly(a, &auth_offer_desc, q, &auth_offered_desc, ret, e);
}

static bool next(struct authenticator *a, struct sv response, struct auth_answer *ret, struct err *e)
{
	struct auth_next q = { 0 };
	if (a->link.fd < 0)
		return err_set(e, ERR_TEMP, "authd went away in the middle");
	BUG_IF(!sv_copy(response, q.response, sizeof q.response));
	bool ok = call(a, a->wait_ms, &auth_next_desc, &q, &auth_answer_desc, ret, e);
	secret_wipe(q.response, sizeof q.response);
	return ok;
}

/* A password may take long to check, and a failure is answered late. Whether anybody is there is known sooner. */
bool authenticator_ask(
	struct authenticator *a, const struct auth_start *start, struct sv response, struct auth_answer *ret, struct err *e)
{
	struct auth_offer q = { 0 };
	struct auth_offered there;
	if (!start)
		return next(a, response, ret, e);
	snprintf(q.session, sizeof q.session, "%s", start->session);
	return authenticator_offer(a, &q, &there, e) && call(a, a->wait_ms, &auth_start_desc, start, &auth_answer_desc, ret, e);
}

void authenticator_cancel(struct authenticator *a)
{
	struct auth_next q = { .cancel = 1 };
	if (a->link.fd >= 0 && !link_note(&a->link, &auth_next_desc, &q, NULL))
		link_drop(&a->link);
}

bool authenticator_spend(struct authenticator *a, const struct auth_spend *q, struct auth_spent *ret, struct err *e)
{
	return call_promptly(a, &auth_spend_desc, q, &auth_spent_desc, ret, e);
}
