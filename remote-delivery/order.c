#include "order.h"

bool item_check(struct item *it)
{
	const struct deliver_req *r = &it->req;
	struct spool_id id;
	struct err e;
	it->res = (struct deliver_res){ .number = r->number };
	memcpy(it->res.id, r->id, sizeof it->res.id);
	it->settled = it->accepted = false;
	if (!spool_id_parse(sv_of(r->id), &id) || r->offset > r->size || sv_has_ctl(sv_of(r->orcpt)))
		err_set(&e, ERR_TEMP, "queue-mgr's order does not fit together");
	else if (maddr_parse(sv_of(r->rcpt), MADDR_UTF8_OK, &it->addr, &e))
		return true;
	item_settle(it, DEFERRED, "4.3.0", "", e.text);
	return false;
}

bool order_begin(struct order *o, struct err *e)
{
	const struct deliver_req *r = &o->item[0].req;
	struct sv sender = sv_of(r->sender), author = sv_of(r->author);
	o->sender = o->author = (struct maddr){ .null = true };
	o->wire_size = 0;
	return (sender.n == 0 || maddr_parse(sender, MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &o->sender, e)) &&
	       (author.n == 0 || maddr_parse(author, MADDR_UTF8_OK | MADDR_NO_DOMAIN_OK, &o->author, e)) &&
	       spool_options_parse(sv_of(r->postern), &o->options, e);
}

bool order_open(const struct order *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->item[i].settled)
			return true;
	return false;
}

void item_settle(struct item *it, enum deliver_status status, const char *dsn, const char *where, const char *text)
{
	const char *fallback = status == DELIVERED ? "2.0.0" : status == FAILED ? "5.0.0" : "4.0.0";
	/* RFC 3463 2: the class must be that of the outcome, whatever the peer's code says. */
	bool fits = *dsn && dsn[0] == fallback[0];
	struct err clean;
	it->settled = true;
	it->res.status = status;
	snprintf(it->res.dsn, sizeof it->res.dsn, "%s", fits ? dsn : fallback);
	err_set(&clean, ERR_NONE, "%s", where);
	snprintf(it->res.where, sizeof it->res.where, "%s", clean.text);
	err_set(&clean, ERR_NONE, "%s", text);
	snprintf(it->res.text, sizeof it->res.text, "%s", clean.text);
}

void order_settle(struct order *o, const struct err *e, const char *dsn, const char *where, bool host)
{
	bool failed = e->kind == ERR_PERM;
	for (size_t i = 0; i < o->n; i++) {
		struct item *it = &o->item[i];
		if (it->settled)
			continue;
		it->res.host = host && !failed;
		item_settle(it, failed ? FAILED : DEFERRED, *e->dsn ? e->dsn : dsn, where, e->text);
	}
}
