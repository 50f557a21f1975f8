#include "sender.h"

#include "base/hmap.h"
#include "base/log.h"
#include "mail/verp.h"

#define DOMAINS_MAX 20002 /* the rows' limits for `domains`, and hostname and localhost */

void sender_load_keys(struct qmgr *q, const struct cfg *cfg)
{
	struct err e;
	if (cfg->global.srs && !srs_keys_load(cfg->global.state_directory, &q->srs, &e))
		LOG_WARN("srs-off", KV_ERR(&e));
}

static bool add_domain(struct qmgr *q, const char *domain, struct err *e)
{
	char name[MADDR_DOMAIN_MAX + 1];
	if (!maddr_domain_ascii(sv_of(domain), name, e))
		return false;
	BUG_IF(!hmap_get(q->ours, sv_of(name)) && !hmap_put(q->ours, sv_of(name), q));
	return true;
}

bool sender_init(struct qmgr *q, struct err *e)
{
	const struct cfg_global *g = &q->cfg->global;
	q->ours = hmap_new(DOMAINS_MAX);
	if (q->srs.n == 0)
		return true;
	for (size_t i = 0; i < g->domains.n; i++)
		if (!add_domain(q, g->domains.item[i], e))
			return false;
	return add_domain(q, g->hostname, e) && add_domain(q, "localhost", e);
}

void sender_free(struct qmgr *q)
{
	hmap_free(q->ours, NULL);
	q->ours = NULL;
}

static bool is_ours(const struct qmgr *q, const struct maddr *a)
{
	char name[MADDR_DOMAIN_MAX + 1];
	if (a->domain[0] == '\0')
		return true;
	return maddr_domain_ascii(sv_of(a->domain), name, NULL) && hmap_get(q->ours, sv_of(name)) != NULL;
}

/* Its recipient was one of ours, and is elsewhere now. */
static bool is_sent_on(const struct qmgr *q, const struct rcpt *r)
{
	struct maddr orig;
	return r->cls == CLASS_REMOTE && r->orig[0] != '\0' &&
	       maddr_parse(sv_of(r->orig), MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &orig, NULL) && is_ours(q, &orig);
}

/* List managers know the address that they gave, not what an alias made of it. */
static void add_recipient(const struct rcpt *r, struct maddr *sender)
{
	struct maddr rcpt;
	if (maddr_parse(sv_of(r->orig[0] != '\0' ? r->orig : r->addr), MADDR_UTF8_OK, &rcpt, NULL) &&
		!verp_sender(sender, &rcpt, r->msg->asks.verp, sender))
		LOG_DEBUG("verp-too-long", KV_QID(r->msg->id.text), KV_STR("to", r->addr));
}

static void copy_text(const char *text, char dst[ADDRESS_MAX + 1]) { BUG_IF(!sv_copy(sv_of(text), dst, ADDRESS_MAX + 1)); }

void sender_of_report(const struct rcpt *r, char dst[ADDRESS_MAX + 1])
{
	struct maddr sender;
	char text[MADDR_TEXT_MAX + 1];
	if (!maddr_parse(sv_of(r->msg->sender), MADDR_UTF8_OK, &sender, NULL)) {
		copy_text(r->msg->sender, dst);
		return;
	}
	add_recipient(r, &sender);
	copy_text(maddr_text(&sender, text), dst);
}

void sender_of(const struct qmgr *q, const struct rcpt *r, char dst[ADDRESS_MAX + 1])
{
	const struct msg *m = r->msg;
	struct maddr sender;
	char text[MADDR_TEXT_MAX + 1];
	bool verp = m->asks.verp[0] != '\0', sent_on = q->srs.n > 0 && is_sent_on(q, r);
	copy_text(m->sender, dst);
	if ((!verp && !sent_on) || m->sender[0] == '\0' || !maddr_parse(sv_of(m->sender), MADDR_UTF8_OK, &sender, NULL))
		return;
	if (verp)
		add_recipient(r, &sender);
	if (sent_on && !is_ours(q, &sender) && !srs_forward(&q->srs, &sender, q->cfg->global.srs_domain, q_now(), &sender))
		LOG_DEBUG("srs-too-long", KV_QID(m->id.text), KV_STR("from", m->sender));
	copy_text(maddr_text(&sender, text), dst);
}
