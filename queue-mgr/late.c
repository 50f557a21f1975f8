#include "late.h"

#include "finish.h"
#include "look.h"
#include "work.h"
#include "base/fd.h"
#include "base/hmap.h"
#include "base/log.h"

#define IDS_MAX 100000

struct result { /* delivered recipients of one message */
	struct result *next;
	struct deliver_res res;
};

struct chan {
	struct qmgr *q;
	struct ev_io watch;
	struct ipc_seen seen;
};

struct late {
	struct q_listener listener[LANE_COUNT];
	struct hmap *by_id;
};

static void free_results(void *p)
{
	struct result *next;
	for (struct result *r = p; r != NULL; r = next) {
		next = r->next;
		free(r);
	}
}

static void remember(struct qmgr *q, const struct deliver_res *res)
{
	struct result *r = mem_new(sizeof(*r));
	r->res = *res;
	r->next = hmap_get(q->late->by_id, sv_of(res->id));
	if (!hmap_put(q->late->by_id, sv_of(res->id), r)) {
		LOG_WARN("late-lost", KV_QID(res->id));
		free(r);
	}
}

bool late_known(const struct qmgr *q, const struct spool_id *id)
{
	return hmap_len(q->late->by_id) > 0 && hmap_get(q->late->by_id, sv_of(id->text)) != NULL;
}

void late_apply(struct qmgr *q, struct msg *m)
{
	if (hmap_len(q->late->by_id) == 0)
		return;
	struct result *first = hmap_del(q->late->by_id, sv_of(m->id.text));
	for (struct result *r = first; r != NULL; r = r->next)
		if (r->res.number < m->n_rcpt)
			(void)work_late(q, &m->rcpt[r->res.number], &r->res);
	free_results(first);
}

static void take(struct qmgr *q, const struct spool_id *id, const struct deliver_res *res)
{
	uint32_t slot = index_find(q->index, id);
	if (slot == INDEX_NONE || index_at(q->index, slot)->state != ENTRY_OPEN) {
		if (!res->renamed) /* else its name is gone, which is found when it is opened */
			remember(q, res);
		if (slot != INDEX_NONE)
			work_ready(q, slot, RING_RETRY);
		return;
	}
	struct msg *m = work_open_msg(q, slot);
	if (res->number < m->n_rcpt && work_late(q, &m->rcpt[res->number], res))
		finish_msg(q, m);
}

static bool on_result(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct qmgr *q = c->q;
	const struct deliver_res *res = msg;
	struct deliver_ack heard;
	struct spool_id id;
	if (!spool_id_parse(sv_of(res->id), &id))
		return err_set(e, ERR_PEER, "no queue id");
	LOG_INFO("late", KV_QID(id.text), KV_U64("number", res->number),
		KV_STR("result", res->status == DELIVERED ? "delivered"
				 : res->status == FAILED  ? "failed"
							  : "deferred"),
		KV_STR("where", res->where));
	if (res->status == DELIVERED) /* else it is tried again, and the reason is fresh then */
		take(q, &id, res);
	memcpy(heard.id, id.text, sizeof(id.text));
	return ipc_send(c->watch.fd, &deliver_ack_desc, &heard, 0, e);
}

static const struct ipc_rule rules[] = {
	{ &deliver_res_desc, 1, 1, 0, on_result },
	{ NULL },
};

static void on_chan(struct ev_io *w, unsigned events, void *arg)
{
	struct chan *c = arg;
	struct qmgr *q = c->q;
	struct err e;
	(void)events;
	for (;;) {
		bool got = ipc_recv(w->fd, &q->packet, 0, &e);
		if (got && ipc_dispatch(rules, &c->seen, 1, 1, &q->packet, c, &e))
			continue;
		if (!got && e.kind == ERR_TEMP)
			break;
		if (got || e.sys != 0)
			LOG_WARN("channel-dropped", KV_STR("peer", "agent"), KV_ERR(&e));
		ev_del(q->loop, w);
		close(w->fd);
		free(c);
		look_hint(q);
		break;
	}
	work_dispatch(q);
}

static void on_new_chan(struct qmgr *q, int fd)
{
	struct chan *c = mem_new(sizeof(*c));
	struct err e;
	c->q = q;
	c->watch = (struct ev_io){ .fd = fd, .on = on_chan, .arg = c };
	if (ev_add(q->loop, &c->watch, EV_READ, &e))
		return;
	LOG_ERROR("channel-failed", KV_STR("peer", "agent"), KV_ERR(&e));
	close(fd);
	free(c);
}

bool late_init(struct qmgr *q, struct err *e)
{
	(void)e;
	q->late = mem_new(sizeof(*q->late));
	q->late->by_id = hmap_new(IDS_MAX);
	for (size_t i = 0; i < LANE_COUNT; i++)
		q->late->listener[i].watch.fd = -1;
	return true;
}

bool late_start(struct qmgr *q, struct err *e)
{
	return q_listen(q, &q->late->listener[LANE_LOCAL], "queue-mgr.local-delivery", on_new_chan, e) &&
	       q_listen(q, &q->late->listener[LANE_REMOTE], "queue-mgr.remote-delivery", on_new_chan, e);
}

void late_stop(struct qmgr *q)
{
	for (size_t i = 0; i < LANE_COUNT; i++)
		ev_del(q->loop, &q->late->listener[i].watch);
}

void late_free(struct qmgr *q)
{
	if (q->late == NULL)
		return;
	late_stop(q);
	hmap_free(q->late->by_id, free_results);
	free(q->late);
	q->late = NULL;
}
