/* DATA (RFC 5321 4.1.1.4): the message comes in. What is done with it at its end is in accept.c. */
#include "compose.h"

#include "mail/hdr.h"

enum phase cmd_data(struct session *s, struct sv arg, struct buf *reply)
{
	struct txn *t = &s->txn;
	struct refusal r = { 0 };
	struct err e = { 0 };
	(void)arg;
	if (t->taken == 0)
		return session_complain(
			s, reply, t->tried ? 554 : 503, "5.5.1", t->tried ? "No valid recipients" : "Say RCPT first");
	if (!s->ops->lent(s->env, s->client.kind == CLIENT_BOUNCE, &t->id, &e)) {
		bool full = e.kind == ERR_LIMIT;
		LOG_WARN("no-queue-file", KV_ERR(&e));
		refusal_set(&r, full ? 452 : 451, full ? "4.3.1" : "4.3.0", "%s",
			full ? e.text : "The queue does not answer, try again later");
		return session_refuse(s, reply, "DATA", "", &r);
	}
	body_start(&t->body);
	smtp_reply(reply, 354, "", "Send the message, and a line with only a dot at its end");
	return PH_DATA;
}

/* The message will not be taken: from here on nothing of it is kept. */
static void drop(struct session *s)
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
	drop(s);
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
	else if (body_wire(b) > max && s->client.kind != CLIENT_BOUNCE)
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

size_t data_feed(struct session *s, struct sv in, struct buf *reply)
{
	struct body *b = &s->txn.body;
	struct refusal fault = { 0 };
	size_t used = 0;
	while (used < in.n && !b->dot.done) {
		used += body_feed(b, sv_skip(in, used));
		if (content_fault(s, &fault))
			drop(s);
		if (!b->dropping && !b->streamed && (b->dot.done || body_full(b)))
			check_hops(s);
		if (body_full(b) && !b->dot.done)
			write_piece(s);
	}
	if (fault.code)
		s->txn.problem = fault;
	if (b->dot.done)
		s->phase = message_end(s, reply);
	return used;
}
