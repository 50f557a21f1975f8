#include "secure.h"

#include "base/clock.h"

bool secure_is_implicit(const struct session *s)
{
	return s->client.listener && s->client.listener->protocol == CFG_PROTO_SUBMISSIONS;
}

bool secure_start(const struct worker *w, struct session *s, struct conn *c)
{
	struct tls_server *tls = keys_for(&w->leader->keys, s->client.listener);
	struct tls_facts facts;
	struct err e = { 0 };
	if (!tls) {
		err_set(&e, ERR_PERM, "there is no usable certificate");
	} else if (tls_accept(tls, c, clock_mono_ms() + w->cfg->tls.tls_timeout * 1000, &facts, &e)) {
		LOG_DEBUG("tls", KV_STR("client", s->client_text), KV_STR("version", facts.version), KV_STR("cipher", facts.cipher),
			KV_STR("sni", facts.sni), KV_STR("peer", facts.peer), KV_STR("resumed", facts.resumed ? "yes" : "no"));
		session_tls_started(s, &facts);
		return true;
	}
	LOG_INFO("tls-failed", KV_STR("client", s->client_text), KV_STR("helo", s->helo), KV_ERR(&e));
	return false;
}
