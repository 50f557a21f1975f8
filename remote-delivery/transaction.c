#include "transaction.h"

#include "mail/xtext.h"

#include <errno.h>

/* --- what the message needs
 * ----------------------------------------------------------------------------------------------------------- */

static bool fail_all(struct order *o, const struct peer *p, const char *dsn, const char *text)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->item[i].settled)
			item_settle(&o->item[i], FAILED, dsn, p->label, text);
	return true;
}

/* Internationalised addresses or headers: RFC 6531 3.4 and 3.6. Bytes above 127 in a header that nobody declared are old mail, in
 * some charset or other: it goes on as it came. */
static bool needs_utf8(const struct order *o, const struct item *it)
{
	return o->sender.utf8 || it->addr.utf8 || (o->options.smtputf8 && o->eight_bit_head);
}

static uint64_t sent_size(const struct order *o) { return o->seven ? o->seven_size : o->wire_size; }

/* Items that this host can never take are settled. */
static void check_abilities(struct peer *p, struct order *o)
{
	struct err e;
	if (o->binary && (~p->caps.set & (CAP_CHUNKING | CAP_BINARYMIME))) {
		fail_all(o, p, "5.6.3", "the host does not take messages of any bytes (BINARYMIME)"); /* RFC 3030 3 */
		return;
	}
	if (o->eight_bit && !o->binary && !(p->caps.set & CAP_8BITMIME) && !content_convert(o, &e)) {
		order_settle(o, &e, "5.6.3", p->label, false);
		return;
	}
	if ((p->caps.set & CAP_SIZE) && p->caps.size_max > 0 && sent_size(o) > p->caps.size_max) {
		char text[200];
		snprintf(text, sizeof text, "the message has %llu bytes, the host takes %llu", (unsigned long long)sent_size(o),
			(unsigned long long)p->caps.size_max);
		fail_all(o, p, "5.3.4", text);
		return;
	}
	for (size_t i = 0; i < o->n; i++) {
		struct item *it = &o->item[i];
		if (!it->settled && !(p->caps.set & CAP_SMTPUTF8) && needs_utf8(o, it))
			item_settle(it, FAILED, "5.6.7", p->label, "the host does not take internationalised mail (SMTPUTF8)");
	}
}

/* --- commands
 * -------------------------------------------------------------------------------------------------------------------------- */

static bool says_utf8(const struct order *o)
{
	bool any = o->options.smtputf8 || o->sender.utf8;
	for (size_t i = 0; i < o->n && !any; i++)
		any = !o->item[i].settled && o->item[i].addr.utf8;
	return any;
}

static void put_mail_params(const struct peer *p, const struct order *o, struct buf *out)
{
	const struct spool_options *opt = &o->options;
	if (p->caps.set & CAP_SIZE)
		buf_putf(out, " SIZE=%llu", (unsigned long long)sent_size(o));
	if (o->binary)
		buf_puts(out, " BODY=BINARYMIME");
	else if ((p->caps.set & CAP_8BITMIME) && o->eight_bit)
		buf_puts(out, " BODY=8BITMIME");
	if ((p->caps.set & CAP_SMTPUTF8) && says_utf8(o))
		buf_puts(out, " SMTPUTF8");
	if (opt->requiretls && p->strict)
		buf_puts(out, " REQUIRETLS");
	if (!(p->caps.set & CAP_DSN))
		return;
	if (opt->ret != SPOOL_RET_NONE)
		buf_putf(out, " RET=%s", opt->ret == SPOOL_RET_FULL ? "FULL" : "HDRS");
	if (*opt->envid) {
		buf_puts(out, " ENVID=");
		xtext_encode(sv_of(opt->envid), out);
	}
}

static bool put_mail(struct peer *p, const struct order *o, struct err *e)
{
	struct buf params = BUF_INIT(600);
	char sender[MADDR_TEXT_MAX + 1];
	put_mail_params(p, o, &params);
	bool ok = peer_put(p, e, "MAIL FROM:<%s>%s", maddr_text(&o->sender, sender), buf_str(&params));
	buf_free(&params);
	return ok;
}

/* RFC 3461 5.2.1: NOTIFY and ORCPT go on as they were given. */
static bool put_rcpt(struct peer *p, struct item *it, struct err *e)
{
	struct buf params = BUF_INIT(700);
	char rcpt[MADDR_TEXT_MAX + 1];
	const char *before = " NOTIFY=";
	if (p->caps.set & CAP_DSN) {
		for (size_t i = 0; i < COUNT(spool_notify_names); i++)
			if (it->req.notify & (1u << i)) {
				buf_putf(&params, "%s%s", before, spool_notify_names[i]);
				before = ",";
			}
		if (*it->req.orcpt)
			buf_putf(&params, " ORCPT=%s", it->req.orcpt);
	}
	it->res.dsn_passed =
		(p->caps.set & CAP_DSN) && it->req.notify != 0; /* by this host: the one before may have been another */
	bool ok = peer_put(p, e, "RCPT TO:<%s>%s", maddr_text(&it->addr, rcpt), buf_str(&params));
	buf_free(&params);
	return ok;
}

/* --- answers
 * --------------------------------------------------------------------------------------------------------------------------- */

static void settle_by_reply(const struct peer *p, struct item *it, const char *step)
{
	char text[500];
	const struct smtp_answer *a = &p->last;
	bool ok = a->code >= 200 && a->code < 300;
	if (ok)
		snprintf(text, sizeof text, "%d%s%s %s", a->code, *a->dsn ? " " : "", a->dsn, a->text);
	item_settle(it,
		ok               ? DELIVERED
		: a->code >= 500 ? FAILED
				 : DEFERRED,
		a->dsn, p->label, ok ? text : peer_said(p, step, text));
}

/* The answer to one RCPT. 452, and 552 from old servers, means "not so many at once" when others were taken: RFC 5321 4.5.3.1.10.
 */
static void take_rcpt(struct peer *p, struct order *o, struct item *it, size_t accepted)
{
	it->accepted = p->last.code >= 200 && p->last.code < 300;
	if (it->accepted)
		return;
	if ((p->last.code == 452 || p->last.code == 552) && accepted > 0)
		o->retry = true;
	else
		settle_by_reply(p, it, "RCPT TO");
}

/* A connection that ends, or a 421: nobody was refused. */
static bool session_over(struct peer *p, const char *step, struct err *e)
{
	p->broken = true;
	return peer_refused(p, step, e) || (e->kind = ERR_TEMP, false);
}

/* MAIL's refusal is about the sender, hence for all. Behind another message it may be about the connection, which a server lets
 * carry only so much: a new one decides. */
static bool mail_refused(struct peer *p, struct order *o, struct err *e)
{
	if (p->last.code < 500 || p->messages > 0) {
		peer_refused(p, "MAIL FROM", e);
		e->kind = ERR_TEMP;
		return false;
	}
	for (size_t i = 0; i < o->n; i++)
		if (!o->item[i].settled)
			settle_by_reply(p, &o->item[i], "MAIL FROM");
	return true;
}

/* Without PIPELINING (RFC 2920) each command waits for its answer. */
static bool one_by_one(
	struct peer *p, struct order *o, const struct cfg_remote *cfg, size_t *accepted, bool *ret_mail_ok, struct err *e)
{
	if (!put_mail(p, o, e) || !peer_answer(p, cfg->remote_mail_timeout, e))
		return false;
	*ret_mail_ok = p->last.code == 250;
	if (p->broken)
		return session_over(p, "MAIL FROM", e);
	if (!*ret_mail_ok)
		return mail_refused(p, o, e);
	for (size_t i = 0; i < o->n; i++) {
		struct item *it = &o->item[i];
		if (it->settled)
			continue;
		if (!put_rcpt(p, it, e) || !peer_answer(p, cfg->remote_rcpt_timeout, e))
			return false;
		if (p->broken)
			return session_over(p, "RCPT TO", e);
		take_rcpt(p, o, it, *accepted);
		*accepted += it->accepted;
	}
	return true;
}

static bool put_all(struct peer *p, struct order *o, struct err *e)
{
	bool ok = put_mail(p, o, e);
	for (size_t i = 0; ok && i < o->n; i++)
		if (!o->item[i].settled)
			ok = put_rcpt(p, &o->item[i], e);
	return ok;
}

/* MAIL and all RCPT in one go. Every command gets its answer, whatever the others got. */
static bool pipelined(
	struct peer *p, struct order *o, const struct cfg_remote *cfg, size_t *accepted, bool *ret_mail_ok, struct err *e)
{
	bool refused = false;
	if (!put_all(p, o, e) || !peer_answer(p, cfg->remote_mail_timeout, e))
		return false;
	if (p->broken)
		return session_over(p, "MAIL FROM", e);
	*ret_mail_ok = p->last.code == 250;
	struct smtp_answer mail = p->last;
	for (size_t i = 0; i < o->n; i++) {
		struct item *it = &o->item[i];
		if (it->settled)
			continue;
		if (!peer_answer(p, cfg->remote_rcpt_timeout, e))
			return false;
		if (p->broken)
			return session_over(p, "RCPT TO", e);
		if (!*ret_mail_ok) /* its answer is about the missing MAIL */
			continue;
		take_rcpt(p, o, it, *accepted);
		*accepted += it->accepted;
	}
	if (!*ret_mail_ok) {
		p->last = mail;
		refused = mail_refused(p, o, e);
	}
	return *ret_mail_ok || refused;
}

/* --- the message
 * -------------------------------------------------------------------------------------------------------------------------- */

static void settle_accepted(struct peer *p, struct order *o, const char *step)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->item[i].settled && o->item[i].accepted)
			settle_by_reply(p, &o->item[i], step);
}

/* A connection that ends now leaves open whether the message arrived: deferred, and maybe delivered twice (RFC 1047). Another host
 * would make that certain, so none is tried: the items are settled. */
static bool unknown_end(struct peer *p, struct order *o, const struct err *e)
{
	char text[600];
	snprintf(text, sizeof text, "%s after the end of the message: it may have been delivered", e->text);
	for (size_t i = 0; i < o->n; i++)
		if (!o->item[i].settled && o->item[i].accepted)
			item_settle(&o->item[i], DEFERRED, "4.4.2", p->label, text);
	return true;
}

/* RFC 2033 4.2: LMTP answers once for each recipient that was accepted. */
static bool final_replies(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e)
{
	p->c.ignore_wake =
		true; /* what was begun is finished: its answer decides, and cutting the wait short makes duplicates (RFC 1047) */
	for (size_t i = 0; i < o->n; i++) {
		struct item *it = &o->item[i];
		if (it->settled || !it->accepted)
			continue;
		p->deadline_ms = MAX(p->deadline_ms, clock_mono_ms() + cfg->remote_done_timeout * 1000);
		if (!peer_answer(p, cfg->remote_done_timeout, e))
			return unknown_end(p, o, e);
		p->broken = p->broken ||
			    (o->binary && p->last.code >= 400); /* RFC 3030 2: what the host makes of it now is anybody's guess */
		if (!p->lmtp) {
			settle_accepted(p, o, "end of data");
			break;
		}
		settle_by_reply(p, it, "end of data");
	}
	p->c.ignore_wake = false;
	p->messages++;
	p->idle_ms = clock_mono_ms();
	return true;
}

/* A server that has had enough may say so and close while we still send: its words are worth more than ours. */
static bool broken_off(struct peer *p, const struct cfg_remote *cfg, struct err *e)
{
	struct err ignored;
	p->broken = true;
	if (e->sys == EINTR)
		return false;
	if (!peer_answer(p, MIN(cfg->remote_data_timeout, 2u), &ignored) || p->last.code < 400) {
		if (e->sys == ETIMEDOUT)
			return err_dsn(e, ERR_TEMP, "4.4.2", "it stopped reading in mid-message");
		return err_dsn(e, ERR_TEMP, "4.4.2", "lost in mid-message: %s", e->text);
	}
	return peer_refused(p, "message", e);
}

/* A transaction that came to nothing is left, so that the connection can be used again. */
static bool leave(struct peer *p, const struct cfg_remote *cfg)
{
	struct err e;
	if (p->broken || !peer_put(p, &e, "RSET") || !peer_answer(p, cfg->remote_mail_timeout, &e) || p->last.code != 250)
		p->broken = true;
	p->idle_ms = clock_mono_ms();
	return true;
}

/* RFC 5321 4.3.2: 354, or a refusal. Anything else answers another command than we think: whatever it says, nothing was sent. */
static bool data_refused(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e)
{
	char text[500];
	if (p->last.code < 400) {
		p->broken = true;
		return err_dsn(e, ERR_TEMP, "4.5.0", "an answer out of place: %s", peer_said(p, "DATA", text));
	}
	settle_accepted(p, o, "DATA");
	return leave(p, cfg);
}

/* RFC 3030 2: BDAT asks for no leave, but all that was said before has been answered. *ret_go: the message may follow. */
static bool ask_to_send(struct peer *p, struct order *o, const struct cfg_remote *cfg, bool *ret_go, struct err *e)
{
	*ret_go = o->binary;
	if (o->binary)
		return peer_put(p, e, "BDAT %llu LAST", (unsigned long long)o->wire_size);
	if (!peer_put(p, e, "DATA") || !peer_answer(p, cfg->remote_data_timeout, e))
		return false;
	if (p->broken)
		return session_over(p, "DATA", e);
	*ret_go = p->last.code == 354;
	return *ret_go || data_refused(p, o, cfg, e);
}

static bool send_message(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e)
{
	bool unread, go;
	if (!ask_to_send(p, o, cfg, &go, e))
		return false;
	if (!go)
		return true;
	p->c.idle_ms = cfg->remote_block_timeout * 1000;
	p->c.deadline_ms = p->deadline_ms;
	if (content_send(p, o, &unread, e))
		return final_replies(p, o, cfg, e);
	if (unread) {
		p->broken = true; /* no dot was sent: the host drops what it has */
		order_settle(o, e, "4.3.0", "", false);
		return true;
	}
	if (!broken_off(p, cfg, e) && e->kind == ERR_PERM) {
		settle_accepted(p, o, "message");
		return true;
	}
	return false;
}

static bool carry_out(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e)
{
	size_t accepted = 0;
	bool mail_ok = false;
	bool ok = p->caps.set & CAP_PIPELINING ? pipelined(p, o, cfg, &accepted, &mail_ok, e)
					       : one_by_one(p, o, cfg, &accepted, &mail_ok, e);
	if (!ok)
		return false;
	if (accepted == 0)
		return leave(p, cfg);
	return send_message(p, o, cfg, e);
}

bool transaction(struct peer *p, struct order *o, const struct cfg_remote *cfg, struct err *e)
{
	o->retry = false;
	for (size_t i = 0; i < o->n; i++)
		o->item[i].accepted = false;
	o->seven = NULL;
	check_abilities(p, o);
	bool ok = !order_open(o) || carry_out(p, o, cfg, e);
	seven_free(o->seven);
	o->seven = NULL;
	return ok;
}
