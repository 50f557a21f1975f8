/* The end of DATA: is the message taken, and where is it then? 250 is said only for what is on disk. */
#include "compose.h"
#include "rules.h"
#include "trace.h"

#include "mail/hdr.h"

/* --- content check --- */
/* spamcheck parses what strangers wrote: header lines of its answer are looked at again before they go into a message. */
static bool are_header_lines(struct sv text)
{
	struct hdr_field f;
	size_t at = 0;
	bool broken = false;
	while (at < text.n && hdr_next(text, &at, &f, &broken))
		;
	bool ended = text.n == 0 || (text.p[0] != '\n' && text.p[text.n - 1] == '\n');
	return at == text.n && !broken && ended && sv_find(text, SV("\n\n")) < 0;
}

static void fill_request(const struct session *s, struct spam_req *q)
{
	const struct txn *t = &s->txn;
	snprintf(q->session, sizeof q->session, "%s", s->id);
	snprintf(q->id, sizeof q->id, "%s", t->id.text);
	snprintf(q->client_ip, sizeof q->client_ip, "%s", s->client_text);
	snprintf(q->helo, sizeof q->helo, "%s", s->helo);
	char text[MADDR_TEXT_MAX + 1];
	snprintf(q->sender, sizeof q->sender, "%s", maddr_text(&t->sender, text));
	snprintf(q->rcpt, sizeof q->rcpt, "%s", maddr_text(&t->first, text));
	q->recipients = t->rcpts.len;
	q->trust = (uint64_t)compose_trust(s);
	q->smtputf8 = t->options.smtputf8;
	q->streamed = t->body.streamed;
	q->offset = t->body.streamed ? t->marks.header_len : 0;
	q->size = t->body.len;
	q->file = -1;
}

static bool unchecked(struct session *s, const struct err *e, struct spam_res *ret, struct refusal *r)
{
	LOG_WARN("spamcheck-failed", KV_ERR(e));
	*ret = (struct spam_res){ .verdict = SPAM_ACCEPT, .score = SPAM_SCORE_ZERO };
	snprintf(ret->headers, sizeof ret->headers, "X-Spam-Status: unchecked\n");
	if (s->cfg->spam.spam_failure == CFG_SPAMFAIL_ACCEPT)
		return true;
	refusal_set(r, 451, "4.7.1", "The content check does not answer, try again later");
	return false;
}

/* RFC 5321 6.1 lets us refuse here, and only here nobody has to be told by a bounce. */
static bool check(struct session *s, struct spam_res *ret, struct refusal *r)
{
	struct spam_req q = { 0 };
	struct err e = { 0 };
	*ret = (struct spam_res){ .verdict = SPAM_ACCEPT, .score = SPAM_SCORE_ZERO };
	if (s->cfg->spam.spam_action == CFG_SPAM_OFF || session_is_daemon(s))
		return true;
	fill_request(s, &q);
	if (!s->ops->check(s->env, &q, buf_sv(&s->txn.body.mem), ret, &e))
		return unchecked(s, &e, ret, r);
	if (!are_header_lines(sv_of(ret->headers))) {
		err_set(&e, ERR_PEER, "its header lines are none");
		return unchecked(s, &e, ret, r);
	}
	const char *why = *ret->text ? ret->text : "The message looks like spam";
	if (ret->verdict == SPAM_REJECT && s->cfg->spam.spam_action == CFG_SPAM_REJECT)
		refusal_set(r, 550, "5.7.1", "%s", why);
	else if (ret->verdict == SPAM_TEMPFAIL)
		refusal_set(r, 451, "4.7.1", "%s", *ret->text ? ret->text : "The content check failed, try again later");
	return r->code == 0;
}

/* --- into the queue --- */
/* The last part of a streamed message is written before it is checked: spamcheck reads the file. */
static bool write_rest(struct session *s, struct err *e)
{
	struct body *b = &s->txn.body;
	if (!b->streamed || b->mem.len == 0)
		return true;
	if (!s->ops->stream(s->env, buf_sv(&b->mem), s->txn.marks.header_len + b->written, e))
		return false;
	body_wrote(b);
	return true;
}

static bool commit(struct session *s, const struct spam_res *verdict, struct err *e)
{
	struct txn *t = &s->txn;
	struct buf lines = BUF_INIT(SPOOL_ROOM + SPAM_HEADERS_MAX);
	if (!t->body.streamed && !compose_header(s, sv_of(verdict->headers), false, e))
		return false;
	if (t->body.streamed && compose_added(s, sv_of(verdict->headers), &lines))
		spool_fill_room(&t->header, &t->marks, buf_sv(&lines));
	buf_free(&lines);
	spool_seal(&t->header, &t->marks, body_crc(&t->body), t->body.len);
	struct queue_note note = { .size = t->marks.header_len + t->body.len, .recipients = t->rcpts.len, .hold = rules_hold(s) };
	snprintf(note.id, sizeof note.id, "%s", t->id.text);
	return s->ops->commit(s->env, buf_sv(&t->header), buf_sv(&t->body.mem), &note, e);
}

static void log_accepted(const struct session *s, const struct spam_res *v)
{
	const struct txn *t = &s->txn;
	char from[MADDR_TEXT_MAX + 1], to[MADDR_TEXT_MAX + 1], score[24], proto[TRACE_PROTOCOL_MAX];
	int64_t hundredths = (int64_t)v->score - SPAM_SCORE_ZERO;
	snprintf(score, sizeof score, "%.2f", (double)hundredths / 100);
	LOG_INFO("accepted", KV_QID(t->id.text), KV_STR("from", maddr_text(&t->sender, from)),
		KV_STR("to", maddr_text(&t->first, to)), KV_U64("rcpts", t->rcpts.len), KV_U64("size", t->body.len),
		KV_STR("client", s->client_text), KV_STR("helo", s->helo), KV_STR("proto", trace_protocol(s, proto)),
		KV_STR("tls", s->tls_active ? s->tls.version : ""), KV_STR("cipher", s->tls_active ? s->tls.cipher : ""),
		KV_STR("score", score), KV_U64("gen", s->cfg->generation));
}

/* --- the end --- */
static bool take_message(struct session *s, struct refusal *r)
{
	struct txn *t = &s->txn;
	struct spam_res verdict;
	struct err e = { 0 };
	if (!write_rest(s, &e)) {
		s->ops->abandon(s->env);
		compose_refusal(s, &e, r);
		return false;
	}
	if (!t->body.streamed)
		compose_complete(s);
	if (!check(s, &verdict, r)) {
		if (t->body.streamed)
			s->ops->abandon(s->env);
		return false;
	}
	if (!commit(s, &verdict, &e)) {
		compose_refusal(s, &e, r);
		return false;
	}
	log_accepted(s, &verdict);
	return true;
}

enum phase message_end(struct session *s, struct buf *reply)
{
	struct refusal r = s->txn.problem;
	char first[MADDR_TEXT_MAX + 1];
	size_t said = reply->len;
	if (r.code == 0 && take_message(s, &r)) {
		smtp_replyf(reply, 250, "2.0.0", "Ok: queued as %s", s->txn.id.text);
		s->accepted++;
		s->errors = s->idle_talk = 0;
	} else {
		session_refuse(s, reply, "DATA", maddr_text(&s->txn.first, first), &r);
	}
	session_repeat(s, reply, said);
	session_reset(s);
	return s->phase == PH_QUIT ? PH_QUIT : PH_HELLO;
}
