#include "rules.h"

#define KEY_MAX 512   /* as tables take (maps/map.h) */
#define LOOKED_MAX 64 /* what was asked later is asked again */

struct question {
	struct session *s;
	enum rules_stage stage;
	const struct maddr *sender;
	const struct maddr *rcpt; /* with a domain */
};

/* --- what words and tables are compared with ------------------------------------------------------------------------------ */
static bool name_fits(struct sv name, const struct cfg_word *w)
{
	return w->kind == CFG_WORD_BELOW ? sv_iends(name, sv_of(w->text)) : sv_ieqs(name, w->text);
}

static bool client_fits(const struct question *q, const struct cfg_word *w)
{
	const struct session_client *c = &q->s->client;
	return w->kind == CFG_WORD_LOCAL ? c->kind != CLIENT_NET : addr_net_has(&w->net, &c->addr);
}

static bool helo_fits(const struct question *q, const struct cfg_word *w) { return name_fits(sv_of(q->s->helo), w); }

static bool ptr_fits(const struct question *q, const struct cfg_word *w)
{
	const char *name = q->s->ops->client_name(q->s->env);
	if (!name || w->kind == CFG_WORD_TEMPFAIL)
		return !name && w->kind == CFG_WORD_TEMPFAIL;
	return w->kind == CFG_WORD_NONE ? !*name : *name && name_fits(sv_of(name), w);
}

/* user@ and user+detail@ are one person's: a rule about user holds for both. */
static struct sv user_of(const struct question *q, const struct maddr *a)
{
	struct sv user = maddr_local(a), detail;
	const char *delimiter = q->s->cfg->global.recipient_delimiter;
	if (!delimiter || !*delimiter || !maddr_split_detail(user, delimiter, &user, &detail))
		return maddr_local(a);
	return user;
}

static bool user_fits(const struct question *q, const struct maddr *a, struct sv user)
{
	return sv_ieq(maddr_local(a), user) || sv_ieq(user_of(q, a), user);
}

/* Domains are compared in their ASCII form, so that the other spelling of an internationalised one is no way around a rule. */
static struct sv domain_of(const struct maddr *a, char dst[MADDR_DOMAIN_MAX + 1])
{
	return sv_of(!a->literal && maddr_domain_ascii(sv_of(a->domain), dst, NULL) ? dst : a->domain);
}

/* The domain of a word, with its dot if it has one: here as well either spelling will do. */
static struct sv word_domain(struct sv text, char dst[MADDR_DOMAIN_MAX + 2])
{
	bool dot = sv_starts(text, SV("."));
	dst[0] = '.';
	if (sv_is_ascii(text) || !maddr_domain_ascii(sv_skip(text, dot), dst + dot, NULL))
		return text;
	return sv_of(dst);
}

static bool address_fits(const struct question *q, const struct maddr *a, const struct cfg_word *w)
{
	char ascii[MADDR_DOMAIN_MAX + 1], word_ascii[MADDR_DOMAIN_MAX + 2];
	struct sv text = sv_of(w->text), domain = domain_of(a, ascii);
	ptrdiff_t at = sv_rchr(text, '@');
	struct sv wanted = word_domain(sv_skip(text, (size_t)(at + 1)), word_ascii);
	if (a->null || w->kind == CFG_WORD_NULL)
		return a->null && w->kind == CFG_WORD_NULL;
	if (w->kind == CFG_WORD_BELOW)
		return sv_iends(domain, wanted);
	if (w->kind == CFG_WORD_DOMAIN)
		return sv_ieq(domain, wanted);
	return user_fits(q, a, sv_sub(text, 0, (size_t)at)) && (w->kind == CFG_WORD_USER || sv_ieq(domain, wanted));
}

static bool sender_fits(const struct question *q, const struct cfg_word *w) { return address_fits(q, q->sender, w); }
static bool recipient_fits(const struct question *q, const struct cfg_word *w) { return address_fits(q, q->rcpt, w); }

static bool account_fits(const struct question *q, const struct cfg_word *w)
{
	const char *account = q->s->account;
	if (w->kind == CFG_WORD_ANY || w->kind == CFG_WORD_NONE)
		return (*account != '\0') == (w->kind == CFG_WORD_ANY);
	return *account && sv_ieqs(sv_of(account), w->text);
}

static const char *fingerprint(const struct session *s) { return s->tls_active ? s->tls.peer : ""; }

static bool tls_fits(const struct question *q, const struct cfg_word *w)
{
	const struct session *s = q->s;
	switch (w->kind) {
	case CFG_WORD_YES:
		return s->tls_active;
	case CFG_WORD_NO:
		return !s->tls_active;
	case CFG_WORD_VERIFIED:
		return s->tls_active && s->tls.peer_verified;
	default:
		return *fingerprint(s) && sv_ieqs(sv_of(fingerprint(s)), w->text);
	}
}

static bool listener_fits(const struct question *q, const struct cfg_word *w)
{
	const struct cfg_listener *l = q->s->client.listener;
	return l && sv_ieqs(sv_of(l->name), w->text);
}

/* --- keys: the n-th that a table is asked for, the exact one first. Patterns and networks are asked for the exact one alone --- */
static bool exact(const char *text, unsigned n, struct buf *key)
{
	buf_puts(key, text);
	return n == 0 && *text;
}

static bool client_key(const struct question *q, unsigned n, struct buf *key) { return exact(q->s->client_text, n, key); }
static bool account_key(const struct question *q, unsigned n, struct buf *key) { return exact(q->s->account, n, key); }
static bool tls_key(const struct question *q, unsigned n, struct buf *key) { return exact(fingerprint(q->s), n, key); }

/* mx.example.org, .example.org, .org */
static bool name_key(const char *name, unsigned n, struct buf *key)
{
	for (unsigned i = 0; name && i < n; i++)
		name = strchr(name + (i > 0), '.');
	buf_puts(key, name ? name : "");
	return name && *name;
}

static bool helo_key(const struct question *q, unsigned n, struct buf *key)
{
	return q->s->helo[0] == '[' ? exact(q->s->helo, n, key) : name_key(q->s->helo, n, key);
}

static bool ptr_key(const struct question *q, unsigned n, struct buf *key)
{
	return name_key(q->s->ops->client_name(q->s->env), n, key);
}

/* user+detail@example.org, user@example.org, example.org; <> */
static bool address_key(const struct question *q, const struct maddr *a, unsigned n, struct buf *key)
{
	char ascii[MADDR_DOMAIN_MAX + 1], text[MADDR_TEXT_MAX + 1];
	struct maddr b = *a;
	if (a->null)
		return exact("<>", n, key);
	BUG_IF(!sv_copy(domain_of(a, ascii), b.domain, sizeof b.domain));
	if (n == 1) {
		b.local_len = user_of(q, a).n;
		b.local[b.local_len] = '\0';
	}
	buf_puts(key, n == 2 ? b.domain : maddr_text(&b, text));
	return n <= 2 && key->len > 0;
}

static bool sender_key(const struct question *q, unsigned n, struct buf *key) { return address_key(q, q->sender, n, key); }
static bool recipient_key(const struct question *q, unsigned n, struct buf *key) { return address_key(q, q->rcpt, n, key); }

/* --- conditions ------------------------------------------------------------------------------------------------------------- */
static const struct condition {
	size_t offset; /* in struct cfg_rule */
	enum rules_stage known;
	bool (*fits)(const struct question *q, const struct cfg_word *w);
	bool (*key)(const struct question *q, unsigned n, struct buf *key); /* false: there is no such */
} conditions[] = {
	{ offsetof(struct cfg_rule, client), RULES_CONNECT, client_fits, client_key },
	{ offsetof(struct cfg_rule, listener), RULES_CONNECT, listener_fits, NULL },
	{ offsetof(struct cfg_rule, helo), RULES_HELO, helo_fits, helo_key },
	{ offsetof(struct cfg_rule, account), RULES_MAIL, account_fits, account_key }, /* neither AUTH nor STARTTLS later */
	{ offsetof(struct cfg_rule, tls), RULES_MAIL, tls_fits, tls_key },
	{ offsetof(struct cfg_rule, sender), RULES_MAIL, sender_fits, sender_key },
	{ offsetof(struct cfg_rule, ptr), RULES_RCPT, ptr_fits, ptr_key }, /* the first to wait for DNS */
	{ offsetof(struct cfg_rule, recipient), RULES_RCPT, recipient_fits, recipient_key },
};

static const struct cfg_match *match_of(const struct cfg_rule *r, const struct condition *c)
{
	return (const struct cfg_match *)(const void *)((const char *)r + c->offset);
}

enum answer { NO, YES, LATER, UNKNOWABLE };

static enum answer ask_words(const struct question *q, const struct condition *c, const struct cfg_match *m)
{
	bool has_plain = false, fits = false;
	for (size_t i = 0; i < m->n; i++) {
		const struct cfg_word *w = &m->word[i];
		bool this = (!w->not &&fits) || c->fits(q, w);
		if (w->not &&this)
			return NO;
		has_plain |= !w->not ;
		fits |= !w->not &&this;
	}
	return fits || !has_plain ? YES : NO;
}

static bool asks_once(const char *spec)
{
	struct sv s = sv_of(spec);
	return sv_starts(s, SV("regexp:")) || sv_starts(s, SV("pcre:")) || sv_starts(s, SV("cidr:"));
}

/* What a table has said since MAIL, about client, HELO, sender or a domain, holds for each recipient of that message. */
struct looked {
	const char *table; /* the configuration's own string */
	enum map_result found;
	char key[KEY_MAX + 1];
};

static const struct looked *recall(const struct session *s, const char *table, struct sv key)
{
	for (size_t i = 0; i < s->looked.len; i++) {
		const struct looked *l = VEC_AT(&s->looked, struct looked, i);
		if (l->table == table && sv_eqs(key, l->key))
			return l;
	}
	return NULL;
}

static enum map_result look_up(struct session *s, const char *table, struct sv key, struct err *e)
{
	struct buf value = BUF_INIT(4000);
	const struct looked *known = recall(s, table, key);
	if (known)
		return known->found;
	enum map_result found = s->ops->table(s->env, table, key, &value, e);
	struct looked *l = found != MAP_FAILED && key.n <= KEY_MAX ? vec_push(&s->looked) : NULL;
	if (l) {
		*l = (struct looked){ .table = table, .found = found };
		BUG_IF(!sv_copy(key, l->key, sizeof l->key));
	}
	buf_free(&value);
	return found;
}

static enum answer ask_table(const struct question *q, const struct condition *c, const struct cfg_match *m, struct err *e)
{
	struct buf key = BUF_INIT(KEY_MAX);
	enum map_result found = MAP_NONE;
	for (unsigned n = 0; found == MAP_NONE && (n == 0 || !asks_once(m->table)) && c->key(q, n, &key); n++) {
		found = look_up(q->s, m->table, buf_sv(&key), e);
		buf_reset(&key);
	}
	buf_free(&key);
	if (found == MAP_FAILED)
		return UNKNOWABLE;
	return (found == MAP_FOUND) != m->not_in_table ? YES : NO;
}

/* Words first: they cost nothing, and a rule that cannot hold asks no table. */
static enum answer ask_rule(const struct question *q, const struct cfg_rule *r, struct err *e)
{
	enum answer a = YES;
	for (size_t i = 0; i < COUNT(conditions) && a != NO; i++) {
		const struct cfg_match *m = match_of(r, &conditions[i]);
		if (m->text && *m->text && conditions[i].known > q->stage)
			a = LATER;
		else if (m->n > 0 && ask_words(q, &conditions[i], m) == NO)
			a = NO;
	}
	for (size_t i = 0; i < COUNT(conditions) && a == YES; i++)
		if (match_of(r, &conditions[i])->table)
			a = ask_table(q, &conditions[i], match_of(r, &conditions[i]), e);
	return a;
}

/* Programs of this machine are asked only by rules that name them, or `client = !192.0.2.0/24` would stop the cron daemon. */
static bool is_for(const struct session *s, const struct cfg_rule *r)
{
	if (s->client.kind == CLIENT_NET)
		return true;
	for (size_t i = 0; i < r->client.n; i++)
		if (r->client.word[i].kind == CFG_WORD_LOCAL && !r->client.word[i].not )
			return true;
	return false;
}

/* --- the list --------------------------------------------------------------------------------------------------------------- */
static bool is_refusal(const struct cfg_rule *r) { return r->action.act == CFG_ACT_REJECT || r->action.act == CFG_ACT_TEMPFAIL; }

static bool refuse(const struct cfg_rule *rule, struct refusal *r)
{
	refusal_set(r, rule->action.code, rule->action.dsn, "%s", rule->action.text);
	r->rule = rule->name;
	return false;
}

/* A rule that cannot be judged is never taken for one that does not hold. */
static bool unknowable(const struct cfg_rule *rule, const struct err *e, struct refusal *r)
{
	LOG_WARN("rule-failed", KV_STR("rule", rule->name), KV_ERR(e));
	refusal_set(r, 451, "4.3.0", "The server's rules cannot be looked up now, try again later");
	r->rule = rule->name;
	return false;
}

/* RFC 5321 3.1: a greeting is 220, 554 or 421. RFC 2034 4: no enhanced code in it, nor after EHLO. */
static void fit_to_stage(const struct session *s, enum rules_stage stage, struct refusal *r)
{
	if (stage == RULES_CONNECT)
		r->code = r->code >= 500 && !s->cfg->global.soft_bounce ? 554 : 421;
	if (stage <= RULES_HELO)
		r->dsn[0] = '\0';
}

static bool pass(const struct question *q, struct refusal *r)
{
	const struct vec *rules = &q->s->cfg->rules;
	for (size_t i = 0; i < rules->len; i++) {
		const struct cfg_rule *rule = VEC_AT(rules, struct cfg_rule, i);
		struct err e = { 0 };
		if (!is_for(q->s, rule))
			continue;
		enum answer a = ask_rule(q, rule, &e);
		if (a == UNKNOWABLE)
			return unknowable(rule, &e, r);
		if (a == YES && is_refusal(rule))
			return refuse(rule, r);
		if (a != NO && cfg_act_ends(rule->action.act) && !is_refusal(rule))
			return true; /* it lets some or all through: what stands behind is judged when that is certain */
	}
	return true;
}

void rules_init(struct session *s) { s->looked = (struct vec)VEC_INIT(struct looked, LOOKED_MAX); }

bool rules_pass(struct session *s, enum rules_stage stage, const struct maddr *sender, struct refusal *r)
{
	struct question q = { .s = s, .stage = stage, .sender = sender };
	vec_reset(&s->looked);
	if (session_is_daemon(s) || pass(&q, r))
		return true;
	fit_to_stage(s, stage, r);
	return false;
}

/* RFC 5321 4.5.1. A client may be refused before it names a recipient; whoever comes so far reaches the postmaster. */
static bool is_postmaster(const struct session *s, const struct maddr *to)
{
	const struct cfg_global *g = &s->cfg->global;
	bool ours = to->literal || sv_ieqs(sv_of(to->domain), g->origin);
	for (size_t i = 0; i < g->domains.n && !ours; i++)
		ours = sv_ieqs(sv_of(to->domain), g->domains.item[i]);
	return ours && sv_ieqs(maddr_local(to), "postmaster");
}

static bool keeps_away(const struct cfg_rule *r) { return is_refusal(r) || r->action.act == CFG_ACT_HOLD; }

static bool judge(const struct question *q, struct rules_effect *ret, struct refusal *r)
{
	const struct vec *rules = &q->s->cfg->rules;
	bool postmaster = is_postmaster(q->s, q->rcpt);
	for (size_t i = 0; i < rules->len; i++) {
		const struct cfg_rule *rule = VEC_AT(rules, struct cfg_rule, i);
		struct err e = { 0 };
		if (!is_for(q->s, rule) || (postmaster && keeps_away(rule)))
			continue;
		enum answer a = ask_rule(q, rule, &e);
		if (a == UNKNOWABLE)
			return unknowable(rule, &e, r);
		if (a == NO)
			continue;
		if (is_refusal(rule))
			return refuse(rule, r);
		const struct cfg_rule **hit = vec_push(&ret->hits);
		BUG_IF(!hit);
		*hit = rule;
		ret->relay |= rule->action.act == CFG_ACT_RELAY;
		if (rule->action.act == CFG_ACT_REDIRECT)
			ret->redirect = rule->action.text;
		if (cfg_act_ends(rule->action.act))
			return true;
	}
	return true;
}

bool rules_recipient(struct session *s, const struct maddr *to, struct rules_effect *ret, struct refusal *r)
{
	struct maddr full = *to;
	struct question q = { .s = s, .stage = RULES_RCPT, .sender = &s->txn.sender, .rcpt = &full };
	*ret = (struct rules_effect){ .hits = VEC_INIT(const struct cfg_rule *, s->cfg->rules.len) };
	if (session_is_daemon(s))
		return true;
	if (!*full.domain)
		BUG_IF(!sv_copy(sv_of(s->cfg->global.origin), full.domain, sizeof full.domain));
	return judge(&q, ret, r);
}

void rules_effect_free(struct rules_effect *f) { vec_free(&f->hits); }

/* --- what becomes of the message -------------------------------------------------------------------------------------------- */
static bool is_noted(const struct txn *t, const struct cfg_rule *rule)
{
	for (size_t i = 0; i < t->rules.len; i++)
		if (*VEC_AT(&t->rules, const struct cfg_rule *, i) == rule)
			return true;
	return false;
}

bool rules_note(struct session *s, const char *to, const struct rules_effect *f, struct refusal *r)
{
	struct txn *t = &s->txn;
	size_t before = t->rules.len;
	char from[MADDR_TEXT_MAX + 1];
	for (size_t i = 0; i < f->hits.len; i++) {
		const struct cfg_rule *rule = *VEC_AT(&f->hits, const struct cfg_rule *, i), **place;
		if (cfg_act_ends(rule->action.act) || is_noted(t, rule))
			continue; /* what it did concerned this recipient alone */
		if (!(place = vec_push(&t->rules))) {
			t->rules.len = before;
			refusal_set(r, 451, "4.3.5", "<%s>: too many rules apply to one message", to);
			return false;
		}
		*place = rule;
	}
	t->relayed |= f->relay;
	for (size_t i = 0; i < f->hits.len; i++) {
		const struct cfg_rule *rule = *VEC_AT(&f->hits, const struct cfg_rule *, i);
		LOG(rule->action.act == CFG_ACT_ACCEPT ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "rule", KV_STR("rule", rule->name),
			KV_STR("action", cfg_act_name(rule->action.act)), KV_STR("from", maddr_text(&t->sender, from)),
			KV_STR("to", to), KV_STR("client", s->client_text), KV_STR("text", rule->action.text));
	}
	return true;
}

bool rules_hold(const struct session *s)
{
	for (size_t i = 0; i < s->txn.rules.len; i++) {
		if ((*VEC_AT(&s->txn.rules, const struct cfg_rule *, i))->action.act == CFG_ACT_HOLD)
			return true;
	}
	return false;
}

void rules_headers(const struct session *s, struct buf *out)
{
	for (size_t i = 0; i < s->txn.rules.len; i++) {
		const struct cfg_action *a = &(*VEC_AT(&s->txn.rules, const struct cfg_rule *, i))->action;
		if (a->act == CFG_ACT_TAG)
			buf_putf(out, "%s: %s\n", a->header, a->text);
	}
}
