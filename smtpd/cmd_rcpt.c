/* RCPT (RFC 5321 4.1.1.3). What we can know about a recipient is said here, not in a bounce (DESIGN D8). */
#include "auth.h"
#include "finals.h"
#include "rules.h"

/* RFC 5321 4.5.1: <postmaster> needs no domain. Local programs may leave it away; `resolve` adds the origin. */
static bool check_form(const struct session *s, const struct maddr *to, const char *text, struct refusal *r)
{
	if (*to->domain || session_is_ours(s) || s->client.kind == CLIENT_LMTP || sv_ieqs(maddr_local(to), "postmaster"))
		return true;
	refusal_set(r, 550, "5.1.2", "<%s>: the recipient needs a domain: user@example.org", text);
	return false;
}

static bool check_count(const struct session *s, struct refusal *r)
{
	if (s->txn.taken < s->cfg->smtpd.recipients_max || session_is_daemon(s))
		return true;
	refusal_set(r, 452, "4.5.3", "Too many recipients: send the message to the others in another transaction");
	return false;
}

static bool check_rate(const struct session *s, struct refusal *r)
{
	if (s->ops->allow(s->env, LIMIT_RECIPIENTS, 1, s->account))
		return true;
	refusal_set(r, 450, "4.7.1", "Too many recipients from you in the last minute, come again later");
	return false;
}

/* No open relay: a foreign recipient is taken from those who may relay, for domains of a [relay] section, and when an alias of
 * ours, or a rule's `redirect`, leads there. Whether one did is not believed but seen: the domain has changed.
 * LMTP is for our own users alone. */
static bool may_send_to(
	const struct session *s, const struct maddr *asked, const struct rules_effect *rules, const struct resolve_rcpt *a)
{
	struct maddr final;
	bool relayed = (a->relayed || rules->relay) && !session_is_lmtp(s);
	if (a->class == CLASS_LOCAL || relayed || session_may_relay(s) || rules->redirect)
		return true;
	return a->aliased && maddr_parse(sv_of(a->address), MADDR_UTF8_OK, &final, NULL) &&
	       !sv_ieqs(sv_of(final.domain), asked->domain);
}

/* What comes to a rewritten sender goes on to somebody elsewhere: reports, which have no sender (RFC 3464 2), or in old systems
 * that of their mailer. Anything else would make us a relay for who has seen such an address. */
static bool is_report(const struct session *s)
{
	struct sv local = maddr_local(&s->txn.sender);
	return s->txn.sender.null || sv_ieqs(local, "mailer-daemon") || sv_ieqs(local, "postmaster");
}

/* What `resolve` answered, if it is no, in SMTP's words. */
static bool check_answer(const struct session *s, const struct maddr *to, const char *text, const struct rules_effect *rules,
	const struct resolve_rcpt *a, struct refusal *r)
{
	switch ((enum resolve_status)a->status) {
	case RESOLVE_OK:
		if (!may_send_to(s, to, rules, a))
			refusal_set(r, 550, "5.7.1", "<%s>: this server does not relay to that domain for you", text);
		else if (a->reports && !is_report(s))
			refusal_set(r, 550, "5.7.1", "<%s>: this address is for delivery reports alone", text);
		else
			return true;
		return false;
	case RESOLVE_UNKNOWN:
		refusal_set(r, 550, *a->dsn ? a->dsn : "5.1.1", "<%s>: %s", text, *a->text ? a->text : "no such user here");
		return false;
	case RESOLVE_TEMP: /* the text is for the admin: it may name files */
		LOG_WARN("resolve-failed", KV_STR("to", text), KV_STR("reason", a->text));
		refusal_set(
			r, 451, *a->dsn ? a->dsn : "4.3.0", "<%s>: the recipient cannot be looked up now, try again later", text);
		return false;
	case RESOLVE_BAD:
		break;
	}
	refusal_set(r, a->dsn[0] == '4' ? 451 : 550, *a->dsn ? a->dsn : "5.3.5", "<%s>: %s", text,
		*a->text ? a->text : "misconfigured here");
	return false;
}

/* Asks, and gives back the answers or why the recipient is not taken. */
static bool ask(struct session *s, const struct maddr *to, const char *text, const struct rules_effect *rules, struct vec *finals,
	struct refusal *r)
{
	struct err e = { 0 };
	bool local = session_is_ours(s) || s->client.kind == CLIENT_LMTP;
	if (!s->ops->resolve(s->env, rules->redirect ? rules->redirect : text, local, finals, &e)) {
		if (e.kind == ERR_LIMIT) {
			refusal_set(r, 452, "4.5.3", "<%s>: too many addresses for one message", text);
			return false;
		}
		LOG_WARN("resolve-failed", KV_STR("to", text), KV_ERR(&e));
		refusal_set(r, 451, "4.3.0", "<%s>: the recipient cannot be looked up now, try again later", text);
		return false;
	}
	for (size_t i = 0; i < finals->len; i++)
		if (!check_answer(s, to, text, rules, VEC_AT(finals, struct resolve_rcpt, i), r))
			return false;
	if (finals->len > 0)
		return true;
	refusal_set(r, 550, "5.1.1", "<%s>: nobody gets this address's mail", text);
	return false;
}

enum phase cmd_rcpt(struct session *s, struct sv arg, struct buf *reply)
{
	struct txn *t = &s->txn;
	struct maddr to;
	struct rcpt_params p = { 0 };
	struct refusal r = { 0 };
	char text[MADDR_TEXT_MAX + 1];
	struct vec finals = VEC_INIT(struct resolve_rcpt, s->cfg->smtpd.alias_expansion_max);
	t->tried++;
	if (!session_path(s, "TO", &arg, &to, MADDR_NO_DOMAIN_OK | (t->options.smtputf8 ? MADDR_UTF8_OK : 0), reply))
		return s->phase;
	if (!rcpt_params(s, arg, &p, reply))
		return s->phase;
	maddr_text(&to, text);
	struct rules_effect rules = { 0 };
	bool ok = check_form(s, &to, text, &r) && check_count(s, &r) && check_rate(s, &r) && rules_recipient(s, &to, &rules, &r) &&
		  ask(s, &to, text, &rules, &finals, &r) && rules_note(s, text, &rules, &r) && budget_allows(s, &r) &&
		  finals_add(s, *t->forwarder.domain ? &t->forwarder : &to, text, &finals, &p, &r);
	rules_effect_free(&rules);
	vec_free(&finals);
	if (!ok)
		return session_refuse(s, reply, "RCPT", text, &r);
	if (t->taken++ == 0)
		t->first = to;
	smtp_reply(reply, 250, "2.1.5", "Ok");
	return PH_RCPT;
}
