/* STARTTLS (RFC 3207), and whether who answers is whom we meant. */
#include "starttls.h"

#include <errno.h>

static const struct {
	enum tls_fault fault;
	enum tls_result result;
} results[] = {
	{ TLS_FAULT_NAME, TLS_RESULT_HOST_MISMATCH },
	{ TLS_FAULT_EXPIRED, TLS_RESULT_EXPIRED },
	{ TLS_FAULT_UNTRUSTED, TLS_RESULT_NOT_TRUSTED },
	{ TLS_FAULT_TLSA, TLS_RESULT_TLSA_INVALID },
};

static void note(struct tls_attempt *t, enum tls_result result, const char *reason)
{
	if (t->result == TLS_RESULT_OK) /* what was wrong before is not mended by this */
		t->result = result;
	if (*t->reason == '\0')
		snprintf(t->reason, sizeof t->reason, "%.199s", reason);
}

/* The session goes on in the clear, if it may. */
static bool without(struct peer *p, const struct peer_options *o, const char *why, struct err *e)
{
	note(o->attempt, TLS_RESULT_NO_STARTTLS, why);
	if (o->secure->level <= SECURE_MAY)
		return true;
	if (o->secure->requiretls)
		return err_dsn(e, ERR_PERM, "5.7.30", "the sender demands TLS all the way (REQUIRETLS), but the host %s", why);
	(void)p;
	return err_dsn(e, ERR_TEMP, "4.7.4", "TLS is demanded, but the host %s", why);
}

static const char *kind_of(const struct secure *s, const struct tls_facts *f)
{
	return !f->peer_verified ? "unverified" : s->level == SECURE_DANE ? "dane" : "verified";
}

static bool judge(struct peer *p, const struct peer_options *o, const struct tls_facts *f, struct err *e)
{
	const struct secure *s = o->secure;
	p->verified = f->peer_verified;
	p->encrypted = true;
	snprintf(p->doubt, sizeof p->doubt, "%.119s", f->why);
	snprintf(p->tls, sizeof p->tls, "%s:%s:%s", f->version, f->cipher, kind_of(s, f));
	snprintf(o->attempt->version, sizeof o->attempt->version, "%s", f->version);
	snprintf(o->attempt->cipher, sizeof o->attempt->cipher, "%s", f->cipher);
	if (f->peer_verified || (s->level < SECURE_NAME && !s->look))
		return true;
	for (size_t i = 0; i < COUNT(results); i++)
		if (results[i].fault == f->fault)
			note(o->attempt, results[i].result, f->why);
	if (s->level < SECURE_NAME)
		return true;
	return err_dsn(e, s->requiretls ? ERR_PERM : ERR_TEMP, s->requiretls ? "5.7.30" : "4.7.5",
		"the certificate is not good for %.100s: %s", s->names[0], f->why);
}

static bool shake_hands(struct peer *p, const struct peer_options *o, struct err *e)
{
	const struct secure *s = o->secure;
	struct tls_facts f = { .resumed = false };
	struct tls_connect_options to = { .verify = s->level == SECURE_DANE                          ? TLS_VERIFY_DANE
						    : s->level == SECURE_NAME || s->look || s->prove ? TLS_VERIFY_NAME
												     : TLS_VERIFY_NONE,
		.sni = s->sni,
		.names = s->names,
		.tlsa = s->tlsa,
		.n_tlsa = s->n_tlsa };
	uint64_t end = MIN(clock_mono_ms() + o->cfg->tls.tls_timeout * 1000, p->deadline_ms);
	p->c.deadline_ms = end;
	if (!tls_connect(o->tls, &p->c, &to, end, &f, e)) {
		p->broken = true;
		if (e->sys == EINTR)
			return false;
		note(o->attempt, TLS_RESULT_FAILED, e->text);
		p->tls_failed = true;
		return err_dsn(e, ERR_TEMP, "4.7.5", "%s", o->attempt->reason);
	}
	if (judge(p, o, &f, e))
		return true;
	return false;
}

bool starttls(struct peer *p, const struct peer_options *o, bool *ret_started, struct err *e)
{
	char text[500];
	*ret_started = false;
	if (!(p->caps.set & CAP_STARTTLS))
		return without(p, o, "does not offer STARTTLS", e);
	if (!peer_put(p, e, "STARTTLS") || !peer_answer(p, o->cfg->remote.remote_hello_timeout, e)) {
		if (e->sys == EINTR)
			return false;
		note(o->attempt, TLS_RESULT_FAILED, e->text);
		p->tls_failed = true;
		return false;
	}
	if (p->last.code != 220) {
		snprintf(text, sizeof text, "refuses STARTTLS: %d %.150s", p->last.code, p->last.text);
		p->tls_failed = p->broken;
		return without(p, o, text, e) && (!p->broken || err_dsn(e, ERR_TEMP, "4.7.5", "the host %s", text));
	}
	*ret_started = true;
	return shake_hands(p, o, e);
}
