/* EHLO and HELO (RFC 5321 4.1.1.1), LHLO (RFC 2033 4.1). */
#include "auth.h"
#include "extensions.h"
#include "rules.h"

#define EHLO_MAX 4000

/* The name is checked for form only, and liberally: what a client calls itself proves nothing (RFC 5321 4.1.4), but it goes into
 * our Received line and log. Of printable ASCII only what has a meaning in a header is refused. */
static bool is_name(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("()<>@,;\\\"", s.p[i]))
			return false;
	return s.n > 0;
}

static bool take_name(struct session *s, const char *verb, struct sv arg, struct buf *reply)
{
	if (arg.n == 0)
		session_complain(s, reply, 501, "5.5.4", "%s needs the name of your host: %s mail.example.org", verb, verb);
	else if (arg.n >= sizeof s->helo)
		session_complain(s, reply, 501, "5.5.2", "A host name has at most 255 bytes");
	else if (!is_name(arg) || !sv_copy(arg, s->helo, sizeof s->helo))
		session_complain(s, reply, 501, "5.5.2", "That is no host name and no address literal like [192.0.2.1]");
	else
		return true;
	return false;
}

/* A client that is refused by its name has said none: it may try another, which the log shows. */
static bool may_enter(struct session *s, struct buf *reply)
{
	struct refusal r = { 0 };
	session_reset(s);
	if (rules_pass(s, RULES_HELO, NULL, &r))
		return true;
	session_refuse(s, reply, "HELO", "", &r);
	s->helo[0] = '\0';
	if (s->phase != PH_QUIT)
		s->phase = PH_START;
	return false;
}

/* RFC 5321 4.1.4: a second EHLO is as good as RSET. RFC 2034 4: no enhanced codes here. */
static enum phase greet_extended(struct session *s, const char *verb, struct sv arg, struct buf *reply)
{
	if (!take_name(s, verb, arg, reply) || !may_enter(s, reply))
		return s->phase;
	s->esmtp = true;
	auth_look(s);
	struct buf text = BUF_INIT(EHLO_MAX);
	buf_putf(&text, "%s greets %s", s->cfg->global.hostname, s->helo);
	extensions_put(s, &text);
	smtp_reply(reply, 250, "", buf_str(&text));
	buf_free(&text);
	return PH_HELLO;
}

enum phase cmd_ehlo(struct session *s, struct sv arg, struct buf *reply) { return greet_extended(s, "EHLO", arg, reply); }
enum phase cmd_lhlo(struct session *s, struct sv arg, struct buf *reply) { return greet_extended(s, "LHLO", arg, reply); }

enum phase cmd_helo(struct session *s, struct sv arg, struct buf *reply)
{
	if (!take_name(s, "HELO", arg, reply) || !may_enter(s, reply))
		return s->phase;
	s->esmtp = false;
	smtp_replyf(reply, 250, "", "%s greets %s", s->cfg->global.hostname, s->helo);
	return PH_HELLO;
}
