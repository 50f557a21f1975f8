/* Users, for `postern user`: each request is one change, durable before its answer, or one step of a listing. */
#include "server.h"

#include "base/clock.h"
#include "base/log.h"
#include "smtp/saslprep.h"

static const char *const op_names[] = { "add", "passwd", "delete", "disable", "enable", "unfreeze", "list", "app-add", "app-list",
	"app-revoke", "cert-add", "cert-revoke" };

static bool is_hash(const char *hash) { return *hash == '$' && !sv_has_ctl(sv_of(hash)) && sv_chr(sv_of(hash), ' ') < 0; }

/* --- changes of one record; each returns what is wrong in `e` ------------------------------------------------------------- */

static bool set_password(struct record *r, const struct user_req *q, struct err *e)
{
	if (!is_hash(q->secret) || !scram_verifier_parse(sv_of(q->scram), &r->scram))
		return err_set(e, ERR_PERM, "hash or verifier have no form that is known here: is `postern` of another version?");
	BUG_IF(!sv_copy(sv_of(q->secret), r->hash, sizeof r->hash));
	r->has_scram = true;
	return true;
}

static bool set_disabled(struct record *r, const struct user_req *q, struct err *e)
{
	(void)e;
	r->disabled = q->op == USER_DISABLE;
	return true;
}

static bool unfreeze(struct record *r, const struct user_req *q, struct err *e)
{
	(void)q;
	if (!r->frozen)
		return err_set(e, ERR_PERM, "%s is not frozen", r->name);
	r->frozen = 0;
	return true;
}

static bool app_add(struct record *r, const struct user_req *q, struct err *e)
{
	if (!record_label_ok(sv_of(q->label)) || !record_fingerprint_ok(sv_of(q->secret)))
		return err_set(e, ERR_PERM, "an app password needs a label of at most %d bytes, and a hash", USER_LABEL_MAX);
	if (record_app(r, q->label))
		return err_set(e, ERR_PERM, "%s has an app password `%s` already", r->name, q->label);
	struct record_app *a = vec_push(&r->apps);
	if (!a)
		return err_set(e, ERR_LIMIT, "a user can have %d app passwords", RECORD_APPS_MAX);
	a->created = clock_real_secs();
	snprintf(a->label, sizeof a->label, "%s", q->label);
	BUG_IF(!sv_copy(sv_of(q->secret), a->hash, sizeof a->hash));
	return true;
}

static bool app_revoke(struct record *r, const struct user_req *q, struct err *e)
{
	struct record_app *a = record_app(r, q->label);
	if (!a)
		return err_set(e, ERR_PERM, "%s has no app password `%s`", r->name, q->label);
	vec_remove(&r->apps, (size_t)(a - VEC_AT(&r->apps, struct record_app, 0)));
	return true;
}

static bool cert_add(struct record *r, const struct user_req *q, struct err *e)
{
	if (!record_fingerprint_ok(sv_of(q->secret)))
		return err_set(e, ERR_PERM, "a fingerprint is a SHA-256 in 64 lower hex digits");
	if (record_cert(r, q->secret))
		return err_set(e, ERR_PERM, "%s has that certificate already", r->name);
	struct record_cert *c = vec_push(&r->certs);
	if (!c)
		return err_set(e, ERR_LIMIT, "a user can have %d certificates", RECORD_CERTS_MAX);
	BUG_IF(!sv_copy(sv_of(q->secret), c->fingerprint, sizeof c->fingerprint));
	return true;
}

static bool cert_revoke(struct record *r, const struct user_req *q, struct err *e)
{
	struct record_cert *c = record_cert(r, q->secret);
	if (!c)
		return err_set(e, ERR_PERM, "%s has no such certificate", r->name);
	vec_remove(&r->certs, (size_t)(c - VEC_AT(&r->certs, struct record_cert, 0)));
	return true;
}

static const struct {
	bool (*change)(struct record *, const struct user_req *, struct err *);
	enum { MUST_EXIST, MUST_NOT_EXIST, OF_SYSTEM } before;
} changes[] = {
	[USER_ADD] = { set_password, MUST_NOT_EXIST },
	[USER_PASSWD] = { set_password, MUST_EXIST },
	[USER_DISABLE] = { set_disabled, OF_SYSTEM }, /* of a system user too: the record is made */
	[USER_ENABLE] = { set_disabled, MUST_EXIST },
	[USER_UNFREEZE] = { unfreeze, MUST_EXIST },
	[USER_APP_ADD] = { app_add, OF_SYSTEM },
	[USER_APP_REVOKE] = { app_revoke, MUST_EXIST },
	[USER_CERT_ADD] = { cert_add, OF_SYSTEM },
	[USER_CERT_REVOKE] = { cert_revoke, MUST_EXIST },
};

static bool change(struct users *u, const struct user_req *q, struct err *e)
{
	struct record r;
	record_init(&r);
	enum users_result found = users_get(u, q->name, &r, e);
	bool ok = found != USERS_FAILED;
	if (ok && found == USERS_FOUND && changes[q->op].before == MUST_NOT_EXIST && *r.hash)
		ok = err_set(e, ERR_PERM, "there is a user %s already; passwd changes its password", r.name);
	if (ok && found == USERS_NONE && changes[q->op].before == MUST_EXIST)
		ok = err_set(e, ERR_PERM, "there is no user %s in the data base", q->name);
	if (ok && found == USERS_NONE && changes[q->op].before == OF_SYSTEM && !q->is_system)
		ok = err_set(e, ERR_PERM, "there is no user %s, neither in the data base nor in the system", q->name);
	if (ok && found == USERS_NONE) {
		BUG_IF(!sv_copy(sv_of(q->name), r.name, sizeof r.name));
		r.created = clock_real_secs();
	}
	ok = ok && changes[q->op].change(&r, q, e) && users_put(u, &r, false, e);
	record_free(&r);
	return ok;
}

/* --- listings ------------------------------------------------------------------------------------------------------------- */

static void done(struct chan *c, bool ok, const char *text)
{
	struct user_done d = { .ok = ok };
	snprintf(d.text, sizeof d.text, "%s", text);
	chan_send(c, &user_done_desc, &d);
}

static void list_users(struct chan *c, struct users *u, const struct user_req *q)
{
	struct record r;
	struct err e = { 0 };
	record_init(&r);
	enum users_result found = users_next(u, q->name, &r, &e);
	struct user_row row = { .has_password = *r.hash != '\0',
		.disabled = r.disabled,
		.frozen = r.frozen,
		.created = r.created,
		.used = r.used,
		.app_passwords = r.apps.len,
		.certificates = r.certs.len };
	snprintf(row.name, sizeof row.name, "%s", r.name);
	if (found == USERS_FOUND)
		chan_send(c, &user_row_desc, &row);
	else
		done(c, found == USERS_NONE, e.text);
	record_free(&r);
}

static void list_apps(struct chan *c, struct users *u, const struct user_req *q)
{
	struct record r;
	struct err e = { 0 };
	size_t i = 0;
	record_init(&r);
	enum users_result found = users_get(u, q->name, &r, &e);
	struct record_app *before = *q->label ? record_app(&r, q->label) : NULL;
	if (before)
		i = (size_t)(before - VEC_AT(&r.apps, struct record_app, 0)) + 1;
	if (found == USERS_NONE)
		err_set(&e, ERR_PERM, "there is no user %s in the data base", q->name);
	if (found == USERS_FOUND && i < r.apps.len) {
		const struct record_app *a = VEC_AT(&r.apps, struct record_app, i);
		struct user_row row = { .created = a->created, .used = a->used };
		snprintf(row.name, sizeof row.name, "%s", r.name);
		snprintf(row.label, sizeof row.label, "%s", a->label);
		chan_send(c, &user_row_desc, &row);
	} else {
		done(c, found == USERS_FOUND, e.text);
	}
	record_free(&r);
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static void act(struct chan *c, struct users *u, const struct user_req *q)
{
	struct err e = { 0 };
	bool ok = record_name_ok(sv_of(q->name)) ||
		  err_set(&e, ERR_PERM, "a user's name has no blanks and none of ( ) < > , ; : \\ \" /");
	ok = ok && (q->op == USER_DELETE ? users_delete(u, q->name, &e) : change(u, q, &e));
	if (ok && (q->op == USER_UNFREEZE || q->op == USER_DELETE))
		budget_forget(c->server->budgets, q->name);
	if (ok)
		LOG_INFO("user-changed", KV_STR("account", q->name), KV_STR("change", op_names[q->op]), KV_STR("label", q->label));
	done(c, ok, e.text);
}

/* As at a login: one form, and lower case. A listing names the row before. */
static bool prepare_name(struct user_req *q, struct err *e)
{
	char name[AUTH_ACCOUNT_MAX + 1];
	struct err why = { 0 };
	if (q->op == USER_NEXT)
		return true;
	if (!saslprep(sv_of(q->name), name, sizeof name, &why))
		return err_set(e, ERR_PERM, "that is no user name: %s", why.text);
	users_fold(name, q->name);
	return true;
}

bool control_on_user(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct user_req *q = msg;
	struct err why = { 0 };
	struct users *u = server_users(c->server, &why);
	(void)e;
	if (!u || !prepare_name(q, &why))
		done(c, false, why.text);
	else if (q->op == USER_NEXT)
		list_users(c, u, q);
	else if (q->op == USER_APP_NEXT)
		list_apps(c, u, q);
	else
		act(c, u, q);
	return true;
}
