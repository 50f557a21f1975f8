/* AUTH (RFC 4954). The dialogue is authd's; here are its place in the session, its form on the wire, and the replies. */
#include "auth.h"

#include "base/base64.h"
#include "base/secret.h"

/* --- what is offered ------------------------------------------------------------------------------------------------------ */

/* Here, at least after STARTTLS. */
static bool belongs_here(const struct session *s)
{
	const struct cfg_listener *l = s->client.listener;
	if (s->client.kind != CLIENT_NET)
		return s->client.kind == CLIENT_SUBMIT;
	if (!l)
		return false;
	return l->protocol == CFG_PROTO_SUBMISSION || l->protocol == CFG_PROTO_SUBMISSIONS ||
	       (l->protocol == CFG_PROTO_SMTP && s->cfg->auth.smtp_auth);
}

/* RFC 4954 4: passwords do not travel in the clear. Within this machine nobody listens. */
static bool is_safe(const struct session *s)
{
	return s->client.kind == CLIENT_SUBMIT || s->tls_active || addr_is_loopback(&s->client.addr);
}

bool auth_works(const struct session *s) { return s->esmtp && belongs_here(s) && is_safe(s); }

/* SCRAM where only system users are, whose passwords PAM alone knows, fails for all, and many programs try nothing after it. So it
 * is shown when somebody has a verifier, or where there is no other way for passwords. */
void auth_look(struct session *s)
{
	const struct cfg_list *l = &s->cfg->auth.auth_mechanisms;
	struct auth_offer q = { 0 };
	struct auth_offered a = { 0 };
	struct err e = { 0 };
	bool scram = false, other = false;
	for (size_t i = 0; i < l->n; i++) {
		scram = scram || sv_istarts(sv_of(l->item[i]), SV("SCRAM-"));
		other = other || sv_ieqs(sv_of(l->item[i]), "PLAIN") || sv_ieqs(sv_of(l->item[i]), "LOGIN");
	}
	s->no_scram = false;
	if (!scram || !other || s->client.kind != CLIENT_NET || !auth_works(s))
		return;
	snprintf(q.session, sizeof q.session, "%s", s->id);
	if (s->ops->auth_offer(s->env, &q, &a, &e))
		s->no_scram = !a.scram;
	else
		LOG_WARN("authd-failed", KV_ERR(&e));
}

static bool is_mechanism(const struct session *s, struct sv name)
{
	if (s->client.kind == CLIENT_SUBMIT)
		return sv_ieqs(name, "EXTERNAL") && *s->client.user;
	if (sv_ieqs(name, "EXTERNAL"))
		return s->tls_active && *s->tls.peer;
	if (s->no_scram && sv_istarts(name, SV("SCRAM-")))
		return false;
	if (sv_ieqs(name, "SCRAM-SHA-256-PLUS"))
		return s->tls_active && s->tls.exporter.len > 0;
	return true;
}

static const char *find_mechanism(const struct session *s, struct sv name)
{
	const struct cfg_list *l = &s->cfg->auth.auth_mechanisms;
	for (size_t i = 0; i < l->n; i++)
		if (sv_ieqs(name, l->item[i]) && is_mechanism(s, name))
			return l->item[i];
	return NULL;
}

void auth_mechanisms(const struct session *s, struct buf *out)
{
	const struct cfg_list *l = &s->cfg->auth.auth_mechanisms;
	for (size_t i = 0; i < l->n; i++)
		if (is_mechanism(s, sv_of(l->item[i])))
			buf_putf(out, " %s", l->item[i]);
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static enum phase unavailable(struct session *s, const char *text, struct buf *reply)
{
	smtp_reply(reply, 454, "4.7.0", text);
	return s->phase;
}

static enum phase unknown_mechanism(struct session *s, struct buf *reply)
{
	struct buf names = BUF_INIT(300);
	auth_mechanisms(s, &names);
	session_complain(s, reply, 504, "5.5.4", "The mechanisms here are%s", buf_str(&names));
	buf_free(&names);
	return s->phase;
}

static enum phase challenge(struct session *s, const char *text, struct buf *reply)
{
	if (sv_has_ctl(sv_of(text)))
		return unavailable(s, "Authentication does not work now, try again later", reply);
	s->auth_open = true;
	buf_putf(reply, "334 %s\r\n", text); /* as it is: RFC 4954 4 sets the limit */
	return PH_AUTH;
}

static enum phase authenticated(struct session *s, const char *account, struct buf *reply)
{
	if (!*account || !sv_copy(sv_of(account), s->account, sizeof s->account))
		return unavailable(s, "Authentication does not work now, try again later", reply);
	smtp_reply(reply, 235, "2.7.0", "Authentication succeeded");
	return PH_HELLO;
}

static enum phase take_answer(struct session *s, const struct auth_answer *a, struct buf *reply)
{
	switch ((enum auth_status)a->status) {
	case AUTH_CHALLENGE:
		return challenge(s, a->text, reply);
	case AUTH_OK:
		return authenticated(s, a->account, reply);
	case AUTH_DENIED:
		return session_complain(s, reply, 535, "5.7.8", "The credentials are not valid");
	case AUTH_THROTTLED:
		return session_complain(s, reply, 454, "4.7.0", "%s", a->text);
	case AUTH_MALFORMED:
		return session_complain(s, reply, 501, "5.5.2", "%s", a->text);
	case AUTH_UNKNOWN:
		return unknown_mechanism(s, reply);
	case AUTH_TEMP:
		break;
	}
	return unavailable(s, *a->text ? a->text : "Authentication does not work now, try again later", reply);
}

static enum phase ask(struct session *s, const struct auth_start *start, struct sv response, struct buf *reply)
{
	struct auth_answer *a = mem_new(sizeof *a);
	struct err e = { 0 };
	enum phase phase;
	s->auth_open = false;
	if (s->ops->auth(s->env, start, response, a, &e)) {
		phase = take_answer(s, a, reply);
	} else {
		LOG_WARN("authd-failed", KV_ERR(&e));
		phase = unavailable(s, "Authentication does not work now, try again later", reply);
	}
	free(a);
	return phase;
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static bool may_begin(struct session *s, struct buf *reply)
{
	if (*s->account)
		session_complain(s, reply, 503, "5.5.1", "You have authenticated already");
	else if (!belongs_here(s))
		session_complain(s, reply, 502, "5.5.1", "AUTH is not offered here");
	else if (!is_safe(s))
		session_complain(s, reply, 538, "5.7.11", "Say STARTTLS first: passwords are not taken in the clear");
	else if (!s->esmtp)
		session_complain(s, reply, 503, "5.5.1", "Say EHLO first");
	else
		return true;
	return false;
}

static void put_binding(const struct tls_binding *b, char *dst, size_t size)
{
	struct buf hex = BUF_INIT(2 * sizeof b->data);
	hex_put(&hex, (struct sv){ (const char *)b->data, b->len });
	BUG_IF(!sv_copy(buf_sv(&hex), dst, size));
	buf_free(&hex);
}

static void fill_start(const struct session *s, const char *mechanism, struct sv initial, struct auth_start *q)
{
	snprintf(q->session, sizeof q->session, "%s", s->id);
	snprintf(q->mechanism, sizeof q->mechanism, "%s", mechanism);
	snprintf(q->client_ip, sizeof q->client_ip, "%s", s->client_text);
	if (s->client.kind == CLIENT_SUBMIT)
		snprintf(q->local_user, sizeof q->local_user, "%s", s->client.user);
	q->has_initial = initial.p != NULL;
	BUG_IF(!sv_copy(initial, q->initial, sizeof q->initial));
	q->trusted = s->client.trusted;
	if (!s->tls_active)
		return;
	snprintf(q->certificate, sizeof q->certificate, "%s", s->tls.peer);
	put_binding(&s->tls.exporter, q->exporter, sizeof q->exporter);
	put_binding(&s->tls.unique, q->unique, sizeof q->unique);
	put_binding(&s->tls.end_point, q->end_point, sizeof q->end_point);
}

enum phase cmd_auth(struct session *s, struct sv arg, struct buf *reply)
{
	struct sv name, initial = { 0 }, more;
	if (!may_begin(s, reply))
		return s->phase;
	if (!sv_word(&arg, &name) || (sv_word(&arg, &initial) && sv_word(&arg, &more)))
		return session_complain(s, reply, 501, "5.5.4", "Write AUTH mechanism [initial-response]");
	const char *mechanism = find_mechanism(s, name);
	if (!mechanism)
		return unknown_mechanism(s, reply);
	if (initial.n > AUTH_LINE_MAX)
		return session_complain(s, reply, 500, "5.5.6", "The initial response is too long");
	struct auth_start *q = mem_new(sizeof *q);
	fill_start(s, mechanism, initial, q);
	enum phase phase = ask(s, q, SV(""), reply);
	secret_wipe(q, sizeof *q);
	free(q);
	return phase;
}

void auth_abort(struct session *s)
{
	if (s->auth_open)
		s->ops->auth_cancel(s->env);
	s->auth_open = false;
	if (s->phase == PH_AUTH)
		s->phase = PH_HELLO;
}

void auth_response(struct session *s, struct sv line, struct buf *reply)
{
	if (sv_eqs(line, "*")) { /* RFC 4954 4 */
		auth_abort(s);
		session_complain(s, reply, 501, "5.7.0", "Authentication cancelled");
		return;
	}
	s->phase = PH_HELLO;
	s->phase = ask(s, NULL, line, reply);
}

/* --- budgets -------------------------------------------------------------------------------------------------------------- */

bool budget_allows(struct session *s, struct refusal *r)
{
	struct auth_spend q = { .messages = s->txn.taken == 0, .recipients = 1 };
	struct auth_spent a = { 0 };
	struct err e = { 0 };
	if (!*s->account)
		return true;
	snprintf(q.session, sizeof q.session, "%s", s->id);
	snprintf(q.account, sizeof q.account, "%s", s->account);
	snprintf(q.client_ip, sizeof q.client_ip, "%s", s->client_text);
	if (!s->ops->spend(s->env, &q, &a, &e)) {
		LOG_WARN("authd-failed", KV_ERR(&e));
		refusal_set(r, 451, "4.3.0", "What you may send cannot be looked up now, try again later");
	} else if (a.budget == AUTH_LATER) {
		refusal_set(r, 450, "4.7.1", "%s", a.text);
	} else if (a.budget == AUTH_FROZEN) {
		refusal_set(r, 550, "5.7.1", "%s", a.text);
	}
	return r->code == 0;
}
