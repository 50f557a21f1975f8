#include "forward.h"

static bool failed(struct forward_result *ret, const struct err *e)
{
	*ret = (struct forward_result){ .status = DEFERRED };
	snprintf(ret->dsn, sizeof ret->dsn, "%s", *e->dsn ? e->dsn : "4.3.0");
	snprintf(ret->text, sizeof ret->text, "%s", e->text);
	return false;
}

/* A file that went away since the parent saw it says no more than one that was never there. */
static bool read_it(const struct mbx_user *user, const struct forward_order *o, struct dotforward *ret, struct err *e)
{
	struct dotforward_self self = { .user = o->user, .delimiter = o->delimiter };
	struct buf text = BUF_INIT(DOTFORWARD_SIZE_MAX);
	bool there = false;
	bool ok = maddr_parse(sv_of(o->rcpt), MADDR_UTF8_OK, &self.rcpt, e) && dotforward_read(user, o->name, &text, &there, e) &&
		  dotforward_parse(buf_sv(&text), &self, ret, e);
	buf_free(&text);
	return ok;
}

/* The own copy first: it can be found again by its name, what was sent cannot. */
void forward_deliver(const struct mbx_user *user, const struct mbx_copy *copy, const struct forward_order *o, int smtpd,
	char *ret_path, size_t path_size, struct forward_result *ret)
{
	struct dotforward f;
	struct err e;
	ret_path[0] = '\0';
	if (!read_it(user, o, &f, &e)) {
		failed(ret, &e);
		return;
	}
	*ret = (struct forward_result){ .status = DELIVERED, .dsn = "2.0.0" };
	if (f.own && !mbx_copy(user, copy, ret_path, path_size, &e))
		failed(ret, &e);
	else if (f.targets.len > 0)
		(void)submit_forward(copy, o, &f, smtpd, ret);
	dotforward_free(&f);
}
