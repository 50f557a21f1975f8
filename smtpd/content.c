/* Bytes of a message, from DATA or BDAT, on their way into memory or the lent file. */
#include "content.h"

#include "auth.h"
#include "compose.h"
#include "finals.h"

#include "mail/hdr.h"

bool content_begin(struct session *s, enum smtp_form form, struct refusal *r)
{
	struct txn *t = &s->txn;
	struct err e = { 0 };
	if (!s->ops->lent(s->env, s->client.kind == CLIENT_BOUNCE, &t->id, &e)) {
		bool full = e.kind == ERR_LIMIT;
		LOG_WARN("no-queue-file", KV_ERR(&e));
		refusal_set(r, full ? 452 : 451, full ? "4.3.1" : "4.3.0", "%s",
			full ? e.text : "The queue does not answer, try again later");
		return false;
	}
	body_start(&t->body, form);
	return true;
}

void content_drop(struct session *s)
{
	struct txn *t = &s->txn;
	if (t->body.dropping)
		return;
	if (t->body.streamed)
		s->ops->abandon(s->env);
	body_drop(&t->body);
}

static void problem(struct session *s, const struct refusal *r)
{
	s->txn.problem = *r;
	content_drop(s);
}

/* What is wrong with the bytes so far; what once is stays so. The order is fixed: the answer must not depend on how the client's
 * packets were cut. */
static bool content_fault(const struct session *s, struct refusal *r)
{
	const struct body *b = &s->txn.body;
	uint64_t max = s->cfg->global.message_max_size;
	bool accept_lf = s->cfg->smtpd.bare_newline == CFG_BARE_ACCEPT;
	if (b->dot.bare_cr > 0 || (b->dot.bare_lf > 0 && !accept_lf))
		refusal_set(r, 550, "5.6.11", "The message holds a CR or LF alone: lines must end with CRLF");
	else if (b->dot.nul > 0)
		refusal_set(r, 554, "5.6.0", "The message holds a NUL byte");
	else if (body_wire(b) > max && !session_is_daemon(s))
		refusal_set(r, 552, "5.3.4", "The message is too large: at most %llu bytes are taken", (unsigned long long)max);
	return r->code != 0;
}

/* RFC 5321 6.3: a message that has passed so many servers goes in a circle. */
static void check_hops(struct session *s)
{
	struct refusal r = { 0 };
	unsigned max = (unsigned)s->cfg->smtpd.received_max, n = hdr_count(buf_sv(&s->txn.body.mem), "Received");
	if (n <= max)
		return;
	refusal_set(&r, 554, "5.4.6", "The message has %u Received lines: a mail loop", n);
	problem(s, &r);
}

/* A message that comes back to an address that it was delivered to goes in a circle: forwarding keeps our Delivered-To line. One
 * recipient of several is enough, or members that forward to each other would multiply it. */
static void check_loop(struct session *s)
{
	struct sv msg = buf_sv(&s->txn.body.mem);
	struct hdr_field f;
	struct maddr to;
	struct refusal r = { 0 };
	char text[MADDR_TEXT_MAX + 1];
	size_t at = 0;
	while (r.code == 0 && hdr_next(msg, &at, &f, NULL)) {
		if (!sv_ieqs(f.name, "Delivered-To") || !maddr_parse(sv_trim(f.value), MADDR_UTF8_OK, &to, NULL))
			continue;
		if (finals_has_local(s, &to))
			refusal_set(
				&r, 554, "5.4.6", "The message was delivered to <%s> before: a mail loop", maddr_text(&to, text));
	}
	if (r.code)
		problem(s, &r);
}

static void check_author(struct session *s)
{
	struct refusal r = { 0 };
	if (!s->txn.body.dropping && !owner_of_header(s, buf_sv(&s->txn.body.mem), &r))
		problem(s, &r);
}

/* A long message: the lent file takes what there is. Its header is composed now, with room for what is known only later. */
static void write_piece(struct session *s)
{
	struct txn *t = &s->txn;
	struct err e = { 0 };
	struct refusal r = { 0 };
	if (!t->body.streamed)
		compose_complete(s);
	bool ok = t->body.streamed || compose_header(s, SV(""), true, &e);
	if (ok && s->ops->stream(s->env, buf_sv(&t->body.mem), t->marks.header_len + t->body.written, &e)) {
		body_wrote(&t->body);
		return;
	}
	t->body.streamed = true; /* something may have been written */
	compose_refusal(s, &e, &r);
	problem(s, &r);
}

/* The answer must not depend on how the client's packets were cut: what is wrong with the bytes goes before our own troubles. */
static void judge(struct session *s)
{
	struct body *b = &s->txn.body;
	struct refusal fault = { 0 };
	if (content_fault(s, &fault)) {
		content_drop(s);
		s->txn.problem = fault;
	} else if (!b->dropping && !b->streamed && (b->dot.done || body_full(b))) {
		check_hops(s);
		if (!b->dropping)
			check_loop(s);
		check_author(s);
	}
}

size_t content_feed(struct session *s, struct sv in)
{
	struct body *b = &s->txn.body;
	size_t used = 0;
	while (used < in.n && !b->dot.done) {
		used += body_feed(b, sv_skip(in, used));
		judge(s);
		if (body_full(b) && !b->dot.done)
			write_piece(s);
	}
	return used;
}

void content_end(struct session *s)
{
	body_end(&s->txn.body);
	judge(s);
}
