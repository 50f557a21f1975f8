/* DATA (RFC 5321 4.1.1.4). What is done with the message at its end is in accept.c. */
#include "content.h"

enum phase cmd_data(struct session *s, struct sv arg, struct buf *reply)
{
	struct txn *t = &s->txn;
	struct refusal r = { 0 };
	(void)arg;
	if (t->taken == 0)
		return session_complain(
			s, reply, t->tried ? 554 : 503, "5.5.1", t->tried ? "No valid recipients" : "Say RCPT first");
	if (t->options.body == SPOOL_BODY_BINARYMIME) /* RFC 3030 3 */
		return session_complain(s, reply, 503, "5.5.1", "A BINARYMIME message comes with BDAT");
	if (!content_begin(s, SMTP_DATA, &r))
		return session_refuse(s, reply, "DATA", "", &r);
	smtp_reply(reply, 354, "", "Send the message, and a line with only a dot at its end");
	return PH_DATA;
}

size_t data_feed(struct session *s, struct sv in, struct buf *reply)
{
	size_t used = content_feed(s, in);
	if (s->txn.body.dot.done)
		s->phase = message_end(s, reply);
	return used;
}
