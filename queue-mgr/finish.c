#include "finish.h"

#include "bouncing.h"
#include "deliver.h"
#include "qfile.h"
#include "retry.h"
#include "work.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>

#define DEATHS_SOON 3 /* so often a message is tried again soon after its agent died */
#define SOON_SECS 2
#define HOUR_MS 3600000

/* --- status bytes ---------------------------------------------------------------------------------------------------------- */

struct marking {
	struct io_job job;
	struct qmgr *q;
	struct msg *m;
	struct io_mark mark[IO_MARKS_MAX];
	uint32_t number[IO_MARKS_MAX];
};

static void marked(struct io_job *job, enum io_answer answer, const struct err *e)
{
	struct marking *k = job->arg;
	struct msg *m = k->m;
	m->marking = false;
	if (answer != IO_OK) {
		/* Not known on disk: they would be delivered again after a restart; then the agent finds the first copy. */
		LOG_ERROR("mark-failed", KV_QID(m->id.text), KV_ERR(e));
		m->mark_failed = true;
	}
	for (size_t i = 0; i < job->n_marks && answer == IO_OK; i++) {
		struct rcpt *r = &m->rcpt[k->number[i]];
		if (r->dirty && (uint64_t)r->status == k->mark[i].status) {
			r->dirty = false;
			m->dirty--;
		}
	}
	deliver_ack(k->q, m);
	finish_msg(k->q, m);
	free(k);
}

void finish_mark(struct qmgr *q, struct msg *m)
{
	if (m->dirty == 0 || m->marking || m->gone)
		return;
	struct marking *k = mem_new(sizeof(*k));
	k->q = q;
	k->m = m;
	k->job = (struct io_job){ .op = IO_MARK, .id = m->id, .marks = k->mark, .done = marked, .arg = k };
	k->job.where = index_at(q->index, m->slot)->where;
	index_name(q->index, m->slot, k->job.name);
	for (size_t i = 0; i < m->n_rcpt && k->job.n_marks < IO_MARKS_MAX; i++)
		if (m->rcpt[i].dirty) {
			k->mark[k->job.n_marks] = (struct io_mark){ m->rcpt[i].status_at, (uint64_t)m->rcpt[i].status };
			k->number[k->job.n_marks++] = (uint32_t)i;
		}
	m->marking = true;
	io_submit(q->io, &k->job);
}

void finish_tick(struct qmgr *q)
{
	for (size_t i = 0; i < q->open.len; i++)
		finish_mark(q, *VEC_AT(&q->open, struct msg *, i));
}

static void set_status(struct msg *m, struct rcpt *r, enum spool_status status)
{
	r->state = RCPT_DONE;
	r->status = (char)status;
	if (r->status_at != 0 && !r->dirty) {
		r->dirty = true;
		m->dirty++;
	}
}

/* --- reports --------------------------------------------------------------------------------------------------------------- */

static unsigned count(const struct msg *m, enum rcpt_state state)
{
	unsigned n = 0;
	for (size_t i = 0; i < m->n_rcpt; i++)
		n += m->rcpt[i].state == state;
	return n;
}

static bool held_back(const struct msg *m) { return q_now() < m->asks.hold_until; }

static bool too_late(const struct msg *m) { return m->asks.by_return && m->asks.deliver_by > 0 && q_now() >= m->asks.deliver_by; }

bool finish_in_time(const struct msg *m) { return !held_back(m) && !too_late(m); }

/* A message that was to wait grows old from its release on. */
static uint64_t since(const struct msg *m) { return MAX(m->arrived, m->asks.hold_until); }

uint64_t finish_expires(const struct qmgr *q, const struct msg *m)
{
	uint64_t expires = retry_expires(q->queue, since(m), m->sender[0] == '\0');
	return m->asks.by_return && m->asks.deliver_by > 0 ? MIN(expires, m->asks.deliver_by) : expires;
}

/* RFC 2852 4.1: by-mode R. */
static void return_late(struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt && too_late(m); i++)
		if (m->rcpt[i].state == RCPT_DEFERRED)
			rcpt_result(&m->rcpt[i], RCPT_FAILED, "5.4.7", "the time that its sender set for the delivery is over", "");
}

/* Expiry follows an attempt, so its reason is fresh (DESIGN D4). */
static void expire(struct qmgr *q, struct msg *m)
{
	if (m->failing || count(m, RCPT_DEFERRED) == 0)
		return;
	return_late(m);
	if (q_now() < finish_expires(q, m))
		return;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->state != RCPT_DEFERRED || r->text == NULL) /* no text: it was not tried this time */
			continue;
		r->state = RCPT_FAILED;
		LOG_INFO("expired", KV_QID(m->id.text), KV_STR("to", r->addr), KV_STR("dsn", r->dsn), KV_STR("reason", r->text));
	}
}

/* Once for each failure, in however many reports they are told. */
static void log_failed(struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->state == RCPT_FAILED && !r->said)
			LOG_INFO("failed", KV_QID(m->id.text), KV_STR("to", r->addr), KV_STR("orig", r->orig),
				KV_STR("dsn", r->dsn), KV_STR("where", r->where), KV_STR("reason", r->text));
		r->said = r->said || r->state == RCPT_FAILED;
	}
}

static bool to_postmaster(const struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (strncasecmp(m->rcpt[i].addr, "postmaster@", 11) == 0 || strncasecmp(m->rcpt[i].orig, "postmaster@", 11) == 0)
			return true;
	return false;
}

/* Never a bounce of a bounce: a null sender is told nothing (RFC 5321 6.1). The postmaster may be, but not of his own mail. */
static void end_double(struct msg *m)
{
	LOG_WARN("double-bounce", KV_QID(m->id.text), KV_U64("recipients", count(m, RCPT_FAILED)));
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].state == RCPT_FAILED)
			set_status(m, &m->rcpt[i], SPOOL_FAILED);
}

/* Whose sender wants to hear nothing of it (RFC 3461 4.1: NEVER, or other kinds of report only). */
static void end_unasked(struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct rcpt *r = &m->rcpt[i];
		if (r->state != RCPT_FAILED || rcpt_wants(r, SPOOL_NOTIFY_FAILURE))
			continue;
		LOG_INFO("not-reported", KV_QID(m->id.text), KV_STR("to", r->addr),
			KV_STR("reason", "its sender asked for no such report"));
		set_status(m, r, SPOOL_FAILED);
	}
}

/* Failed recipients go back to the queue: their report could not be sent now. */
static void fail_later(struct msg *m)
{
	m->failing = true;
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].state == RCPT_FAILED)
			m->rcpt[i].state = RCPT_DEFERRED;
}

/* The address of a stranger may be forged: then the report goes to one who wrote nothing. So these are counted (DESIGN D8).
 * Delays and success have a count of their own: who asks for those does not use up what is due to others. Returns how many too many
 * it is in this hour, 0: it may go. */
static uint64_t one_too_many(struct qmgr *q, const struct msg *m, struct hour *h)
{
	uint64_t now = ev_now_ms(q->loop), rate = q->queue->bounce_strangers_rate;
	if (rate == 0 || m->trust != SPOOL_STRANGER)
		return 0;
	if (h->n == 0 || now - h->since_ms >= HOUR_MS) {
		h->since_ms = now;
		h->n = 0;
	}
	h->n++;
	return h->n > rate ? h->n - rate : 0;
}

/* Of messages beyond the limit the postmaster is told once in the hour; the others are held in silence but for the log. True: this
 * one is his. */
static bool beyond_limit(struct qmgr *q, struct msg *m, uint64_t nth)
{
	if (nth == 1) {
		LOG_WARN("bounce-limit", KV_QID(m->id.text), KV_U64("per_hour", q->queue->bounce_strangers_rate));
		return true;
	}
	fail_later(m);
	if (m->act == ACT_NONE)
		m->act = ACT_HOLD;
	return false;
}

/* True: the message waits for a report. */
static bool report_failed(struct qmgr *q, struct msg *m)
{
	enum bounce_kind kind = BOUNCE_FAILED;
	uint64_t nth;
	if (count(m, RCPT_FAILED) == 0)
		return false;
	log_failed(m);
	end_unasked(m);
	if (count(m, RCPT_FAILED) == 0)
		return false;
	if (m->sender[0] == '\0') {
		if (!q->queue->double_bounce_postmaster || to_postmaster(m)) {
			end_double(m);
			return false;
		}
		kind = BOUNCE_DOUBLE;
	} else if (m->trust == SPOOL_STRANGER && q->queue->bounce_strangers == CFG_BOUNCE_HOLD)
		kind = BOUNCE_HELD; /* the postmaster is told, the message is held (DESIGN D8) */
	else if ((nth = one_too_many(q, m, &q->failures_told)) > 0) {
		if (!beyond_limit(q, m, nth))
			return false;
		kind = BOUNCE_HELD;
	}
	bouncing_ask(q, m, kind);
	return true;
}

bool finish_may_tell(const struct qmgr *q, const struct msg *m)
{
	return m->sender[0] != '\0' && (m->trust != SPOOL_STRANGER || q->queue->bounce_strangers != CFG_BOUNCE_HOLD);
}

static bool wants_delay(const struct msg *m)
{
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].state == RCPT_DEFERRED && rcpt_wants_delay(&m->rcpt[i]))
			return true;
	return false;
}

static bool late_enough(const struct qmgr *q, const struct msg *m)
{
	if (held_back(m))
		return false;
	if (m->asks.deliver_by > 0 && !m->asks.by_return)
		return q_now() >= m->asks.deliver_by;
	return retry_warn(q->queue, since(m), q_now());
}

static bool report_delay(struct qmgr *q, struct msg *m)
{
	if (m->warned || m->warn_asked || !finish_may_tell(q, m) || !wants_delay(m) || !late_enough(q, m))
		return false;
	m->warn_asked = true;
	if (one_too_many(q, m, &q->others_told) > 0)
		return false;
	bouncing_ask(q, m, BOUNCE_DELAYED);
	return true;
}

/* All that is owed, or what the report before `end` named. */
static void end_owed(struct msg *m, size_t end, bool all)
{
	for (size_t i = 0; i < end; i++)
		if (rcpt_owed(&m->rcpt[i]) && (all || m->rcpt[i].named))
			set_status(m, &m->rcpt[i], SPOOL_DONE);
}

/* What was delivered is told when nothing of the message is on its way any more: one report for all. That it was delivered is on
 * disk before: a crash repeats the report, not the delivery. True: the message waits. */
static bool report_success(struct qmgr *q, struct msg *m)
{
	if (msg_owed_rcpts(m) == 0 || m->telling || held_back(m))
		return false;
	if (!finish_may_tell(q, m)) { /* an expanded address: smtpd does not know the rules */
		end_owed(m, m->n_rcpt, true);
		return false;
	}
	if (m->dirty > 0 && !m->mark_failed)
		finish_mark(q, m);
	else if (one_too_many(q, m, &q->others_told) == 0)
		bouncing_ask(q, m, BOUNCE_SUCCESS);
	else {
		end_owed(m, m->n_rcpt, true);
		return false;
	}
	return true;
}

static void success_reported(struct qmgr *q, struct msg *m, enum reported how, const char *text)
{
	if (how == REPORT_LATER && q_now() < retry_expires(q->queue, since(m), false)) {
		LOG_WARN("report-failed", KV_QID(m->id.text), KV_STR("to", m->sender), KV_STR("reason", text));
		reasons_set(q->reasons, &m->id, text);
		m->telling = true;
	} else {
		/* Refused for good: there is nobody to tell, and nothing is lost. */
		end_owed(m, m->report_end, false);
		if (how == REPORTED)
			LOG_INFO("success-reported", KV_QID(m->id.text), KV_STR("to", m->sender));
		else
			LOG_WARN("report-dropped", KV_QID(m->id.text), KV_STR("to", m->sender), KV_STR("reason", text));
	}
	finish_msg(q, m);
}

/* Those whom the report named: the others are still to be told of. */
static void told(struct msg *m)
{
	for (size_t i = 0; i < m->report_end; i++)
		if (m->rcpt[i].state == RCPT_FAILED)
			set_status(m, &m->rcpt[i], SPOOL_FAILED);
	LOG_INFO("bounced", KV_QID(m->id.text), KV_STR("to", m->sender),
		KV_STR("kind", m->report == BOUNCE_DOUBLE ? "postmaster" : "failed"));
}

/* The sender that a stranger gave takes no report, so it is most likely one of ours that he made up. That is a double bounce: kept,
 * such mail would fill the disk at his will. */
static bool is_nobody(const struct msg *m) { return m->report == BOUNCE_FAILED && m->trust == SPOOL_STRANGER; }

static void end_nobody(struct qmgr *q, struct msg *m, const char *text)
{
	LOG_WARN("report-dropped", KV_QID(m->id.text), KV_STR("to", m->sender), KV_STR("reason", text));
	if (q->queue->double_bounce_postmaster && !to_postmaster(m)) {
		bouncing_ask(q, m, BOUNCE_DOUBLE);
		return;
	}
	end_double(m);
	finish_msg(q, m);
}

void finish_reported(struct qmgr *q, struct msg *m, enum reported how, const char *text)
{
	enum bounce_kind kind = (enum bounce_kind)m->report;
	if (kind == BOUNCE_DELAYED) {
		m->warned = how != REPORT_LATER;
		if (how == REPORTED)
			LOG_INFO("delay-reported", KV_QID(m->id.text), KV_STR("to", m->sender));
		finish_msg(q, m);
		return;
	}
	if (kind == BOUNCE_SUCCESS) {
		success_reported(q, m, how, text);
		return;
	}
	if (how == REPORT_REFUSED && is_nobody(m)) {
		end_nobody(q, m, text);
		return;
	}
	if (how == REPORTED && kind != BOUNCE_HELD)
		told(m);
	else
		fail_later(m);
	if (how == REPORT_REFUSED)
		LOG_ERROR("report-refused", KV_QID(m->id.text), KV_STR("to", m->sender), KV_STR("reason", text));
	else if (how == REPORT_LATER)
		LOG_WARN("report-failed", KV_QID(m->id.text), KV_STR("to", m->sender), KV_STR("reason", text));
	if (m->act == ACT_NONE && (how == REPORT_REFUSED || (how == REPORTED && kind == BOUNCE_HELD)))
		m->act = ACT_HOLD;
	finish_msg(q, m);
}

/* --- the end --------------------------------------------------------------------------------------------------------------- */

static void close_and_forget(struct qmgr *q, struct msg *m)
{
	uint32_t slot = m->slot;
	work_close(q, m);
	work_forget(q, slot);
}

/* What the disk keeps would be taken for mail by the next queue-mgr: tried again until it is gone. */
static void unlink_later(struct qmgr *q, struct msg *m, const struct err *e)
{
	uint32_t slot = m->slot;
	LOG_ERROR("unlink-failed", KV_QID(m->id.text), KV_ERR(e));
	work_close(q, m);
	index_at(q->index, slot)->flags |= ENTRY_WANT_DELETE;
	index_due_set(q->index, slot, q_now() + SOON_SECS);
}

static void unlink_file(struct qmgr *q, struct msg *m, const char *event)
{
	char name[SPOOL_NAME_MAX];
	struct err e;
	index_name(q->index, m->slot, name);
	if (!m->gone && !qfile_unlink(qfile_dir(&q->dir, index_at(q->index, m->slot)->where, &m->id), name, &e)) {
		unlink_later(q, m, &e);
		return;
	}
	if (strcmp(event, "removed") == 0)
		LOG_DEBUG("removed", KV_QID(m->id.text));
	else
		LOG_INFO(event, KV_QID(m->id.text));
	close_and_forget(q, m);
}

/* A name that is gone: an agent that died had renamed it (DESIGN D4, Locks). */
static bool vanished(struct qmgr *q, struct msg *m, const struct err *e)
{
	if (e->sys != ENOENT)
		return false;
	if (m->died)
		LOG_INFO("delivered", KV_QID(m->id.text), KV_STR("to", m->rcpt[0].addr),
			KV_STR("where", "by an agent that ended before it said so"), KV_STR("dsn", "2.0.0"),
			KV_STR("how", "rename"));
	else
		LOG_WARN("gone", KV_QID(m->id.text));
	close_and_forget(q, m);
	return true;
}

static void hold_file(struct qmgr *q, struct msg *m)
{
	struct entry_change c = entry_as_is(q->index, m->slot);
	struct err e;
	c.where = IN_HOLD;
	c.owner = m->act_owner;
	c.warned = m->warned;
	c.dest = msg_dest(m);
	if (entry_move(q->index, &q->dir, m->slot, &c, &e)) {
		LOG_INFO("held", KV_QID(m->id.text));
		work_close(q, m);
		return;
	}
	if (vanished(q, m, &e))
		return;
	LOG_ERROR("hold-failed", KV_QID(m->id.text), KV_ERR(&e));
	uint32_t slot = m->slot;
	work_close(q, m);
	index_due_set(q->index, slot, q_now() + SOON_SECS);
}

static void log_deferred(struct qmgr *q, const struct msg *m, uint32_t next)
{
	const char *reason = NULL;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		const struct rcpt *r = &m->rcpt[i];
		if (r->state != RCPT_DEFERRED || r->text == NULL)
			continue;
		reason = reason == NULL ? r->text : reason;
		LOG_INFO("deferred", KV_QID(m->id.text), KV_STR("to", r->addr), KV_STR("orig", r->orig), KV_STR("dsn", r->dsn),
			KV_STR("where", r->where), KV_STR("reason", r->text), KV_U64("next", next));
	}
	if (reason != NULL)
		reasons_set(q->reasons, &m->id, reason);
}

static void postpone(struct qmgr *q, struct msg *m)
{
	struct entry_change c = entry_as_is(q->index, m->slot);
	struct err e;
	uint32_t now = q_now(), slot = m->slot, pause = 0;
	c.where = IN_CUR;
	c.warned = m->warned;
	c.dest = msg_dest(m);
	c.sender = m->sender_key;
	if (m->act == ACT_REQUEUE) {
		c.tries = 0;
		index_at(q->index, slot)->flags |= ENTRY_LOOK; /* the count starts anew, the earlier attempts have been */
	}
	if (held_back(m)) {
		pause = (uint32_t)MIN(m->asks.hold_until, (uint64_t)UINT32_MAX) - now;
		LOG_INFO("waits-for-release", KV_QID(m->id.text), KV_STR("from", m->sender), KV_U64("next", pause));
	} else if (m->act != ACT_REQUEUE && !q->draining) {
		c.tries++;
		pause = m->died && c.tries <= DEATHS_SOON ? SOON_SECS : retry_pause(q->queue, c.tries, rnd_u64());
		if (m->asks.deliver_by > now) /* DELIVERBY: what is to be done then is done in time */
			pause = (uint32_t)MIN((uint64_t)pause, m->asks.deliver_by - now);
	}
	c.due = now + pause;
	if (!entry_move(q->index, &q->dir, slot, &c, &e)) {
		if (vanished(q, m, &e))
			return;
		/* The name keeps the old time, which after a restart means an earlier attempt. */
		LOG_ERROR("rename-failed", KV_QID(m->id.text), KV_ERR(&e));
		c.due = now + MAX(pause, 1u);
	}
	log_deferred(q, m, pause);
	work_close(q, m);
	index_due_set(q->index, slot, c.due);
}

void finish_msg(struct qmgr *q, struct msg *m)
{
	if (q->draining)
		work_withdraw(q, m);
	if (m->waiting > 0 || m->sent > 0 || m->marking || m->asked)
		return;
	if (m->gone || m->act == ACT_DELETE) {
		unlink_file(q, m, m->gone ? "removed" : "deleted");
		return;
	}
	if (!q->draining) {
		expire(q, m);
		if (report_failed(q, m) || report_success(q, m))
			return;
	}
	if (msg_open_rcpts(m) == 0 && msg_owed_rcpts(m) == 0) {
		unlink_file(q, m, "removed");
		return;
	}
	if (m->dirty > 0 && !m->mark_failed) {
		finish_mark(q, m);
		return;
	}
	if (m->act == ACT_HOLD)
		hold_file(q, m);
	else if (m->act != ACT_NONE || q->draining || !report_delay(q, m))
		postpone(q, m);
}
