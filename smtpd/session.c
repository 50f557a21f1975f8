/* The state machine: lines, order of commands, errors. What each command does is in cmd_*.c. */
#include "audit.h"
#include "auth.h"
#include "content.h"
#include "rules.h"

#define IDLE_TALK_MAX 100 /* more NOOPs and the like than a client has use for, callers that verify addresses included */
#define KEEP_RCPTS 64     /* memory kept for the next message */
#define KEEP_HEADER (64 * 1024)
#define ADDED_MAX 2000 /* Date, From, Message-ID: an address and a host name are the longest in them */

/* --- life --- */
void session_init(struct session *s, const struct cfg *cfg, const struct session_ops *ops, void *env,
	const struct session_client *client, const char *id)
{
	*s = (struct session){ .cfg = cfg, .ops = ops, .env = env, .client = *client, .phase = PH_START };
	BUG_IF(!sv_copy(sv_of(id), s->id, sizeof s->id));
	addr_text(&client->addr, s->client_text);
	rules_init(s);
	s->txn.rules = (struct vec)VEC_INIT(const struct cfg_rule *, RULES_NOTED_MAX);
	s->txn.rcpts = (struct vec)VEC_INIT(struct spool_rcpt, cfg->smtpd.alias_expansion_max);
	buf_init(&s->txn.added, ADDED_MAX);
	buf_init(&s->txn.header, SPOOL_HEADER_MAX);
	body_init(&s->txn.body);
}

void session_free(struct session *s)
{
	s->phase = PH_QUIT;
	auth_abort(s);
	session_reset(s);
	vec_free(&s->looked);
	vec_free(&s->txn.rcpts);
	vec_free(&s->txn.rules);
	hmap_free(s->txn.seen, NULL);
	buf_free(&s->txn.added);
	buf_free(&s->txn.header);
	body_free(&s->txn.body);
}

/* The state after this is that of a fresh session behind EHLO: nothing of one message may reach the next. */
void session_reset(struct session *s)
{
	struct txn *t = &s->txn;
	if (s->phase == PH_BDAT)
		content_drop(s);
	struct vec rcpts = t->rcpts, rules = t->rules;
	struct buf added = t->added, header = t->header;
	struct body body = t->body;
	for (size_t i = 0; i < rcpts.len; i++)
		free(VEC_AT(&rcpts, struct spool_rcpt, i)->orcpt);
	vec_reset(&rcpts);
	vec_reset(&rules);
	if (header.cap > KEEP_HEADER)
		buf_free(&header);
	buf_reset(&added);
	buf_reset(&header);
	body_start(&body, SMTP_DATA);
	if (t->seen && hmap_len(t->seen) > KEEP_RCPTS) {
		hmap_free(t->seen, NULL);
		t->seen = NULL;
		vec_free(&rcpts);
	} else if (t->seen) {
		hmap_clear(t->seen, NULL);
	}
	*t = (struct txn){ .seen = t->seen, .rcpts = rcpts, .rules = rules, .added = added, .header = header, .body = body };
}

bool session_is_lmtp(const struct session *s)
{
	return s->client.kind == CLIENT_LMTP || (s->client.listener && s->client.listener->protocol == CFG_PROTO_LMTP);
}

bool session_is_daemon(const struct session *s) { return s->client.kind == CLIENT_BOUNCE || s->client.kind == CLIENT_FORWARD; }
bool session_is_ours(const struct session *s) { return s->client.kind == CLIENT_SUBMIT || session_is_daemon(s); }
bool session_may_relay(const struct session *s)
{
	return session_is_ours(s) || *s->account || (s->client.trusted && !session_is_lmtp(s));
}

/* --- replies --- */
void session_greet(struct session *s, struct buf *reply)
{
	const char *banner = s->cfg->smtpd.banner;
	size_t said = reply->len;
	struct refusal r = { 0 };
	if (!rules_pass(s, RULES_CONNECT, NULL, &r)) {
		session_refuse(s, reply, "CONNECT", "", &r);
		audit_event(s, "(greeting)", sv_skip(buf_sv(reply), said));
		s->phase = PH_QUIT;
		s->closed = true;
		return;
	}
	smtp_replyf(reply, 220, "", "%s %s Postern%s%s", s->cfg->global.hostname, session_is_lmtp(s) ? "LMTP" : "ESMTP",
		*banner ? " " : "", banner);
	audit_event(s, "(greeting)", sv_skip(buf_sv(reply), said));
}

void session_close(struct session *s, const char *dsn, const char *why, struct buf *reply)
{
	smtp_replyf(reply, 421, dsn, "%s %s", s->cfg->global.hostname, why);
	s->phase = PH_QUIT;
	s->closed = true;
}

/* Counts an error of the client, slows it down, and in the end turns it out. Those we trust are not punished: a mailing list may
 * hold many addresses that are gone. */
static void count_error(struct session *s, struct buf *reply)
{
	s->errors++;
	if (session_may_relay(s) || session_is_lmtp(s))
		return;
	if (s->errors > s->cfg->smtpd.errors_soft)
		s->delay_ms = s->cfg->smtpd.error_delay * 1000;
	bool flood = !s->ops->allow(s->env, LIMIT_ERRORS, 1, s->account);
	if (s->errors >= s->cfg->smtpd.errors_max || flood) {
		LOG_INFO("too-many-errors", KV_STR("client", s->client_text), KV_STR("helo", s->helo), KV_U64("errors", s->errors));
		session_close(s, "4.7.0", "Too many errors: closing the connection", reply);
	}
}

enum phase session_complain(struct session *s, struct buf *reply, int code, const char *dsn, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	smtp_reply(reply, code, dsn, text);
	LOG_DEBUG("error", KV_STR("client", s->client_text), KV_U64("code", (uint64_t)code), KV_STR("dsn", dsn),
		KV_STR("text", text));
	count_error(s, reply);
	return s->phase;
}

void refusal_set(struct refusal *r, int code, const char *dsn, const char *fmt, ...)
{
	va_list ap;
	r->code = code;
	BUG_IF(!sv_copy(sv_of(dsn), r->dsn, sizeof r->dsn));
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof r->text, fmt, ap);
	va_end(ap);
}

enum phase session_refuse(struct session *s, struct buf *reply, const char *stage, const char *to, const struct refusal *r)
{
	int code = r->code;
	char dsn[sizeof r->dsn], from[MADDR_TEXT_MAX + 1], said[32];
	memcpy(dsn, r->dsn, sizeof dsn);
	if (code >= 500 && s->cfg->global.soft_bounce) {
		code = 450;
		dsn[0] = dsn[0] ? '4' : '\0';
	}
	snprintf(said, sizeof said, "%d%s%s", code, *dsn ? " " : "", dsn);
	LOG_INFO("rejected", KV_STR("at", stage), KV_STR("reply", said), KV_STR("reason", r->text),
		KV_STR("from", *s->txn.sender.local ? maddr_text(&s->txn.sender, from) : ""), KV_STR("to", to),
		KV_STR("client", s->client_text), KV_STR("helo", s->helo), KV_STR("rule", r->rule));
	smtp_reply(reply, code, dsn, r->text);
	s->refused++;
	if (r->code >= 500) /* what is our own trouble is not the client's error */
		count_error(s, reply);
	return s->phase;
}

void session_repeat(const struct session *s, struct buf *reply, size_t from)
{
	size_t n = reply->len - from;
	for (unsigned i = 1; session_is_lmtp(s) && i < s->txn.taken; i++) {
		char *to = buf_room(reply, n);
		if (!to)
			return;
		memcpy(to, reply->data + from, n);
		buf_grew(reply, n);
	}
}

/* --- command lines --- */
static bool is_web_verb(struct sv verb)
{
	static const char *const verbs[] = { "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT" };
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (sv_ieqs(verb, verbs[i]))
			return true;
	return false;
}

static void run_unknown(struct session *s, struct sv verb, struct buf *reply)
{
	if (is_web_verb(verb)) /* a browser that was made to talk to us: what follows are headers that others chose */
		session_close(s, "4.7.0", "This is a mail server, not a web server", reply);
	else if (sv_ieqs(verb, "PROXY")) /* from somebody who is not listed: what follows is another's */
		session_close(s, "4.7.0", "The PROXY protocol is not for you", reply);
	else
		session_complain(s, reply, 500, "5.5.2", "Unknown command; HELP lists those that there are");
}

/* RFC 2033 4.1: HELO and EHLO are unknown in LMTP, as LHLO is in SMTP. */
static const struct command *find_command(const struct session *s, struct sv verb)
{
	for (const struct command *c = session_commands; c->verb; c++)
		if (sv_ieqs(verb, c->verb) && (c->in == IN_BOTH || (c->in == IN_LMTP) == session_is_lmtp(s)))
			return c;
	return NULL;
}

static void run_line(struct session *s, struct sv line, struct buf *reply)
{
	struct sv verb, arg;
	smtp_split(line, &verb, &arg);
	s->commands++;
	const struct command *c = find_command(s, verb);
	if (!c)
		run_unknown(s, verb, reply);
	else if (!(c->allowed & s->phase))
		session_complain(s, reply, 503, "5.5.1", "%s",
			s->phase == PH_START  ? session_is_lmtp(s) ? "Say LHLO first" : "Say EHLO first"
			: s->phase == PH_BDAT ? "Finish the message with BDAT, or say RSET"
					      : c->wrong);
	else if (c->no_arg && arg.n > 0) /* RFC 5321 4.1.1: RSET, DATA, QUIT */
		session_complain(s, reply, 501, "5.5.4", "%s takes no argument", c->verb);
	else
		s->phase = c->run(s, arg, reply);
	if (c && c->idle && ++s->idle_talk > IDLE_TALK_MAX && s->phase != PH_QUIT)
		count_error(s, reply);
	/* A proxy may pass on whatever its client says from here: that must not become somebody else. */
	if (s->proxied && c && c->run != cmd_xclient)
		s->client.may_xclient = false;
}

/* RFC 4954 4: what AUTH says may be longer than a command. */
static uint64_t line_max(const struct session *s, struct sv line)
{
	uint64_t max = s->cfg->smtpd.line_max;
	bool auth = s->phase == PH_AUTH || (auth_works(s) && sv_istarts(line, SV("AUTH ")));
	return auth ? MAX(max, AUTH_LINE_MAX) : max;
}

/* A line as it came, with its LF. Only CRLF ends a line (RFC 5321 2.3.8); one that ends otherwise is never run as a command. */
static void take_line(struct session *s, struct sv line, struct buf *reply)
{
	struct sv text = sv_sub(line, 0, line.n - 1);
	bool crlf = sv_ends(text, SV("\r")), asked = s->phase & PH_ANY, run = false;
	size_t said = reply->len;
	text.n -= crlf;
	bool answers = s->phase == PH_AUTH;
	uint64_t max = line_max(s, line);
	if (answers && (s->skipping || line.n > max || !crlf || sv_chr(text, '\0') >= 0 || sv_chr(text, '\r') >= 0))
		auth_abort(s); /* the dialogue is over, the answer comes below */
	if (s->skipping || line.n > max)
		session_complain(s, reply, 500, answers ? "5.5.6" : "5.5.2", "Line too long: at most %llu bytes are taken",
			(unsigned long long)max);
	else if (!crlf)
		session_complain(s, reply, 500, "5.5.2", "Lines must end with CRLF, not with LF alone");
	else if (sv_chr(text, '\0') >= 0 || sv_chr(text, '\r') >= 0)
		session_complain(s, reply, 500, "5.5.2", "A command must not hold NUL or CR");
	else
		run = true;
	if (run && answers)
		auth_response(s, text, reply);
	else if (run)
		run_line(s, text, reply);
	s->skipping = false;
	if (run && asked)
		audit_command(s, text, sv_skip(buf_sv(reply), said));
	else /* what is no command may be a secret that was asked for */
		audit_event(s, run ? "(response)" : "(malformed line)", sv_skip(buf_sv(reply), said));
}

static size_t feed_content(struct session *s, struct sv in, struct buf *reply)
{
	size_t said = reply->len;
	size_t used = s->phase == PH_DATA ? data_feed(s, in, reply) : chunk_feed(s, in, reply);
	if (reply->len > said)
		audit_event(s, "(content)", sv_skip(buf_sv(reply), said));
	return used;
}

size_t session_feed(struct session *s, struct sv in, struct buf *reply)
{
	s->delay_ms = 0;
	if (in.n == 0 || s->phase == PH_QUIT || s->start_tls)
		return 0;
	if (s->phase & (PH_DATA | PH_CHUNK))
		return feed_content(s, in, reply);
	ptrdiff_t lf = sv_chr(in, '\n');
	if (lf >= 0) {
		take_line(s, sv_sub(in, 0, (size_t)lf + 1), reply);
		return (size_t)lf + 1;
	}
	if (in.n < line_max(s, in) && !s->skipping)
		return 0;
	s->skipping = true; /* in bounded memory: the rest of the line is dropped as it comes */
	return in.n;
}

/* RFC 5321 4.5.3.1.4: path of MAIL and RCPT. Blanks behind the colon are common and do no harm. */
bool session_path(struct session *s, const char *keyword, struct sv *arg, struct maddr *ret, unsigned flags, struct buf *reply)
{
	struct err e = { 0 };
	struct sv rest = *arg;
	bool mail = sv_eqs(SV("FROM"), keyword);
	size_t len = strlen(keyword);
	if (!sv_ieqs(sv_sub(rest, 0, len), keyword) || rest.n <= len || rest.p[len] != ':') {
		session_complain(s, reply, 501, "5.5.4", mail ? "Write MAIL FROM:<address>" : "Write RCPT TO:<address>");
		return false;
	}
	rest = sv_trim(sv_skip(rest, len + 1));
	if (!maddr_parse_path(&rest, flags, ret, &e)) {
		bool utf8 = strcmp(e.dsn, "5.6.7") == 0; /* RFC 6531 3.5 */
		session_complain(s, reply, utf8 ? 553 : 501, utf8 ? "5.6.7" : mail ? "5.1.7" : "5.1.3", "%s", e.text);
		return false;
	}
	if (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '\t') {
		session_complain(s, reply, 501, "5.5.4", "Put a blank between the address and what follows it");
		return false;
	}
	*arg = sv_trim(rest);
	return true;
}
