/* A dialogue from its first message to its verdict. Whatever the reason of a failure, the client gets the same text after the same
 * time; the reason goes into the log. */
#include "server.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "smtp/saslprep.h"

#define USED_EVERY 60 /* seconds: "last used" is written no more often */

static bool offered(const struct server *s, const char *mechanism)
{
	const struct cfg_list *l = &s->cfg->auth.auth_mechanisms;
	for (size_t i = 0; i < l->n; i++)
		if (sv_ieqs(sv_of(mechanism), l->item[i]))
			return true;
	return false;
}

void login_free(struct chan *c)
{
	if (!c->login)
		return;
	sasl_free(&c->login->sasl);
	secret_wipe(c->login, sizeof *c->login);
	free(c->login);
	c->login = NULL;
}

/* --- the end of a dialogue ------------------------------------------------------------------------------------------------ */

static void answer(struct chan *c, enum auth_status status, const char *account, const char *text)
{
	struct auth_answer *a = mem_new(sizeof *a);
	a->status = status;
	snprintf(a->account, sizeof a->account, "%s", account);
	snprintf(a->text, sizeof a->text, "%s", text);
	if (status != AUTH_CHALLENGE)
		login_free(c);
	chan_phase(c, status == AUTH_CHALLENGE ? PH_ASKED : PH_IDLE);
	chan_send(c, &auth_answer_desc, a);
	free(a);
}

static void trouble(struct chan *c, const char *reason)
{
	LOG_ERROR("auth-unavailable", KV_SID(c->login->start.session), KV_STR("client", c->login->start.client_ip),
		KV_STR("reason", reason));
	answer(c, AUTH_TEMP, "", "Authentication does not work now, try again later");
}

static void on_later(struct ev_timer *t, void *arg)
{
	struct chan *c = arg;
	(void)t;
	answer(c, AUTH_DENIED, "", "");
}

/* Not at once: counted from when the response came, so that the time tells nothing about how far we got. */
static void fail(struct chan *c, const char *reason)
{
	struct login *l = c->login;
	struct server *s = c->server;
	uint64_t now = ev_now_ms(s->loop);
	uint64_t delay = throttle_failed(s->throttle, &l->client, sv_of(l->sasl.password), now);
	LOG_INFO("auth-failed", KV_SID(l->start.session), KV_STR("user", l->sasl.user), KV_STR("mechanism", l->start.mechanism),
		KV_STR("client", l->start.client_ip), KV_STR("reason", reason));
	secret_wipe(l->sasl.password, sizeof l->sasl.password);
	chan_phase(c, PH_BUSY);
	c->later = (struct ev_timer){ .on = on_later, .arg = c };
	ev_timer_at(s->loop, &c->later, l->since_ms + delay);
}

static void note_use(struct chan *c, struct record *r, struct record_app *app)
{
	uint64_t now = clock_real_secs();
	struct err e = { 0 };
	if (now < r->used + USED_EVERY && (!app || now < app->used + USED_EVERY))
		return;
	r->used = now;
	if (app)
		app->used = now;
	struct users *u = server_users(c->server, &e);
	if (!u || !users_put(u, r, true, &e))
		LOG_WARN("users-failed", KV_ERR(&e));
}

static void pass(struct chan *c, const char *account, const char *app)
{
	struct login *l = c->login;
	throttle_passed(c->server->throttle, &l->client, ev_now_ms(c->server->loop));
	LOG_INFO("authenticated", KV_SID(l->start.session), KV_STR("account", account), KV_STR("mechanism", l->start.mechanism),
		KV_STR("client", l->start.client_ip), KV_STR("app", app));
	char name[AUTH_ACCOUNT_MAX + 1];
	snprintf(name, sizeof name, "%s", account);
	answer(c, AUTH_OK, name, "");
}

/* true: too many failures before this; the dialogue is over. */
static bool throttled(struct chan *c)
{
	struct login *l = c->login;
	uint64_t left;
	if (!throttle_locked(c->server->throttle, &l->client, ev_now_ms(c->server->loop), &left))
		return false;
	LOG_WARN("auth-throttled", KV_SID(l->start.session), KV_STR("user", l->sasl.user), KV_STR("client", l->start.client_ip),
		KV_U64("seconds", left));
	answer(c, AUTH_THROTTLED, "", "Too many failed attempts, try again later");
	return true;
}

/* A system user may write user@domain, too, where the domain is ours. */
static void short_name(const struct server *s, const char *user, char dst[AUTH_ACCOUNT_MAX + 1])
{
	struct sv name = sv_of(user);
	ptrdiff_t at = sv_rchr(name, '@');
	for (size_t i = 0; at > 0 && i < s->cfg->global.domains.n; i++)
		if (sv_ieqs(sv_skip(name, (size_t)at + 1), s->cfg->global.domains.item[i]))
			name.n = (size_t)at;
	BUG_IF(!sv_copy(name, dst, AUTH_ACCOUNT_MAX + 1));
}

/* false: the data base cannot be asked; the dialogue is over. *ret_found false: no such user. */
static bool look_up(struct chan *c, const char *name, struct record *r, bool *ret_found)
{
	struct err e = { 0 };
	struct users *u = server_users(c->server, &e);
	enum users_result found = u ? users_get(u, name, r, &e) : USERS_FAILED;
	*ret_found = found == USERS_FOUND;
	if (found == USERS_FAILED)
		trouble(c, e.text);
	return found != USERS_FAILED;
}

/* --- passwords ------------------------------------------------------------------------------------------------------------ */

/* For our own hashes, which `postern user` made of the prepared form (RFC 4013). What cannot be prepared fits none of them. */
static void copy_password(const struct login *l, bool prepared, char dst[AUTH_PASSWORD_MAX + 1])
{
	if (!prepared || !saslprep(sv_of(l->sasl.password), dst, AUTH_PASSWORD_MAX + 1, NULL))
		snprintf(dst, AUTH_PASSWORD_MAX + 1, "%s", l->sasl.password);
}

static void ask_checker(struct chan *c, struct errands *by, const char *user, const char *hash)
{
	const struct login *l = c->login;
	struct auth_ask *q = mem_new(sizeof *q);
	q->id = c->id;
	snprintf(q->user, sizeof q->user, "%s", user);
	copy_password(l, *hash != '\0', q->password);
	snprintf(q->hash, sizeof q->hash, "%s", hash);
	snprintf(q->client_ip, sizeof q->client_ip, "%s", l->start.client_ip);
	bool ok = errands_ask(by, q);
	secret_wipe(q, sizeof *q);
	free(q);
	if (ok)
		chan_phase(c, PH_BUSY);
	else
		trouble(c, "too many passwords wait to be checked");
}

/* The same work for all: who is not known, or disabled, has a hash that fits nothing. */
static void check_main_password(struct chan *c, const struct record *r, bool found)
{
	struct login *l = c->login;
	struct server *s = c->server;
	bool disabled = found && r->disabled;
	l->known = found && *r->hash && !disabled;
	l->by_pam = (!found || !*r->hash) && !disabled && s->pam.io.fd >= 0;
	if (l->by_pam)
		snprintf(l->account, sizeof l->account, "%s", l->claimed);
	else
		snprintf(l->account, sizeof l->account, "%s", l->known ? r->name : "");
	if (l->by_pam)
		ask_checker(c, &s->pam, l->account, "");
	else
		ask_checker(c, &s->hash, l->sasl.user, *r->hash ? r->hash : s->no_hash);
}

static void check_password(struct chan *c)
{
	struct login *l = c->login;
	struct record r;
	bool found;
	if (throttled(c))
		return;
	record_init(&r);
	bool ok = look_up(c, l->sasl.user, &r, &found);
	if (ok && !found &&
		strcmp(l->claimed, l->sasl.user) != 0) /* or the long name would get past what is said of the short one */
		ok = look_up(c, l->claimed, &r, &found);
	if (ok) {
		struct record_app *app = record_app_matching(&r, sv_of(l->sasl.password));
		if (app && !r.disabled) {
			note_use(c, &r, app);
			pass(c, r.name, app->label);
		} else {
			check_main_password(c, &r, found);
		}
	}
	record_free(&r);
}

void login_verdict(struct chan *c, const struct auth_verdict *v)
{
	struct login *l = c->login;
	struct record r;
	if (v->verdict == AUTH_BROKEN) {
		trouble(c, v->text);
		return;
	}
	if (v->verdict != AUTH_RIGHT || !*l->account || !(l->known || l->by_pam)) {
		fail(c, *v->text ? v->text : l->known ? "wrong password" : "no such user, or disabled");
		return;
	}
	record_init(&r); /* it may be closed by now: we are replaced */
	if (l->known && c->server->users && users_get(c->server->users, l->account, &r, NULL) == USERS_FOUND)
		note_use(c, &r, NULL);
	record_free(&r);
	pass(c, l->account, "");
}

/* --- SCRAM and EXTERNAL --------------------------------------------------------------------------------------------------- */

/* Like a true one, and the same at each attempt, or the salt would tell who has none. */
static void invent_verifier(const unsigned char *secret, const char *user, struct scram_verifier *v)
{
	struct sv key = { (const char *)secret, USERS_SECRET };
	unsigned char salt[SCRAM_KEY];
	char name[AUTH_ACCOUNT_MAX + 1];
	users_fold(user, name);
	*v = (struct scram_verifier){ .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT };
	scram_hmac(key, sv_of(name), salt);
	memcpy(v->salt, salt, SCRAM_SALT);
	rnd_bytes(v->stored_key, sizeof v->stored_key);
	rnd_bytes(v->server_key, sizeof v->server_key);
}

static void make_nonce(char dst[SCRAM_OWN_NONCE + 1])
{
	struct buf text = BUF_INIT(SCRAM_OWN_NONCE);
	char raw[SCRAM_OWN_NONCE / 4 * 3];
	rnd_bytes(raw, sizeof raw);
	base64_put(&text, (struct sv){ raw, sizeof raw });
	BUG_IF(!sv_copy(buf_sv(&text), dst, SCRAM_OWN_NONCE + 1));
	buf_free(&text);
}

static void give_verifier(struct chan *c)
{
	struct login *l = c->login;
	struct scram_verifier v;
	struct record r;
	char nonce[SCRAM_OWN_NONCE + 1];
	bool found;
	if (throttled(c))
		return;
	record_init(&r);
	if (look_up(c, l->sasl.user, &r, &found)) { /* the name as it is: two names with one salt would be a user's */
		invent_verifier(users_secret(c->server->users), l->sasl.user, &v);
		l->known = found && r.has_scram && !r.disabled;
		if (found && r.has_scram) { /* who was disabled keeps the salt: nobody shall see when that happened */
			v.iterations = r.scram.iterations;
			v.salt_len = r.scram.salt_len;
			memcpy(v.salt, r.scram.salt, sizeof v.salt);
		}
		if (l->known)
			v = r.scram;
		snprintf(l->account, sizeof l->account, "%s", l->known ? r.name : "");
		make_nonce(nonce);
		sasl_verifier(&l->sasl, &v, nonce);
		answer(c, AUTH_CHALLENGE, "", buf_str(&l->sasl.out));
	}
	secret_wipe(&v, sizeof v);
	record_free(&r);
}

static void accept_proof(struct chan *c)
{
	struct login *l = c->login;
	bool local = *l->start.local_user;
	struct record r;
	bool found;
	record_init(&r);
	if (look_up(c, l->sasl.user, &r, &found)) {
		if (found && !r.disabled)
			note_use(c, &r, NULL);
		if (found && r.disabled)
			fail(c, "disabled");
		else if (local)
			pass(c, l->sasl.user, "");
		else if (l->known)
			pass(c, l->account, "");
		else
			fail(c, "no such user");
	}
	record_free(&r);
}

static void accept_certificate(struct chan *c)
{
	struct login *l = c->login;
	char wanted[AUTH_ACCOUNT_MAX + 1];
	struct err e = { 0 };
	struct record r;
	if (throttled(c))
		return;
	record_init(&r);
	users_fold(l->sasl.user, wanted);
	struct users *u = server_users(c->server, &e);
	enum users_result found = u ? users_by_cert(u, l->start.certificate, &r, &e) : USERS_FAILED;
	if (found == USERS_FAILED) {
		trouble(c, e.text);
	} else if (found == USERS_FOUND && !r.disabled && (!*wanted || strcmp(wanted, r.name) == 0)) {
		note_use(c, &r, NULL);
		pass(c, r.name, "");
	} else {
		fail(c, found == USERS_FOUND ? "the certificate is another user's, or disabled" : "a certificate of nobody");
	}
	record_free(&r);
}

/* --- messages ------------------------------------------------------------------------------------------------------------- */

static void go_on(struct chan *c, enum sasl_want want)
{
	struct login *l = c->login;
	short_name(c->server, l->sasl.user, l->claimed);
	l->client.account = l->claimed; /* an account has one counter, however its name is written */
	switch (want) {
	case SASL_SEND:
		answer(c, AUTH_CHALLENGE, "", buf_str(&l->sasl.out));
		break;
	case SASL_PASSWORD:
		check_password(c);
		break;
	case SASL_VERIFIER:
		give_verifier(c);
		break;
	case SASL_PROVED:
		accept_proof(c);
		break;
	case SASL_CERTIFICATE:
		accept_certificate(c);
		break;
	case SASL_REFUSED:
		if (!throttled(c))
			fail(c, l->sasl.why.text);
		break;
	case SASL_MALFORMED:
		answer(c, AUTH_MALFORMED, "", l->sasl.why.text);
		break;
	case SASL_UNKNOWN:
		answer(c, AUTH_UNKNOWN, "", "");
		break;
	}
}

/* When the data base cannot be read now, SCRAM fails for now, and is not missing. */
bool login_on_offer(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct users *u = server_users(c->server, NULL);
	const struct auth_offered a = { .scram = !u || users_have_scram(u) };
	(void)msg, (void)e;
	chan_send(c, &auth_offered_desc, &a);
	return true;
}

static struct sv decoded(const char *hex, unsigned char dst[64])
{
	size_t n = strlen(hex) / 2;
	return n <= 64 && hex_decode(sv_of(hex), dst, n) ? (struct sv){ (const char *)dst, n } : (struct sv){ 0 };
}

bool login_on_start(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct auth_start *m = msg;
	struct login *l = mem_new(sizeof *l);
	(void)e;
	c->login = l;
	l->start = *m;
	l->since_ms = ev_now_ms(c->server->loop);
	l->client = (struct throttle_client){ .account = "", .trusted = m->trusted };
	if (!addr_parse_ip(sv_of(m->client_ip), &l->client.addr))
		l->client.addr.family = AF_UNIX;
	struct sasl_facts facts = { .local_user = l->start.local_user, .certificate = *l->start.certificate != '\0' };
	facts.channel = (struct scram_channel){ decoded(m->exporter, l->binding[0]), decoded(m->unique, l->binding[1]),
		decoded(m->end_point, l->binding[2]) };
	facts.plus_offered = facts.channel.exporter.n > 0 && offered(c->server, "SCRAM-SHA-256-PLUS");
	struct sv initial = m->has_initial ? sv_of(l->start.initial) : (struct sv){ 0 };
	enum sasl_want want = sasl_start(&l->sasl, l->start.mechanism, &facts, initial);
	go_on(c, offered(c->server, m->mechanism) ? want : SASL_UNKNOWN);
	return true;
}

bool login_on_next(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct auth_next *m = msg;
	(void)e;
	if (m->cancel) { /* no answer: smtpd has given the client its own */
		login_free(c);
		chan_phase(c, PH_IDLE);
		return true;
	}
	c->login->since_ms = ev_now_ms(c->server->loop);
	enum sasl_want want = sasl_response(&c->login->sasl, sv_of(m->response));
	secret_wipe(m->response, sizeof m->response);
	go_on(c, want);
	return true;
}

/* --- budgets -------------------------------------------------------------------------------------------------------------- */

static void freeze(struct users *u, struct record *r, const struct auth_spend *m)
{
	struct err e = { 0 };
	r->frozen = clock_real_secs();
	if (!*r->name)
		users_fold(m->account, r->name);
	if (!r->created)
		r->created = r->frozen;
	LOG_ERROR("account-frozen", KV_SID(m->session), KV_STR("account", m->account), KV_STR("client", m->client_ip));
	if (!users_put(u, r, false, &e))
		LOG_ERROR("users-failed", KV_ERR(&e));
}

static void spend(struct server *s, const struct auth_spend *m, struct auth_spent *a)
{
	char name[AUTH_ACCOUNT_MAX + 1];
	struct err e = { 0 };
	struct record r;
	record_init(&r);
	users_fold(m->account, name);
	struct users *u = server_users(s, &e);
	if (!u || users_get(u, name, &r, &e) == USERS_FAILED) {
		LOG_ERROR("users-failed", KV_ERR(&e));
		a->budget = AUTH_LATER;
		snprintf(a->text, sizeof a->text, "The account cannot be looked up now, try again later");
	} else if (r.frozen || r.disabled) {
		a->budget = AUTH_FROZEN;
	} else {
		a->budget = budget_spend(s->budgets, name, m->messages, m->recipients, clock_real_secs(), a->text);
		if (a->budget == AUTH_FROZEN)
			freeze(u, &r, m);
		if (a->budget == AUTH_LATER)
			LOG_WARN("budget-used-up", KV_SID(m->session), KV_STR("account", name), KV_STR("client", m->client_ip),
				KV_STR("reason", a->text));
	}
	if (a->budget == AUTH_FROZEN)
		snprintf(a->text, sizeof a->text, "The account %.100s may not send now: ask the postmaster", name);
	record_free(&r);
}

bool login_on_spend(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	struct auth_spent a = { 0 };
	(void)e;
	spend(c->server, msg, &a);
	chan_send(c, &auth_spent_desc, &a);
	return true;
}
