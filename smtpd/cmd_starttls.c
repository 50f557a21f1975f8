/* STARTTLS (RFC 3207), and what a listener demands of a sender. */
#include "auth.h"

static bool is_offered(const struct session *s)
{
	const struct cfg_listener *l = s->client.listener;
	return s->client.kind == CLIENT_NET && l && l->tls != CFG_TLS_OFF;
}

enum phase cmd_starttls(struct session *s, struct sv arg, struct buf *reply)
{
	(void)arg;
	if (s->tls_active)
		return session_complain(s, reply, 503, "5.5.1", "TLS is in use already");
	if (!is_offered(s))
		return session_complain(s, reply, 502, "5.5.1", "STARTTLS is not offered here");
	if (!s->client.tls_ready || !s->ops->allow(s->env, LIMIT_TLS, 1, s->account)) {
		smtp_reply(reply, 454, "4.7.0",
			s->client.tls_ready ? "Too many TLS sessions from you in the last minute" : "TLS is not available now");
		return s->phase;
	}
	s->start_tls = true;
	smtp_reply(reply, 220, "2.0.0", "Ready to start TLS");
	return s->phase;
}

/* RFC 3207 4.2: all that was learnt before is forgotten, what the client calls itself included. Its errors are not: TLS would be
 * a way to have more of them. */
void session_tls_started(struct session *s, const struct tls_facts *tls)
{
	session_reset(s);
	s->start_tls = false;
	s->tls_active = true;
	s->tls = *tls;
	s->helo[0] = '\0';
	auth_abort(s);
	s->account[0] = '\0';
	s->esmtp = false;
	s->phase = PH_START;
}

bool session_channel_ok(struct session *s, struct buf *reply)
{
	const struct cfg_listener *l = s->client.listener;
	if (s->client.kind != CLIENT_NET || !l)
		return true;
	if (l->tls == CFG_TLS_REQUIRE && !s->tls_active) { /* RFC 3207 4 */
		session_complain(s, reply, 530, "5.7.0", "Say STARTTLS first: this server takes no mail without encryption");
		return false;
	}
	bool submission = l->protocol == CFG_PROTO_SUBMISSION || l->protocol == CFG_PROTO_SUBMISSIONS;
	if (submission && s->account[0] == '\0') { /* RFC 6409 4.3 */
		session_complain(s, reply, 530, "5.7.0", "Authentication required");
		return false;
	}
	return true;
}
