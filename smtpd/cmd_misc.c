/* RSET, NOOP, VRFY, EXPN, HELP, QUIT, and the table of all commands. */
#include "params.h"

#define EXPN_MAX 100 /* addresses listed */

enum phase cmd_rset(struct session *s, struct sv arg, struct buf *reply)
{
	(void)arg;
	session_reset(s);
	smtp_reply(reply, 250, "2.0.0", "Ok");
	return s->phase == PH_START ? PH_START : PH_HELLO;
}

enum phase cmd_noop(struct session *s, struct sv arg, struct buf *reply)
{
	(void)arg; /* RFC 5321 4.1.1.9: ignored */
	smtp_reply(reply, 250, "2.0.0", "Ok");
	return s->phase;
}

/* RFC 5321 3.5.3 and 7.3: 252 tells nobody who has a mailbox here. */
enum phase cmd_vrfy(struct session *s, struct sv arg, struct buf *reply)
{
	if (arg.n == 0)
		return session_complain(s, reply, 501, "5.5.4", "VRFY needs an address");
	smtp_reply(reply, 252, "2.5.2", "Addresses are not verified here; send the message, and each RCPT is answered");
	return s->phase;
}

static void put_finals(const struct vec *finals, struct buf *reply)
{
	struct buf text = BUF_INIT(EXPN_MAX * (ADDRESS_MAX + 4) + 100);
	for (size_t i = 0; i < MIN(finals->len, EXPN_MAX); i++)
		buf_putf(&text, "%s<%s>", i ? "\n" : "", VEC_AT(finals, struct resolve_rcpt, i)->address);
	if (finals->len > EXPN_MAX)
		buf_putf(&text, "\nand %zu more", finals->len - EXPN_MAX);
	smtp_reply(reply, 250, "2.1.5", buf_str(&text));
	buf_free(&text);
}

/* RFC 6531 3.7.4.2: SMTPUTF8 behind the address says that such addresses may come back. */
static bool cut_utf8(struct sv *arg)
{
	size_t at = (size_t)(sv_rchr(*arg, ' ') + 1);
	if (at == 0 || !sv_ieqs(sv_skip(*arg, at), "SMTPUTF8"))
		return false;
	*arg = sv_trim(sv_sub(*arg, 0, at));
	return true;
}

static bool all_ascii(const struct vec *finals)
{
	for (size_t i = 0; i < finals->len; i++)
		if (!sv_is_ascii(sv_of(VEC_AT(finals, struct resolve_rcpt, i)->address)))
			return false;
	return true;
}

static void expand(struct session *s, const char *text, bool utf8, struct buf *reply)
{
	struct err e = { 0 };
	struct vec finals = VEC_INIT(struct resolve_rcpt, s->cfg->smtpd.alias_expansion_max);
	const struct resolve_rcpt *first = NULL;
	if (s->ops->resolve(s->env, text, true, &finals, &e) && finals.len > 0)
		first = VEC_AT(&finals, struct resolve_rcpt, 0);
	if (!first || first->status == RESOLVE_TEMP)
		smtp_replyf(reply, 451, "4.3.0", "<%s>: it cannot be looked up now", text);
	else if (first->status != RESOLVE_OK)
		session_complain(s, reply, 550, "5.1.1", "<%s>: %s", text, *first->text ? first->text : "no such user here");
	else if (!utf8 && !all_ascii(&finals))
		smtp_replyf(reply, 553, "5.6.7", "<%s>: the answer holds UTF-8; say EXPN address SMTPUTF8", text);
	else
		put_finals(&finals, reply);
	vec_free(&finals);
}

/* To what does this address lead? For programs of this machine and authenticated users: strangers would read our lists with it. */
enum phase cmd_expn(struct session *s, struct sv arg, struct buf *reply)
{
	struct maddr list;
	char text[MADDR_TEXT_MAX + 1];
	struct err e = { 0 };
	if (!session_is_ours(s) && !*s->account)
		return session_complain(s, reply, 502, "5.7.0", "EXPN is for those who have authenticated");
	bool utf8 = cut_utf8(&arg), path = arg.n > 0 && arg.p[0] == '<';
	if (path ? !maddr_parse_path(&arg, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &list, &e)
		 : !maddr_parse(arg, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &list, &e))
		return session_complain(s, reply, 501, "5.1.3", "%s", *e.text ? e.text : "EXPN needs an address");
	expand(s, maddr_text(&list, text), utf8, reply);
	return s->phase;
}

static void put_help(const struct session *s, const struct command *c, struct buf *reply)
{
	struct buf text = BUF_INIT(1000);
	buf_puts(&text, c->help);
	if (c->params) {
		buf_puts(&text, "\nParameters here:");
		c->params(s, &text);
	}
	smtp_reply(reply, 214, "2.0.0", buf_str(&text));
	buf_free(&text);
}

static enum phase help_on(struct session *s, struct sv topic, struct buf *reply)
{
	for (const struct command *c = session_commands; c->verb; c++)
		if (sv_ieqs(topic, c->verb)) {
			put_help(s, c, reply);
			return s->phase;
		}
	return session_complain(s, reply, 504, "5.5.4", "There is no such command");
}

enum phase cmd_help(struct session *s, struct sv arg, struct buf *reply)
{
	struct buf text = BUF_INIT(2000);
	if (arg.n > 0)
		return help_on(s, arg, reply);
	buf_puts(&text, "This is Postern, an SMTP server. Commands:");
	for (const struct command *c = session_commands; c->verb; c++)
		buf_putf(&text, "\n%s", c->help);
	buf_putf(&text, "\nTrouble? Write to postmaster@%s", s->cfg->global.origin);
	smtp_reply(reply, 214, "2.0.0", buf_str(&text));
	buf_free(&text);
	return s->phase;
}

enum phase cmd_quit(struct session *s, struct sv arg, struct buf *reply)
{
	(void)arg;
	smtp_replyf(reply, 221, "2.0.0", "%s Bye", s->cfg->global.hostname);
	return PH_QUIT;
}

#define PH_MESSAGE (PH_MAIL | PH_RCPT)
const struct command session_commands[] = {
	{ "EHLO", PH_ANY, "", "EHLO your.host.name: greets, and shows what this server can do", IN_SMTP, false, cmd_ehlo,
		.idle = true },
	{ "HELO", PH_ANY, "", "HELO your.host.name: greets, the old way", IN_SMTP, false, cmd_helo, .idle = true },
	{ "LHLO", PH_ANY, "", "LHLO your.host.name: greets, and shows what this server can do", IN_LMTP, false, cmd_lhlo,
		.idle = true },
	{ "STARTTLS", PH_START | PH_HELLO, "A message is in progress: finish it, or say RSET",
		"STARTTLS: what follows is encrypted", IN_BOTH, true, cmd_starttls },
	{ "AUTH", PH_HELLO, "A message is in progress: finish it, or say RSET", "AUTH mechanism [response]: says who you are",
		IN_SMTP, false, cmd_auth },
	{ "MAIL", PH_HELLO, "A message is in progress: finish it, or say RSET",
		"MAIL FROM:<address> [parameters]: begins a message", IN_BOTH, false, cmd_mail, mail_params_help },
	{ "RCPT", PH_MESSAGE, "Say MAIL first", "RCPT TO:<address> [parameters]: one for each recipient", IN_BOTH, false, cmd_rcpt,
		rcpt_params_help },
	{ "DATA", PH_MESSAGE, "Say MAIL and RCPT first", "DATA: the message follows, ended by a line with only a dot", IN_BOTH,
		true, cmd_data },
	{ "BDAT", PH_ANY, "", "BDAT size [LAST]: so many bytes of the message follow", IN_BOTH, false, cmd_bdat },
	{ "RSET", PH_ANY, "", "RSET: forgets the message in progress", IN_BOTH, true, cmd_rset, .idle = true },
	{ "NOOP", PH_ANY, "", "NOOP: does nothing", IN_BOTH, false, cmd_noop, .idle = true },
	{ "VRFY", PH_ANY, "", "VRFY address: is not answered here", IN_BOTH, false, cmd_vrfy, .idle = true },
	{ "EXPN", PH_ANY, "", "EXPN address [SMTPUTF8]: what an alias leads to, for those who have authenticated", IN_BOTH, false,
		cmd_expn, .idle = true },
	{ "HELP", PH_ANY, "", "HELP [command]: this text", IN_BOTH, false, cmd_help, .idle = true },
	{ "XCLIENT", PH_START | PH_HELLO, "A message is in progress: finish it, or say RSET",
		"XCLIENT ADDR=...: who the real client is, from listed proxies", IN_BOTH, false, cmd_xclient },
	{ "QUIT", PH_ANY, "", "QUIT: ends the connection", IN_BOTH, true, cmd_quit },
	{ NULL },
};
