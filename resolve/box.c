/* Where a final address lives, asked at each delivery (DESIGN D3). */
#include "alias.h"
#include "decide.h"

struct ask {
	const struct rules *r;
	const struct lookups *l;
	struct resolve_box *ret;
};

static void set_text(struct resolve_box *ret, const char *dsn, const char *text)
{
	snprintf(ret->dsn, sizeof(ret->dsn), "%s", dsn);
	snprintf(ret->text, sizeof(ret->text), "%s", text);
}

static bool end_with(struct resolve_box *ret, enum resolve_status status, const struct err *why)
{
	*ret = (struct resolve_box){ .status = status };
	set_text(ret, why->dsn[0] ? why->dsn : "4.3.0", why->text);
	return true;
}

static bool unsupported(struct resolve_box *ret, const char *text)
{
	*ret = (struct resolve_box){ .status = RESOLVE_OK, .kind = BOX_UNSUPPORTED };
	set_text(ret, "4.3.5", text);
	return true;
}

static bool not_local(struct resolve_box *ret, const struct maddr *a)
{
	char text[sizeof(ret->text)];

	snprintf(text, sizeof(text), "%s is not one of our domains (any more)", a->domain);
	*ret = (struct resolve_box){ .status = RESOLVE_OK, .kind = BOX_REMOTE };
	set_text(ret, "4.3.5", text);
	return true;
}

/* The mailbox of exactly this address, if there is one. false: pending. *ret_done: the answer is in ask->ret. */
static bool own_mailbox(struct ask *q, const struct local_domain *d, const struct maddr *a, bool *ret_done)
{
	struct err e = { .kind = ERR_NONE };

	*ret_done = true;
	switch (mailbox_find(q->r, q->l, d, a, q->ret, &e)) {
	case USER_FOUND:
		q->ret->status = RESOLVE_OK;
		return true;
	case USER_FAILED:
		return end_with(q->ret, RESOLVE_TEMP, &e);
	case USER_PENDING:
		return false;
	case USER_NONE:
		break;
	}
	*ret_done = false;
	return true;
}

/* No mailbox, but perhaps an alias since it was queued (or postmaster, or root): followed when one local mailbox is all it gives,
 * for the list of recipients of a queued message does not change. */
static bool follow(struct ask *q, struct sv address)
{
	struct decision d;
	bool done = false, ready;

	decision_init(&d, q->r);
	ready = decide_rcpt(q->r, q->l, address, false, &d);
	const struct final *one = ready && d.status == RESOLVE_OK && d.finals.len == 1 ? VEC_AT(&d.finals, struct final, 0) : NULL;
	if (!ready)
		goto out;
	if (one && one->class == CLASS_LOCAL && one->aliased) {
		struct maddr a = one->addr;
		ready = own_mailbox(q, rules_local(q->r, &a), &a, &done);
	}
	if (!ready || done)
		goto out;
	if (d.status == RESOLVE_TEMP || d.status == RESOLVE_UNKNOWN)
		end_with(q->ret, d.status, &d.why);
	else if (d.note[0])
		unsupported(q->ret, d.note);
	else
		unsupported(
			q->ret, "the address is an alias with other or several targets: lists are not expanded at delivery yet");
out:
	decision_free(&d);
	return ready;
}

static bool decide(struct ask *q, const struct local_domain *d, const struct maddr *a, struct sv address, struct alias *alias)
{
	struct err e = { .kind = ERR_NONE };
	enum map_result aliased = alias_find(q->r, q->l, d, a, alias, &e);
	bool done;

	if (aliased == MAP_FAILED)
		return end_with(q->ret, RESOLVE_TEMP, &e);
	if (aliased == MAP_FOUND && !alias_usable(alias, &e))
		return unsupported(q->ret, e.text);
	if (!own_mailbox(q, d, a, &done))
		return false;
	return done || follow(q, address);
}

bool decide_box(const struct rules *r, const struct lookups *l, struct sv address, struct resolve_box *ret)
{
	struct ask q = { r, l, ret };
	struct alias alias = ALIAS_INIT;
	struct maddr a;
	struct err e;

	*ret = (struct resolve_box){ .status = RESOLVE_OK };
	if (!maddr_parse(address, MADDR_UTF8_OK, &a, &e))
		return end_with(ret, RESOLVE_BAD, &e);
	const struct local_domain *d = rules_local(r, &a);
	if (!d)
		return not_local(ret, &a);
	bool ready = decide(&q, d, &a, address, &alias);
	buf_free(&alias.value);
	return ready;
}
