#include "finals.h"

enum add_result { ADDED, ADD_FULL, ADD_BAD };

/* Two addresses with one mailbox behind them are one recipient: local parts of ours are compared without case. */
static void dedup_key(const struct maddr *a, uint64_t class, char dst[MADDR_TEXT_MAX + 1])
{
	maddr_text(a, dst);
	if (class != CLASS_LOCAL)
		return;
	for (char *p = dst; *p; p++)
		*p = ascii_lower(*p);
}

static bool parse(const struct resolve_rcpt *a, struct maddr *ret, char key[MADDR_TEXT_MAX + 1])
{
	if (!maddr_parse(sv_of(a->address), MADDR_UTF8_OK, ret, NULL))
		return false;
	dedup_key(ret, a->class, key);
	return true;
}

/* `seen` holds the index of each address in rcpts, counted from 1. */
static struct spool_rcpt *find(const struct txn *t, const char *key)
{
	uintptr_t n = t->seen ? (uintptr_t)hmap_get(t->seen, sv_of(key)) : 0;
	return n ? VEC_AT(&t->rcpts, struct spool_rcpt, n - 1) : NULL;
}

static enum add_result add_final(
	struct txn *t, const struct maddr *orig, const struct resolve_rcpt *a, uint8_t notify, const char *orcpt)
{
	struct maddr final;
	char key[MADDR_TEXT_MAX + 1];
	if (!parse(a, &final, key))
		return ADD_BAD;
	if (!t->seen)
		t->seen = hmap_new(t->rcpts.max);
	if (find(t, key))
		return ADDED;
	struct spool_rcpt *r = vec_push(&t->rcpts);
	if (!r)
		return ADD_FULL;
	*r = (struct spool_rcpt){ .addr = final,
		.cls = (uint8_t)a->class,
		.status = SPOOL_TODO,
		.number = (uint32_t)t->rcpts.len - 1,
		.notify = notify,
		.orcpt = *orcpt ? mem_dup(sv_of(orcpt)) : NULL };
	if (maddr_same(&final, orig))
		r->orig.null = true;
	else
		r->orig = *orig;
	t->remote |= a->class == CLASS_REMOTE;
	return hmap_put(t->seen, sv_of(key), (void *)(uintptr_t)t->rcpts.len) ? ADDED : ADD_FULL; /* NOLINT */
}

bool finals_has_local(const struct session *s, const struct maddr *a)
{
	char key[MADDR_TEXT_MAX + 1];
	dedup_key(a, CLASS_LOCAL, key);
	const struct spool_rcpt *r = find(&s->txn, key);
	return r && r->cls == CLASS_LOCAL;
}

static void cut(struct txn *t, size_t len)
{
	while (t->rcpts.len > len) {
		char key[MADDR_TEXT_MAX + 1];
		struct spool_rcpt *last = VEC_AT(&t->rcpts, struct spool_rcpt, t->rcpts.len - 1);
		dedup_key(&last->addr, last->cls, key);
		hmap_del(t->seen, sv_of(key));
		free(last->orcpt);
		vec_pop(&t->rcpts);
	}
}

/* Two RCPT commands for one recipient: it is reported on when either asked for it. */
static uint8_t notify_both(uint8_t a, uint8_t b)
{
	const uint8_t usual = SPOOL_NOTIFY_FAILURE | SPOOL_NOTIFY_DELAY;
	if (a == b)
		return a;
	uint8_t sum = (uint8_t)((a ? a : usual) | (b ? b : usual));
	return sum & (uint8_t)~SPOOL_NOTIFY_NEVER;
}

static void merge(struct txn *t, size_t before, const struct vec *finals, uint8_t notify)
{
	for (size_t i = 0; i < finals->len; i++) {
		struct maddr final;
		char key[MADDR_TEXT_MAX + 1];
		BUG_IF(!parse(VEC_AT(finals, struct resolve_rcpt, i), &final, key));
		struct spool_rcpt *r = find(t, key);
		if (r && r->number < before)
			r->notify = notify_both(r->notify, notify);
	}
}

/* RFC 3461 5.2.7.3: who asked for success of an address that leads to several is told of the expansion (its line is never
 * delivered), and not of each member's success. Failures and delays of members are his as before. */
static bool add_expanded(struct session *s, const struct maddr *orig, const char *orcpt)
{
	struct txn *t = &s->txn;
	char key[MADDR_TEXT_MAX + 3] = "> "; /* apart from final addresses: none begins so */
	struct maddr list = *orig;
	if (!*list.domain)
		BUG_IF(!sv_copy(sv_of(s->cfg->global.origin), list.domain, sizeof list.domain));
	dedup_key(&list, CLASS_LOCAL, key + 2);
	if (find(t, key))
		return true;
	if (t->rcpts.len == t->rcpts.max || !hmap_put(t->seen, sv_of(key), (void *)(uintptr_t)(t->rcpts.len + 1))) /* NOLINT */
		return false;
	struct spool_rcpt *r = vec_push(&t->rcpts);
	*r = (struct spool_rcpt){ .addr = list,
		.orig.null = true,
		.cls = CLASS_LOCAL,
		.status = SPOOL_OWED_EXPANDED,
		.number = (uint32_t)t->rcpts.len - 1,
		.notify = SPOOL_NOTIFY_SUCCESS,
		.orcpt = *orcpt ? mem_dup(sv_of(orcpt)) : NULL };
	return true;
}

static uint8_t member_notify(uint8_t notify)
{
	uint8_t rest = notify & (uint8_t)~SPOOL_NOTIFY_SUCCESS;
	return notify != 0 && rest == 0 ? SPOOL_NOTIFY_NEVER : rest;
}

bool finals_add(struct session *s, const struct maddr *orig, const char *text, const struct vec *finals,
	const struct rcpt_params *p, struct refusal *r)
{
	struct txn *t = &s->txn;
	size_t before = t->rcpts.len;
	bool remote = t->remote;
	uint8_t notify = finals->len > 1 ? member_notify(p->notify) : p->notify;
	enum add_result result = ADDED;
	for (size_t i = 0; i < finals->len && result == ADDED; i++)
		result = add_final(t, orig, VEC_AT(finals, struct resolve_rcpt, i), notify, p->orcpt);
	if (result == ADDED && finals->len > 1 && (p->notify & SPOOL_NOTIFY_SUCCESS) && !add_expanded(s, orig, p->orcpt))
		result = ADD_FULL;
	if (result == ADDED) {
		merge(t, before, finals, notify);
		return true;
	}
	t->remote = remote;
	cut(t, before);
	if (result == ADD_FULL)
		refusal_set(r, 452, "4.5.3", "<%s>: too many addresses for one message", text);
	else
		refusal_set(r, 451, "4.3.0", "<%s>: the recipient cannot be looked up now, try again later", text);
	return false;
}
