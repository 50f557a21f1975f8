/* MAIL (RFC 5321 4.1.1.2). Its parameters are in mail_params.c. */
#include "auth.h"
#include "params.h"
#include "rules.h"

/* RFC 6531 3.4: whether the path may hold UTF-8 is said after it, so this looks ahead. */
static bool announces_utf8(struct sv arg)
{
	struct sv word;
	while (sv_word(&arg, &word))
		if (sv_ieqs(word, "SMTPUTF8"))
			return true;
	return false;
}

static bool check_sender(struct session *s, struct maddr *from, struct refusal *r)
{
	if (from->null || *from->domain)
		return true;
	if (!session_is_ours(s)) {
		char text[MADDR_TEXT_MAX + 1];
		refusal_set(r, 504, "5.5.2", "<%s>: the sender needs a domain: user@example.org", maddr_text(from, text));
		return false;
	}
	BUG_IF(!sv_copy(sv_of(s->cfg->global.origin), from->domain, sizeof from->domain));
	return true;
}

static bool check_size(const struct session *s, uint64_t size, struct refusal *r)
{
	uint64_t max = s->cfg->global.message_max_size;
	if (size <= max || session_is_daemon(s))
		return true;
	refusal_set(r, 552, "5.3.4", "The message is too large: at most %llu bytes are taken", (unsigned long long)max);
	return false;
}

enum phase cmd_mail(struct session *s, struct sv arg, struct buf *reply)
{
	struct maddr from;
	struct mail_params p = { 0 };
	struct refusal r = { 0 };
	unsigned flags = MADDR_NULL_OK | MADDR_NO_DOMAIN_OK | (announces_utf8(arg) ? MADDR_UTF8_OK : 0);
	if (!session_channel_ok(s, reply))
		return s->phase;
	if (!session_path(s, "FROM", &arg, &from, flags, reply) || !mail_params(s, arg, &p, reply))
		return s->phase;
	if (from.null && *p.options.verp)
		return session_complain(s, reply, 501, "5.5.4", "XVERP needs a sender");
	if (!check_sender(s, &from, &r) || !owner_of_sender(s, &from, &r) || !check_size(s, p.size, &r) ||
		!rules_pass(s, RULES_MAIL, &from, &r)) {
		s->txn.sender = from; /* for the log */
		session_refuse(s, reply, "MAIL", "", &r);
		session_reset(s);
		return s->phase;
	}
	if (!s->ops->allow(s->env, LIMIT_MESSAGES, 1, s->account)) {
		refusal_set(&r, 450, "4.7.1", "Too many messages from you in the last minute, come again later");
		return session_refuse(s, reply, "MAIL", "", &r);
	}
	s->txn.sender = from;
	s->txn.options = p.options;
	s->txn.forwarder = p.forwarder;
	s->txn.strange = p.strange;
	BUG_IF(!sv_copy(sv_of(s->account), s->txn.options.auth, sizeof s->txn.options.auth));
	s->ops->lend(s->env, s->client.kind == CLIENT_BOUNCE);
	if (p.priority_lowered) /* RFC 6710 5 */
		smtp_reply(reply, 250, "2.3.6", "Ok, with priority 0: a higher one is for senders that are known here");
	else
		smtp_reply(reply, 250, "2.1.0", "Ok");
	return PH_MAIL;
}
