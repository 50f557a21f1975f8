/* XCLIENT: a listed filter or proxy says who its own client is (the form is Postfix's, which nginx and others speak). From here on
 * the session is that client's, trust and rules included; it begins anew with a greeting. */
#include "auth.h"
#include "session.h"

#include "base/num.h"
#include "mail/xtext.h"

struct xclient {
	bool has_addr, has_helo, has_login, smtp;
	struct addr addr;
	char helo[256], login[129];
};

/* Each returns whether the value is of the right form. Values that are not known are "[UNAVAILABLE]" or "[TEMPUNAVAIL]". */
static bool is_unknown(struct sv value) { return sv_ieqs(value, "[UNAVAILABLE]") || sv_ieqs(value, "[TEMPUNAVAIL]"); }

static bool parse_ip(struct sv value, struct addr *ret)
{
	return addr_parse_ip(sv_istarts(value, SV("IPV6:")) ? sv_skip(value, 5) : value, ret);
}

static bool take_addr(struct sv value, struct xclient *x)
{
	x->has_addr = true;
	return parse_ip(value, &x->addr);
}

static bool take_destaddr(struct sv value, struct xclient *x)
{
	struct addr a;
	(void)x;
	return is_unknown(value) || parse_ip(value, &a);
}

static bool take_port(struct sv value, struct xclient *x)
{
	uint64_t port;
	(void)x;
	return is_unknown(value) || num_u64(value, 0, UINT16_MAX, &port);
}

/* Names are looked up here, and not believed. */
static bool take_name(struct sv value, struct xclient *x)
{
	(void)x;
	return value.n > 0;
}

static bool take_proto(struct sv value, struct xclient *x)
{
	x->smtp = sv_ieqs(value, "SMTP");
	return x->smtp || sv_ieqs(value, "ESMTP");
}

static bool take_helo(struct sv value, struct xclient *x)
{
	x->has_helo = !is_unknown(value);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f || strchr("()<>@,;\\\"", value.p[i]))
			return false;
	return !x->has_helo || (value.n > 0 && sv_copy(value, x->helo, sizeof x->helo));
}

static bool take_login(struct sv value, struct xclient *x)
{
	x->has_login = true;
	return is_unknown(value) || (value.n > 0 && sv_is_utf8(value) && sv_copy(value, x->login, sizeof x->login));
}

static const struct {
	const char *name;
	bool (*take)(struct sv value, struct xclient *x);
} attributes[] = { { "ADDR", take_addr }, { "NAME", take_name }, { "PORT", take_port }, { "PROTO", take_proto },
	{ "HELO", take_helo }, { "LOGIN", take_login }, { "DESTADDR", take_destaddr }, { "DESTPORT", take_port } };

static bool take_attribute(struct sv word, struct xclient *x)
{
	struct buf value = BUF_INIT(1000);
	struct sv name;
	size_t i = 0;
	bool ok = sv_cut(&word, '=', &name) && word.p && xtext_decode(word, &value);
	while (i < COUNT(attributes) && !sv_ieqs(name, attributes[i].name))
		i++;
	ok = ok && i < COUNT(attributes) && attributes[i].take(buf_sv(&value), x);
	buf_free(&value);
	return ok;
}

/* Returns why the client may not enter; NULL: it may. */
static const char *become(struct session *s, const struct xclient *x)
{
	struct session_client *c = &s->client;
	session_reset(s);
	auth_abort(s);
	if (x->has_addr) {
		c->addr = x->addr;
		c->trusted = cfg_nets_has(&s->cfg->global.trusted_networks, &c->addr);
		addr_text(&c->addr, s->client_text);
	}
	if (x->has_addr || x->has_login) /* another client has not logged in with what the one before had */
		memcpy(s->account, x->login, sizeof s->account);
	memcpy(s->helo, x->helo, sizeof s->helo);
	s->esmtp = x->has_helo && !x->smtp;
	s->errors = s->idle_talk = 0;
	s->proxied = true;
	s->phase = x->has_helo ? PH_HELLO : PH_START;
	return x->has_addr ? s->ops->client_changed(s->env, c) : NULL;
}

enum phase cmd_xclient(struct session *s, struct sv arg, struct buf *reply)
{
	struct xclient x = { 0 };
	struct sv word;
	if (!s->client.may_xclient)
		return session_complain(s, reply, 550, "5.7.0", "XCLIENT is not for you");
	if (arg.n == 0)
		return session_complain(s, reply, 501, "5.5.4", "XCLIENT needs attributes: ADDR=192.0.2.1");
	while (sv_word(&arg, &word))
		if (!take_attribute(word, &x))
			return session_complain(s, reply, 501, "5.5.4", "What is %.*s?", (int)MIN(word.n, 60u), word.p);
	char before[ADDR_TEXT_MAX];
	memcpy(before, s->client_text, sizeof before);
	const char *why = become(s, &x);
	LOG_INFO("xclient", KV_STR("by", before), KV_STR("client", s->client_text), KV_STR("helo", s->helo),
		KV_STR("account", s->account));
	if (why)
		session_close(s, "4.7.0", why, reply);
	else
		session_greet(s, reply);
	return s->phase;
}
