/* BDAT (RFC 3030): the message comes in counted chunks. Whatever is answered, the octets of a chunk are swallowed, and the answer
 * comes behind them: so client and server stay in step, and no byte of a message is ever run as a command. */
#include "content.h"

#include "base/num.h"

/* "size [LAST]" */
static bool parse(struct sv arg, struct chunk *ret)
{
	struct sv size, word;
	*ret = (struct chunk){ 0 };
	if (!sv_word(&arg, &size) || !num_u64(size, 0, INT64_MAX, &ret->left))
		return false;
	ret->last = sv_word(&arg, &word);
	return !ret->last || (sv_ieqs(word, "LAST") && !sv_word(&arg, &word));
}

static void out_of_order(struct chunk *c, int code, const char *why)
{
	refusal_set(&c->refused, code, "5.5.1", "%s", why);
	c->out_of_order = true;
}

/* May a chunk come now? The first one begins the message. */
static void admit(struct session *s)
{
	struct txn *t = &s->txn;
	struct chunk *c = &s->chunk;
	bool binary = t->options.body == SPOOL_BODY_BINARYMIME;
	c->early = s->phase == PH_START;
	if (c->early)
		out_of_order(c, 503, "Say EHLO first");
	else if (s->phase == PH_HELLO)
		out_of_order(c, 503, "Say MAIL and RCPT first");
	else if (t->taken == 0)
		out_of_order(c, t->tried ? 554 : 503, t->tried ? "No valid recipients" : "Say RCPT first");
	else if (s->phase != PH_BDAT && !content_begin(s, binary ? SMTP_BINARY : SMTP_CHUNKS, &c->refused))
		BUG_IF(c->refused.code == 0);
}

/* RFC 3030 2: the message failed with this chunk; chunks of it that are on their way get 503, each behind its octets. */
static enum phase refuse(struct session *s, struct buf *reply)
{
	char first[MADDR_TEXT_MAX + 1] = "";
	struct chunk *c = &s->chunk;
	size_t said = reply->len;
	if (s->txn.taken > 0)
		maddr_text(&s->txn.first, first);
	if (c->out_of_order)
		session_complain(s, reply, c->refused.code, c->refused.dsn, "%s", c->refused.text);
	else
		session_refuse(s, reply, "BDAT", first, &c->refused);
	if (c->last && !c->out_of_order)
		session_repeat(s, reply, said);
	session_reset(s);
	return s->phase == PH_QUIT ? PH_QUIT : c->early ? PH_START : PH_HELLO;
}

/* All octets of the chunk were there. */
static enum phase chunk_end(struct session *s, struct buf *reply)
{
	struct txn *t = &s->txn;
	struct chunk *c = &s->chunk;
	if (c->refused.code == 0 && c->last)
		content_end(s);
	if (c->refused.code == 0 && t->problem.code != 0)
		c->refused = t->problem;
	if (c->refused.code != 0)
		return refuse(s, reply);
	if (c->last)
		return message_end(s, reply);
	smtp_replyf(reply, 250, "2.0.0", "Ok: %llu bytes so far", (unsigned long long)body_wire(&t->body));
	return PH_BDAT;
}

size_t chunk_feed(struct session *s, struct sv in, struct buf *reply)
{
	struct chunk *c = &s->chunk;
	in = sv_sub(in, 0, (size_t)MIN(in.n, c->left));
	size_t used = c->refused.code ? in.n : content_feed(s, in);
	c->left -= used;
	if (c->left == 0)
		s->phase = chunk_end(s, reply);
	return used;
}

enum phase cmd_bdat(struct session *s, struct sv arg, struct buf *reply)
{
	struct chunk c;
	if (!parse(arg, &c)) { /* how many octets follow is not known: going on would run them as commands */
		session_close(s, "4.5.4", "Write BDAT size [LAST]; without the size the rest cannot be read: closing", reply);
		return PH_QUIT;
	}
	s->chunk = c;
	admit(s);
	s->phase = PH_CHUNK;
	return c.left == 0 ? chunk_end(s, reply) : PH_CHUNK;
}
