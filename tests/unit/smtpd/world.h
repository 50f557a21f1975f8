/* world - what an SMTP session sees in tests: recipients from a table, a queue file in memory, a content check that says what it is
 * told. */
#ifndef UNIT_SMTPD_WORLD_H
#define UNIT_SMTPD_WORLD_H

#include "session.h"

#include "net/sock.h"

#define WORLD_NOW 1795000000
#define WORLD_ID "1lg2v0000010abcd"

struct world {
	struct cfg cfg;
	struct session s;
	struct buf pending, replies;
	/* what goes wrong */
	bool full, no_queue, no_stream, no_commit, disk_full, no_check;
	enum limit_kind too_often; /* LIMIT_KINDS: nothing is */
	bool no_authd, no_verifiers;
	enum auth_budget budget;
	struct spam_res verdict;
	const char *client_name; /* by reverse DNS; NULL: none */
	bool no_dns;
	/* what was done */
	struct buf file; /* the lent file as written */
	bool in_hand;    /* lent and not used up */
	bool another;    /* and nothing is in it yet: `file` is still the one before */
	unsigned lends, commits, abandons, checks, looks;
	struct spam_req asked;
	struct buf checked; /* the message as the content check saw it */
	struct queue_note note;
	struct addr client_now; /* by XCLIENT */
	const char *keep_out;   /* why it may not enter; NULL: it may */
	unsigned handshakes;
	struct cfg_listener listener; /* world_offer_tls() */
	struct auth_start auth_start;
	bool dialogue; /* authd waits for a response */
	unsigned logins, cancels, spent_messages, spent_recipients;
};

/* --- recipients --- */
static const struct world_rcpt {
	const char *asked;
	uint64_t status, class, aliased, relayed;
	const char *final, *dsn, *text;
} world_rcpts[] = {
	{ "user@here.example", RESOLVE_OK, CLASS_LOCAL, 0, 0, "user@here.example", "", "" },
	{ "user", RESOLVE_OK, CLASS_LOCAL, 1, 0, "user@here.example", "", "" },
	{ "User@here.example", RESOLVE_OK, CLASS_LOCAL, 0, 0, "User@here.example", "", "" },
	{ "other@here.example", RESOLVE_OK, CLASS_LOCAL, 0, 0, "other@here.example", "", "" },
	{ "list@here.example", RESOLVE_OK, CLASS_LOCAL, 1, 0, "user@here.example", "", "" },
	{ "list@here.example", RESOLVE_OK, CLASS_LOCAL, 1, 0, "other@here.example", "", "" },
	{ "list@here.example", RESOLVE_OK, CLASS_REMOTE, 1, 0, "far@there.example", "", "" },
	{ "forward@here.example", RESOLVE_OK, CLASS_REMOTE, 1, 0, "far@there.example", "", "" },
	{ "postmaster", RESOLVE_OK, CLASS_LOCAL, 1, 0, "user@here.example", "", "" },
	{ "Postmaster", RESOLVE_OK, CLASS_LOCAL, 1, 0, "user@here.example", "", "" },
	{ "far@there.example", RESOLVE_OK, CLASS_REMOTE, 0, 0, "far@there.example", "", "" },
	{ "lie@there.example", RESOLVE_OK, CLASS_REMOTE, 1, 0, "lie2@there.example", "", "" },
	{ "far@relay.example", RESOLVE_OK, CLASS_REMOTE, 0, 1, "far@relay.example", "", "" },
	{ "later@here.example", RESOLVE_TEMP, 0, 0, 0, "", "4.4.3", "the table is away" },
	{ "loop@here.example", RESOLVE_BAD, 0, 0, 0, "", "5.4.6", "alias loop" },
	{ "odd@here.example", RESOLVE_OK, CLASS_LOCAL, 1, 0, "no address", "", "" },
	{ "j\xc3\xbcrgen@here.example", RESOLVE_OK, CLASS_LOCAL, 0, 0, "j\xc3\xbcrgen@here.example", "", "" },
};

static bool world_push(struct vec *finals, const struct world_rcpt *w)
{
	struct resolve_rcpt *r = vec_push(finals);
	if (!r)
		return false;
	*r = (struct resolve_rcpt){ .status = w->status, .class = w->class, .aliased = w->aliased, .relayed = w->relayed };
	snprintf(r->address, sizeof r->address, "%s", w->final);
	snprintf(r->dsn, sizeof r->dsn, "%s", w->dsn);
	snprintf(r->text, sizeof r->text, "%s", w->text);
	return true;
}

/* list1000@ has a thousand members. */
static bool world_resolve(void *env, const char *address, bool local_client, struct vec *finals, struct err *e)
{
	static const struct world_rcpt unknown = { "", RESOLVE_UNKNOWN, 0, 0, 0, "", "", "" };
	(void)env;
	(void)local_client;
	if (strcmp(address, "dead@here.example") == 0)
		return err_set(e, ERR_TEMP, "resolve is away");
	for (unsigned i = 0; i < 1000 && strcmp(address, "list1000@here.example") == 0; i++) {
		char member[40];
		snprintf(member, sizeof member, "m%u@here.example", i);
		if (!world_push(finals, &(struct world_rcpt){ "", RESOLVE_OK, CLASS_LOCAL, 1, 0, member, "", "" }))
			return err_set(e, ERR_LIMIT, "too many");
	}
	for (size_t i = 0; i < COUNT(world_rcpts); i++)
		if (strcmp(world_rcpts[i].asked, address) == 0 && !world_push(finals, &world_rcpts[i]))
			return err_set(e, ERR_LIMIT, "too many");
	return finals->len > 0 || world_push(finals, &unknown);
}

/* --- the queue --- */
static void world_lend(void *env, bool reserve)
{
	struct world *w = env;
	(void)reserve;
	w->lends++;
}

static bool world_lent(void *env, bool reserve, struct spool_id *ret, struct err *e)
{
	struct world *w = env;
	(void)reserve;
	if (w->full)
		return err_set(e, ERR_LIMIT, "The queue is full");
	if (w->no_queue)
		return err_set(e, ERR_TEMP, "queue-mgr is away");
	w->another = w->another || !w->in_hand;
	w->in_hand = true;
	return spool_id_parse(SV(WORLD_ID), ret);
}

static bool world_failed(const struct world *w, struct err *e)
{
	err_set(e, ERR_TEMP, "disk trouble");
	e->sys = w->disk_full ? 28 /* ENOSPC */ : 5;
	return false;
}

static void world_write(struct world *w, struct sv piece, uint64_t at)
{
	if (w->another) /* what was in the file before this one has been looked at */
		buf_reset(&w->file);
	w->another = false;
	if (w->file.len < at)
		buf_fill(&w->file, '\0', at - w->file.len);
	size_t over = MIN(piece.n, w->file.len - (size_t)at);
	if (over > 0)
		memcpy(w->file.data + at, piece.p, over);
	buf_putsv(&w->file, sv_skip(piece, over));
}

static bool world_stream(void *env, struct sv piece, uint64_t at, struct err *e)
{
	struct world *w = env;
	BUG_IF(!w->in_hand);
	if (w->no_stream)
		return world_failed(w, e);
	world_write(w, piece, at);
	return true;
}

static bool world_commit(void *env, struct sv header, struct sv body, const struct queue_note *note, struct err *e)
{
	struct world *w = env;
	BUG_IF(!w->in_hand);
	w->in_hand = false;
	if (w->no_commit)
		return world_failed(w, e);
	if (body.n > 0) /* as one write of both; a streamed message is there already */
		buf_reset(&w->file);
	world_write(w, header, 0);
	world_write(w, body, header.n);
	w->note = *note;
	w->commits++;
	return true;
}

static void world_abandon(void *env)
{
	struct world *w = env;
	BUG_IF(!w->in_hand);
	w->in_hand = false;
	w->abandons++;
	buf_reset(&w->file);
}

static bool world_check(void *env, struct spam_req *req, struct sv body, struct spam_res *ret, struct err *e)
{
	struct world *w = env;
	w->checks++;
	w->asked = *req;
	buf_reset(&w->checked);
	buf_putsv(&w->checked, req->streamed ? sv_sub(buf_sv(&w->file), req->offset, req->size) : body);
	if (w->no_check)
		return err_set(e, ERR_TEMP, "spamcheck is away");
	*ret = w->verdict;
	return true;
}

static bool world_allow(void *env, enum limit_kind what, uint64_t n, const char *account)
{
	const struct world *w = env;
	(void)n, (void)account;
	return what != w->too_often;
}

/* inline: tables hold what they say; files do not exist. */
static enum map_result world_table(void *env, const char *spec, struct sv key, struct buf *ret_value, struct err *e)
{
	struct world *w = env;
	struct map *m = map_open(spec, MAP_PLAIN, e);
	w->looks++;
	buf_reset(ret_value);
	enum map_result r = m ? map_get(m, key, 1, ret_value, e) : MAP_FAILED;
	map_close(m);
	return r;
}

/* authd: PLAIN succeeds for the initial response or response "Z29vZA==" (as "al"), anything else is denied; SLOW asks twice. */
static bool world_auth(void *env, const struct auth_start *start, struct sv response, struct auth_answer *ret, struct err *e)
{
	struct world *w = env;
	if (w->no_authd)
		return err_set(e, ERR_TEMP, "authd is away");
	if (start)
		w->auth_start = *start;
	struct sv said = start ? sv_of(start->initial) : response;
	*ret = (struct auth_answer){ .status = AUTH_DENIED };
	if (start && !start->has_initial)
		ret->status = AUTH_CHALLENGE;
	else if (sv_eqs(said, "Z29vZA=="))
		*ret = (struct auth_answer){ .status = AUTH_OK, .account = "al" };
	else if (sv_eqs(said, "bW9yZQ=="))
		*ret = (struct auth_answer){ .status = AUTH_CHALLENGE, .text = "YXNr" };
	else if (said.n % 4 != 0)
		*ret = (struct auth_answer){ .status = AUTH_MALFORMED, .text = "That is not base64" };
	w->dialogue = ret->status == AUTH_CHALLENGE;
	w->logins += ret->status == AUTH_OK;
	return true;
}

static bool world_auth_offer(void *env, const struct auth_offer *q, struct auth_offered *ret, struct err *e)
{
	struct world *w = env;
	(void)q;
	ret->scram = !w->no_verifiers;
	return !w->no_authd || err_set(e, ERR_TEMP, "authd is away");
}

static void world_auth_cancel(void *env)
{
	struct world *w = env;
	BUG_IF(!w->dialogue);
	w->dialogue = false;
	w->cancels++;
}

static bool world_spend(void *env, const struct auth_spend *q, struct auth_spent *ret, struct err *e)
{
	struct world *w = env;
	if (w->no_authd)
		return err_set(e, ERR_TEMP, "authd is away");
	w->spent_messages += (unsigned)q->messages;
	w->spent_recipients += (unsigned)q->recipients;
	*ret = (struct auth_spent){ .budget = w->budget, .text = "used up" };
	return true;
}

static uint64_t world_now(void *env)
{
	(void)env;
	return WORLD_NOW;
}

static const char *world_client_name(void *env)
{
	const struct world *w = env;
	return w->no_dns ? NULL : w->client_name ? w->client_name : "";
}

static const char *world_client_changed(void *env, const struct session_client *c)
{
	struct world *w = env;
	w->client_now = c->addr;
	return w->keep_out;
}

static const struct session_ops world_ops = { world_resolve, world_lend, world_lent, world_stream, world_commit, world_abandon,
	world_check, world_allow, world_table, world_auth_offer, world_auth, world_auth_cancel, world_spend, world_now,
	world_client_name, world_client_changed };

/* --- life --- */
static int world_nowhere(void *arg)
{
	static int ends[2] = { -1, -1 };
	(void)arg;
	return ends[0] >= 0 || sock_pair(SOCK_SEQPACKET, ends, NULL) ? dup(ends[0]) : -1;
}

/* Log lines of the troubles that a test makes are of no interest. */
static UNUSED void world_quiet(void) { log_open("test", LOG_LEVEL_ERROR, world_nowhere, NULL); }

static UNUSED void world_configure(struct cfg *c)
{
	*c = (struct cfg){ .generation = 7 };
	c->global.hostname = "mx.here.example";
	c->global.origin = "here.example";
	c->global.message_max_size = 3 * 1024 * 1024;
	c->smtpd.line_max = 512;
	c->smtpd.recipients_max = 100;
	c->smtpd.alias_expansion_max = 500;
	c->smtpd.received_max = 10;
	c->smtpd.errors_soft = 1000;
	c->smtpd.errors_max = 2000;
	c->smtpd.banner = "";
	static const char *mechanisms[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL" };
	c->auth.auth_mechanisms = (struct cfg_list){ mechanisms, COUNT(mechanisms) };
	c->auth.sender_ownership = CFG_OWNERSHIP_OFF; /* its tests turn it on */
	c->auth.sender_logins = "";
	c->global.recipient_delimiter = "+";
	c->spam.spam_action = CFG_SPAM_REJECT;
}

static UNUSED void world_open(struct world *w, enum client_kind kind)
{
	struct session_client client = {
		.kind = kind, .addr = { .family = AF_INET, .ip = { 192, 0, 2, 1 } }, .uid = 1000, .user = "alice"
	};
	if (kind != CLIENT_NET)
		client.addr = (struct addr){ .family = AF_UNIX };
	world_quiet();
	*w = (struct world){
		.pending = BUF_INIT(1 << 23), .replies = BUF_INIT(1 << 23), .file = BUF_INIT(1 << 24), .checked = BUF_INIT(1 << 23)
	};
	w->verdict = (struct spam_res){ .verdict = SPAM_ACCEPT, .score = SPAM_SCORE_ZERO };
	w->too_often = LIMIT_KINDS;
	world_configure(&w->cfg);
	session_init(&w->s, &w->cfg, &world_ops, w, &client, "session1");
}

static UNUSED void world_close(struct world *w)
{
	session_free(&w->s);
	buf_free(&w->pending);
	buf_free(&w->replies);
	buf_free(&w->file);
	buf_free(&w->checked);
}

/* As on a listener with a certificate; what the client says behind STARTTLS is then said under TLS. */
static UNUSED void world_offer_tls(struct world *w)
{
	w->listener = (struct cfg_listener){ .name = "smtp", .protocol = CFG_PROTO_SMTP, .tls = CFG_TLS_AUTO };
	w->s.client.listener = &w->listener;
	w->s.client.tls_ready = true;
}

static void world_shake_hands(struct world *w)
{
	static const struct tls_facts facts = { .version = "TLSv1.3", .cipher = "TLS_TEST" };
	session_tls_started(&w->s, &facts);
	BUG_IF(w->s.phase != PH_START || w->s.start_tls || !w->s.tls_active || w->s.esmtp); /* RFC 3207 4.2 */
	BUG_IF(*w->s.helo || *w->s.account || w->s.txn.rcpts.len > 0 || w->s.txn.sender.domain[0]);
	w->handshakes++;
}

/* The client says `in` in pieces of `chunk` bytes; replies are appended. */
static UNUSED void world_say(struct world *w, struct sv in, size_t chunk)
{
	while (in.n > 0) {
		struct sv piece = sv_sub(in, 0, chunk);
		in = sv_skip(in, piece.n);
		buf_putsv(&w->pending, piece);
		for (size_t used; (used = session_feed(&w->s, buf_sv(&w->pending), &w->replies)) > 0;) {
			buf_drop(&w->pending, used);
			if (w->s.start_tls)
				world_shake_hands(w);
		}
	}
}

/* Code and enhanced code of each reply so far, one blank between: "250 250/2.1.0 550/5.1.1". */
static UNUSED const char *world_codes(const struct world *w, struct buf *out)
{
	struct sv rest = buf_sv(&w->replies), line, text;
	buf_reset(out);
	while (sv_cut(&rest, '\n', &line) && line.n > 0) {
		char dsn[12] = "";
		int code;
		bool more;
		BUG_IF(!smtp_reply_line(line, &code, &more, &text));
		if (!more)
			buf_putf(out, "%s%d%s%s", out->len ? " " : "", code, smtp_dsn(text, dsn) ? "/" : "", dsn);
	}
	return buf_str(out);
}

#endif
