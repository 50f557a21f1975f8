#include "audit.h"

#define SAID_MAX 1000

/* Replies as one line. A 334 holds what the client is to answer with a secret. */
static void put_said(struct sv said, struct buf *out)
{
	struct sv line;
	while (sv_cut(&said, '\n', &line) && line.n > 0) {
		line = sv_trim(line);
		buf_puts(out, out->len > 0 ? "; " : "");
		if (sv_starts(line, SV("334")))
			line = SV("334 ***");
		buf_putsv(out, line);
	}
}

static void put_line(const struct session *s, struct sv command, struct sv said)
{
	struct buf text = BUF_INIT(SAID_MAX);
	put_said(said, &text);
	LOG_INFO("audit", KV_STR("client", s->client_text), KV_SV("command", command), KV_SV("reply", buf_sv(&text)));
	buf_free(&text);
}

static bool is_ours(struct sv verb)
{
	for (const struct command *c = session_commands; c->verb; c++)
		if (sv_ieqs(verb, c->verb))
			return true;
	return false;
}

/* What may be shown of a command. A line that is none may be the password of a client that did not see its AUTH fail. */
static void put_shown(struct sv command, struct buf *out)
{
	struct sv verb, arg, mechanism, rest;
	smtp_split(command, &verb, &arg);
	if (!is_ours(verb)) {
		buf_putf(out, "(unknown, %zu bytes)", command.n);
	} else if (sv_ieqs(verb, "AUTH")) {
		rest = arg;
		bool has = sv_word(&rest, &mechanism);
		buf_puts(out, "AUTH ");
		buf_putsv(out, has && mechanism.n <= 20 ? mechanism : SV("?"));
		buf_puts(out, sv_trim(rest).n > 0 ? " ***" : "");
	} else {
		buf_putsv(out, command);
	}
}

void audit_command(const struct session *s, struct sv command, struct sv said)
{
	struct buf shown = BUF_INIT(command.n + 100);
	if (!s->cfg->smtpd.audit)
		return;
	put_shown(command, &shown);
	put_line(s, buf_sv(&shown), said);
	buf_free(&shown);
}

void audit_event(const struct session *s, const char *what, struct sv said)
{
	if (s->cfg->smtpd.audit)
		put_line(s, sv_of(what), said);
}
