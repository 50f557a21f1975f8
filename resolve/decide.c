/* An address becomes its final recipients: a list of work that grows while aliases are expanded, each once. So there is no depth to
 * bound, loops end by themselves, and two lists may include each other. */
#include "decide.h"
#include "alias.h"

struct work {
	struct maddr addr;
	bool aliased;
	bool final;       /* \user: a mailbox, not an alias */
	const char *from; /* key of the alias that it comes from, or NULL */
};

struct expansion {
	const struct rules *rules;
	const struct lookups *l;
	struct decision *d;
	struct vec work;       /* of struct work */
	struct hmap *expanded; /* keys of aliases: to a copy of the key. NULL as long as there are none */
	struct hmap *taken;    /* texts of finals, folded. NULL for the first */
	struct vec unknown;    /* of struct maddr: targets without a mailbox */
	bool pending;
	bool over;    /* more than alias_expansion_max */
	bool expired; /* a rewritten sender's time is over */
};

static size_t expansion_max(const struct rules *r) { return r->cfg->smtpd.alias_expansion_max; }

static bool is_name(const struct rules *r, const struct maddr *a, const char *name)
{
	struct sv user, detail;

	mailbox_split(r, maddr_local(a), &user, &detail);
	return sv_ieqs(user, name);
}

static void end_with(struct expansion *x, enum resolve_status status, const struct err *why)
{
	if (x->d->status != RESOLVE_OK)
		return;
	x->d->status = status;
	x->d->why = *why;
	if (!x->d->why.dsn[0])
		snprintf(x->d->why.dsn, sizeof(x->d->why.dsn), "4.3.0");
}

/* --- finals -------------------------------------------------------------------------------------------------------------- */

static void folded_text(const struct final *f, char dst[MADDR_TEXT_MAX + 1])
{
	maddr_text(&f->addr, dst);
	for (char *p = dst; f->class == CLASS_LOCAL && *p; p++)
		*p = ascii_lower(*p);
}

/* true: it was not there yet. The map is made for the second recipient: most addresses have one. */
static bool is_new(struct expansion *x, const struct final *f)
{
	char text[MADDR_TEXT_MAX + 1];

	if (x->d->finals.len == 0)
		return true;
	if (!x->taken) {
		x->taken = hmap_new(expansion_max(x->rules));
		folded_text(VEC_AT(&x->d->finals, struct final, 0), text);
		BUG_IF(!hmap_put(x->taken, sv_of(text), x));
	}
	folded_text(f, text);
	if (hmap_get(x->taken, sv_of(text)))
		return false;
	x->over |= !hmap_put(x->taken, sv_of(text), x);
	return !x->over;
}

static void add_final(struct expansion *x, const struct final *f)
{
	struct final *place;

	if (!is_new(x, f))
		return;
	if ((place = vec_push(&x->d->finals)))
		*place = *f;
	else
		x->over = true;
}

static void add_local(struct expansion *x, const struct maddr *a, bool aliased)
{
	struct final f = { .addr = *a, .class = CLASS_LOCAL, .aliased = aliased, .route = "" };

	add_final(x, &f);
}

static void add_remote(struct expansion *x, const struct work *w)
{
	struct relayed_domain relay = rules_relay(x->rules, &w->addr);
	struct final f = {
		.addr = w->addr, .class = CLASS_REMOTE, .aliased = w->aliased, .relayed = relay.anyone, .route = relay.route
	};

	add_final(x, &f);
}

/* --- work ---------------------------------------------------------------------------------------------------------------- */

static void add_work(struct expansion *x, const struct maddr *a, bool final, const char *from)
{
	struct work *w = vec_push(&x->work);

	if (!w) {
		x->over = true;
		return;
	}
	*w = (struct work){ .addr = *a, .aliased = true, .final = final, .from = from };
	if (!w->addr.domain[0])
		snprintf(w->addr.domain, sizeof(w->addr.domain), "%s", x->rules->home_domain);
}

/* The stored key when this alias is met for the first time, else NULL. */
static const char *expand_once(struct expansion *x, const char *key)
{
	if (!x->expanded)
		x->expanded = hmap_new(expansion_max(x->rules));
	if (hmap_get(x->expanded, sv_of(key)))
		return NULL;
	char *copy = mem_dup(sv_of(key));
	if (hmap_put(x->expanded, sv_of(key), copy))
		return copy;
	free(copy);
	x->over = true;
	return NULL;
}

struct target_arg {
	struct expansion *x;
	const char *from;
};

static bool on_target(const struct maddr *target, bool final, void *arg)
{
	struct target_arg *t = arg;

	add_work(t->x, target, final, t->from);
	return !t->x->over;
}

static void expand(struct expansion *x, const struct work *w, const struct alias *a)
{
	struct target_arg t = { .x = x };
	struct err e;

	if (!alias_usable(a, &e)) {
		add_local(x, &w->addr, w->aliased); /* its agent will say why it waits: decide_box() */
		snprintf(x->d->note, sizeof(x->d->note), "%s", e.text);
		return;
	}
	t.from = expand_once(x, a->key);
	if (t.from) /* else met before: its targets are in the list already */
		alias_targets(a, on_target, &t);
}

/* true: done with it. `user: user, other` is an old idiom: the name within its own alias is the mailbox. */
static bool try_alias(struct expansion *x, const struct work *w, const struct local_domain *d)
{
	struct alias a = ALIAS_INIT;
	struct err e = { .kind = ERR_NONE };
	bool done = false;

	if (w->final)
		return false;
	switch (alias_find(x->rules, x->l, d, &w->addr, &a, &e)) {
	case MAP_FOUND:
		done = !(w->from && strcmp(w->from, a.key) == 0);
		if (done)
			expand(x, w, &a);
		break;
	case MAP_FAILED:
		end_with(x, RESOLVE_TEMP, &e);
		done = true;
		break;
	case MAP_NONE:
		break;
	}
	buf_free(&a.value);
	return done;
}

/* --- local addresses without a mailbox ----------------------------------------------------------------------------------- */

static bool try_name(struct expansion *x, const struct work *w, const char *name)
{
	struct alias a = ALIAS_INIT;
	struct err e = { .kind = ERR_NONE };
	enum map_result result = w->final ? MAP_NONE : alias_find_name(x->l, name, &a, &e);
	bool done = false;

	if (result == MAP_FAILED) {
		end_with(x, RESOLVE_TEMP, &e);
		done = true;
	} else if (result == MAP_FOUND && !(x->expanded && hmap_get(x->expanded, sv_of(a.key)))) {
		expand(x, w, &a);
		done = true;
	}
	buf_free(&a.value);
	return done;
}

static bool try_catch_all(struct expansion *x, const struct local_domain *d)
{
	char key[MADDR_DOMAIN_MAX + 2];
	struct maddr a;
	struct err e;

	if (!d->catch_all[0])
		return false;
	if (!maddr_parse(sv_of(d->catch_all), MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &a, &e)) {
		err_add(&e, "catch_all of [domain %s]", d->name);
		snprintf(e.dsn, sizeof(e.dsn), "4.3.5");
		end_with(x, RESOLVE_TEMP, &e);
		return true;
	}
	snprintf(key, sizeof(key), "@%s", d->name);
	const char *from = expand_once(x, key);
	if (!from)
		return false; /* it was followed, and leads to unknown users itself */
	add_work(x, &a, false, from);
	return true;
}

/* RFC 5321 4.5.1: postmaster is never unknown. root is told things that somebody should read. Both are taken, and wait until the
 * admin has acted. */
static bool keep_system_name(struct expansion *x, const struct work *w, const struct local_domain *d)
{
	bool postmaster = is_name(x->rules, &w->addr, "postmaster");

	if (!postmaster && (!is_name(x->rules, &w->addr, "root") || d->users == CFG_USERS_VIRTUAL))
		return false;
	const char *name = postmaster ? "postmaster" : "root";
	snprintf(x->d->note, sizeof(x->d->note), "%s has no mailbox, and no alias that leads to one: add `%s: user` to aliases",
		name, name);
	add_local(x, &w->addr, w->aliased);
	return true;
}

static void no_mailbox(struct expansion *x, const struct work *w, const struct local_domain *d)
{
	if (is_name(x->rules, &w->addr, "postmaster") && (try_name(x, w, "postmaster") || try_name(x, w, "root")))
		return;
	if (try_catch_all(x, d) || keep_system_name(x, w, d))
		return;
	struct maddr *unknown = vec_push(&x->unknown);
	if (unknown)
		*unknown = w->addr;
	x->over |= !unknown;
}

/* --- rewritten senders --------------------------------------------------------------------------------------------------- */

/* A sender that we gave to mail that was sent on: what comes to it goes back. One that we did not make is an unknown user, whatever
 * aliases and catch_all say: the way back would be open to everybody. true: done with it. */
static bool try_rewritten(struct expansion *x, const struct work *w)
{
	struct maddr before;

	switch (x->l->rewritten ? x->l->rewritten(x->l->arg, &w->addr, &before) : SRS_NONE) {
	case SRS_NONE:
		return false;
	case SRS_OK:
		x->d->reports = true;
		add_work(x, &before, false, NULL);
		return true;
	case SRS_EXPIRED:
		x->expired = true;
		break;
	case SRS_FORGED:
		break;
	}
	struct maddr *unknown = vec_push(&x->unknown);
	if (unknown)
		*unknown = w->addr;
	x->over |= !unknown;
	return true;
}

/* --- one address --------------------------------------------------------------------------------------------------------- */

static void place(struct expansion *x, struct work w)
{
	const struct local_domain *d = rules_local(x->rules, &w.addr);
	struct err e = { .kind = ERR_NONE };

	if (!d) {
		add_remote(x, &w);
		return;
	}
	if (try_rewritten(x, &w) || try_alias(x, &w, d))
		return;
	switch (mailbox_find(x->rules, x->l, d, &w.addr, NULL, &e)) {
	case USER_FOUND:
		add_local(x, &w.addr, w.aliased);
		break;
	case USER_NONE:
		no_mailbox(x, &w, d);
		break;
	case USER_FAILED:
		end_with(x, RESOLVE_TEMP, &e);
		break;
	case USER_PENDING:
		x->pending = true;
		break;
	}
}

/* A missing domain: origin for our own programs, and the one name that needs none for everybody (RFC 5321 4.1.1.3). */
static bool complete(const struct rules *r, bool local_client, struct maddr *a, struct err *e)
{
	const char *domain = local_client ? r->cfg->global.origin : r->home_domain;

	if (a->domain[0])
		return true;
	if (!local_client && !sv_ieqs(maddr_local(a), "postmaster"))
		return err_dsn(e, ERR_PERM, "5.1.3", "the address needs a domain");
	snprintf(a->domain, sizeof(a->domain), "%s", domain);
	return true;
}

/* What is still open when all work is done. */
static void conclude(struct expansion *x, const struct maddr *asked)
{
	struct decision *d = x->d;
	struct err e;

	if (d->status != RESOLVE_OK)
		return;
	struct work first = { .addr = *asked };
	const struct local_domain *local = rules_local(x->rules, &first.addr);
	if (x->over) { /* a big list: one recipient, that its agent expands */
		vec_reset(&d->finals);
		hmap_free(x->taken, NULL);
		x->taken = NULL;
		add_local(x, &first.addr, false);
		return;
	}
	if (d->finals.len == 0 && local && keep_system_name(x, &first, local))
		return;
	if (d->finals.len == 0 && x->unknown.len == 0) {
		err_dsn(&e, ERR_PERM, "5.4.6", "alias loop: it leads to nobody but itself");
		end_with(x, RESOLVE_BAD, &e);
	} else if (d->finals.len == 0) {
		err_dsn(&e, ERR_PERM, "5.1.1", "%s",
			x->expired ? "this address was for reports about a message that was sent on long ago" : "No such user");
		end_with(x, RESOLVE_UNKNOWN, &e);
	}
	/* One target of several is unknown: accepted, and the sender hears of it from the agent. */
	for (size_t i = 0; d->status == RESOLVE_OK && i < x->unknown.len; i++)
		add_local(x, VEC_AT(&x->unknown, struct maddr, i), true);
}

static void reset(struct decision *d)
{
	d->status = RESOLVE_OK;
	err_clear(&d->why);
	vec_reset(&d->finals);
	d->note[0] = '\0';
	d->reports = false;
}

void decision_init(struct decision *ret, const struct rules *r)
{
	*ret = (struct decision){ .finals = VEC_INIT(struct final, expansion_max(r)) };
}

void decision_free(struct decision *d) { vec_free(&d->finals); }

bool decide_rcpt(const struct rules *r, const struct lookups *l, struct sv address, bool local_client, struct decision *ret)
{
	struct expansion x = { .rules = r,
		.l = l,
		.d = ret,
		.work = VEC_INIT(struct work, expansion_max(r)),
		.unknown = VEC_INIT(struct maddr, expansion_max(r)) };
	struct work first = { .aliased = false };
	struct err e;

	reset(ret);
	if (!maddr_parse(address, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &first.addr, &e)) {
		end_with(&x, RESOLVE_BAD, &e);
		return true;
	}
	if (!complete(r, local_client, &first.addr, &e)) {
		end_with(&x, RESOLVE_UNKNOWN, &e);
		return true;
	}
	place(&x, first);
	for (size_t i = 0; i < x.work.len && !x.over && ret->status == RESOLVE_OK; i++)
		place(&x, *VEC_AT(&x.work, struct work, i));
	if (!x.pending || ret->status != RESOLVE_OK)
		conclude(&x, &first.addr);
	vec_free(&x.work);
	vec_free(&x.unknown);
	hmap_free(x.expanded, free);
	hmap_free(x.taken, NULL);
	return !x.pending || ret->status != RESOLVE_OK;
}
