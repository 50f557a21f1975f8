#include "compose.h"

#include "rules.h"
#include "trace.h"

#include <errno.h>

#define RECEIVED_MAX 1200 /* two host names of 255, a user's name, fixed text */
#define LINES_MAX (SPAM_HEADERS_MAX + RULES_HEADERS_MAX + 2000)

enum spool_trust compose_trust(const struct session *s)
{
	if (s->client.kind == CLIENT_FORWARD) /* it is another message for the way, but still its sender's */
		return s->txn.strange ? SPOOL_STRANGER : SPOOL_AUTHENTICATED;
	if (session_is_ours(s))
		return SPOOL_LOCAL;
	return s->client.trusted || *s->account || s->txn.relayed ? SPOOL_AUTHENTICATED : SPOOL_STRANGER;
}

void compose_complete(struct session *s)
{
	struct body *b = &s->txn.body;
	if (s->client.kind != CLIENT_SUBMIT && !*s->account) /* RFC 6409 8: for users' programs too */
		return;
	if (!trace_has_header(buf_sv(&b->mem)))
		body_put_front(b, '\n'); /* text alone: our header lines must not run into it */
	trace_complete(s, s->ops->now(s->env), &s->txn.added);
}

bool compose_added(const struct session *s, struct sv verdict, struct buf *out)
{
	buf_putsv(out, buf_sv(&s->txn.added));
	buf_putsv(out, verdict);
	return buf_ok(out);
}

bool compose_header(struct session *s, struct sv verdict, bool room, struct err *e)
{
	struct txn *t = &s->txn;
	struct buf received = BUF_INIT(RECEIVED_MAX), postern = BUF_INIT(SPOOL_OPTIONS_MAX), lines = BUF_INIT(LINES_MAX);
	char first[MADDR_TEXT_MAX + 1];
	trace_received(s, &received);
	trace_postern(s, &postern);
	rules_headers(s, &lines);
	bool fits = compose_added(s, verdict, &lines) && buf_ok(&received) && buf_ok(&postern);
	struct spool_compose c = {
		.sender = &t->sender,
		.rcpt = t->rcpts.data,
		.n_rcpt = t->rcpts.len,
		.received = buf_sv(&received),
		/* RFC 5321 7.2: with several recipients it would show blind copies */
		.for_text = t->taken == 1 ? sv_of(maddr_text(&t->first, first)) : SV(""),
		.id = t->id,
		.trust = compose_trust(s),
		.unix_secs = s->ops->now(s->env),
		.postern = buf_sv(&postern),
	};
	bool ok = fits ? spool_compose(&c, buf_sv(&lines), room, &t->header, &t->marks, e)
		       : err_set(e, ERR_PERM, "header lines are too long");
	buf_free(&received);
	buf_free(&postern);
	buf_free(&lines);
	return ok;
}

void compose_refusal(const struct session *s, const struct err *e, struct refusal *r)
{
	bool full = e->sys == ENOSPC || e->sys == EDQUOT;
	LOG_ERROR("queue-write-failed", KV_QID(s->txn.id.text), KV_ERR(e));
	if (e->kind == ERR_LIMIT)
		refusal_set(r, 452, "4.5.3", "Too many recipients for one message");
	else
		refusal_set(r, full ? 452 : 451, full ? "4.3.1" : "4.3.0", "The message cannot be stored now, try again later");
}
