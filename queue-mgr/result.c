/* What agents answer. */
#include "work.h"

#include "deliver.h"
#include "dest.h"
#include "finish.h"
#include "base/log.h"

static void log_delivered(const struct rcpt *r, const struct deliver_res *res)
{
	uint64_t now = q_now(), arrived = r->msg->arrived;
	LOG_INFO("delivered", KV_QID(r->msg->id.text), KV_STR("to", r->addr), KV_STR("orig", r->orig), KV_STR("where", res->where),
		KV_STR("dsn", res->dsn),
		KV_STR("how", r->cls == CLASS_REMOTE ? "relay"
			      : res->forwarded       ? "forward"
			      : res->renamed         ? "rename"
						     : "copy"),
		KV_STR("reply", res->text), KV_U64("delay", now > arrived ? now - arrived : 0));
}

/* What its status is now: `+`, or its sender is to be told first. A next hop that took NOTIFY tells him itself (RFC 3461 5.2.1). */
static enum spool_status delivered_status(const struct qmgr *q, const struct rcpt *r, const struct deliver_res *res)
{
	const struct msg *m = r->msg;
	bool remote = r->cls == CLASS_REMOTE;
	bool trace = m->asks.by_trace && remote && (r->notify & SPOOL_NOTIFY_NEVER) == 0; /* RFC 2852 4: each hop tells */
	if (r->status_at == 0 || !finish_may_tell(q, m))
		return SPOOL_DONE;
	if (!trace && (!rcpt_wants(r, SPOOL_NOTIFY_SUCCESS) || res->dsn_passed))
		return SPOOL_DONE;
	return remote ? SPOOL_OWED_RELAYED : res->expanded ? SPOOL_OWED_EXPANDED : SPOOL_OWED_DELIVERED;
}

static void set_delivered(struct qmgr *q, struct rcpt *r, const struct deliver_res *res)
{
	struct msg *m = r->msg;
	r->state = RCPT_DONE;
	r->status = (char)delivered_status(q, r, res);
	if (r->status != SPOOL_DONE)
		rcpt_result(r, RCPT_DONE, res->dsn, res->text, res->where);
	if (r->status_at != 0 && !r->dirty) {
		r->dirty = true;
		m->dirty++;
	}
	m->gone = m->gone || res->renamed;
	q->delivered++;
	log_delivered(r, res);
}

static enum sched_end apply(struct qmgr *q, struct rcpt *r, const struct deliver_res *res)
{
	r->tried = q_now();
	if (res->status == DELIVERED) {
		set_delivered(q, r, res);
		return SCHED_SUCCESS;
	}
	bool failed = res->status == FAILED && !q->cfg->global.soft_bounce;
	rcpt_result(r, failed ? RCPT_FAILED : RCPT_DEFERRED, res->dsn, res->text, res->where);
	/* A host that refuses one message, or asks for it later, is well. */
	return r->cls == CLASS_REMOTE && dest_verdict(res) == DEST_WELL ? SCHED_NEITHER : failed ? SCHED_NEITHER : SCHED_FAILURE;
}

void work_result(struct qmgr *q, struct rcpt *r, const struct deliver_res *res)
{
	struct msg *m = r->msg;
	enum sched_end end = SCHED_NEITHER;
	m->sent--;
	if (res != NULL)
		end = apply(q, r, res);
	else {
		m->died = true;
		rcpt_result(r, RCPT_DEFERRED, "4.3.0", "the delivery agent ended without an answer", "");
	}
	if (r->lead)
		sched_done(q->sched, r->unit.dest, end);
	if (r->lead && res != NULL)
		dests_result(q, r, res);
	finish_msg(q, m);
}

bool work_late(struct qmgr *q, struct rcpt *r, const struct deliver_res *res)
{
	if (r->state == RCPT_SENT)
		return false;
	if (r->status != SPOOL_TODO || res->status != DELIVERED)
		return true; /* what was not delivered is tried again, and fails again with a fresh reason */
	if (r->state == RCPT_WAITING) {
		sched_withdraw(q->sched, &r->unit);
		r->msg->waiting--;
	}
	set_delivered(q, r, res);
	return true;
}

void work_withdraw(struct qmgr *q, struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt && m->waiting > 0; i++)
		if (m->rcpt[i].state == RCPT_WAITING) {
			sched_withdraw(q->sched, &m->rcpt[i].unit);
			m->rcpt[i].state = RCPT_DEFERRED;
			m->waiting--;
		}
}
