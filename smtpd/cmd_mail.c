/* MAIL (RFC 5321 4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152) and SMTPUTF8 (RFC 6531). */
#include "session.h"

#include "base/num.h"

struct mail_args {
	bool has_size, has_body, smtputf8, eight_bit;
	uint64_t size;
};

/* One parameter. Each returns what is wrong with it, NULL for nothing. */
static const char *take_size(struct mail_args *a, struct sv value)
{
	bool twice = a->has_size;
	a->has_size = true;
	if (twice)
		return "SIZE was given twice";
	if (value.n == 0 || value.n > 20) /* RFC 1870 3: 1*20DIGIT */
		return "SIZE= is followed by a number of bytes";
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_digit(value.p[i]))
			return "SIZE= is followed by a number of bytes";
	if (!num_u64(value, 0, UINT64_MAX, &a->size))
		a->size = UINT64_MAX; /* 20 digits may be more than 64 bits: too large in any case */
	return NULL;
}

static const char *take_body(struct mail_args *a, struct sv value)
{
	if (a->has_body)
		return "BODY was given twice";
	a->has_body = true;
	a->eight_bit = sv_ieqs(value, "8BITMIME");
	return a->eight_bit || sv_ieqs(value, "7BIT") ? NULL : "BODY= is 7BIT or 8BITMIME";
}

static const char *take_smtputf8(struct mail_args *a, struct sv value)
{
	if (value.p)
		return "SMTPUTF8 takes no value";
	if (a->smtputf8)
		return "SMTPUTF8 was given twice";
	a->smtputf8 = true;
	return NULL;
}

static const struct {
	const char *keyword;
	const char *(*take)(struct mail_args *, struct sv value);
} mail_params[] = { { "SIZE", take_size }, { "BODY", take_body }, { "SMTPUTF8", take_smtputf8 } };

static bool take_params(struct session *s, struct sv rest, struct mail_args *a, struct buf *reply)
{
	struct sv key, value;
	bool bad;
	while (smtp_param(&rest, &key, &value, &bad)) {
		size_t i = 0;
		while (i < COUNT(mail_params) && !sv_ieqs(key, mail_params[i].keyword))
			i++;
		if (bad || i == COUNT(mail_params)) {
			session_complain(s, reply, bad ? 501 : 555, "5.5.4",
				bad ? "Parameters are written KEYWORD or KEYWORD=value"
				    : "MAIL knows the parameters SIZE, BODY and SMTPUTF8");
			return false;
		}
		const char *wrong = mail_params[i].take(a, value);
		if (wrong) {
			session_complain(s, reply, 501, "5.5.4", "%s", wrong);
			return false;
		}
	}
	return true;
}

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

static bool check_size(const struct session *s, const struct mail_args *a, struct refusal *r)
{
	uint64_t max = s->cfg->global.message_max_size;
	if (a->size <= max || s->client.kind == CLIENT_BOUNCE)
		return true;
	refusal_set(r, 552, "5.3.4", "The message is too large: at most %llu bytes are taken", (unsigned long long)max);
	return false;
}

enum phase cmd_mail(struct session *s, struct sv arg, struct buf *reply)
{
	struct maddr from;
	struct mail_args a = { 0 };
	struct refusal r = { 0 };
	unsigned flags = MADDR_NULL_OK | MADDR_NO_DOMAIN_OK | (announces_utf8(arg) ? MADDR_UTF8_OK : 0);
	if (!session_path(s, "FROM", &arg, &from, flags, reply) || !take_params(s, arg, &a, reply))
		return s->phase;
	if (!check_sender(s, &from, &r) || !check_size(s, &a, &r)) {
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
	s->txn.options.smtputf8 = a.smtputf8;
	s->txn.options.body = a.eight_bit ? SPOOL_BODY_8BITMIME : SPOOL_BODY_7BIT;
	s->ops->lend(s->env, s->client.kind == CLIENT_BOUNCE);
	smtp_reply(reply, 250, "2.1.0", "Ok");
	return PH_MAIL;
}
