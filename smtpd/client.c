#include "client.h"

#include "proxy.h"

#include "base/clock.h"
#include "net/sock.h"

#define PROXY_MS 5000 /* a balancer sends its header with the first packet */

static void know_local(struct worker *w, int fd, struct session_client *c)
{
	struct err e = { 0 };
	pid_t pid;
	uid_t uid;
	gid_t gid;
	c->kind = CLIENT_SUBMIT;
	c->uid = 65534; /* nobody, for whom the kernel does not name */
	if (!sock_peer_cred(fd, &pid, &uid, &gid, &e)) {
		LOG_WARN("peer-unknown", KV_ERR(&e));
		return;
	}
	c->uid = uid;
	if (!resolver_user(&w->resolver, uid, c->user, sizeof c->user, &e) || sv_has_ctl(sv_of(c->user)) ||
		strpbrk(c->user, "()\\"))
		c->user[0] = '\0'; /* it is a comment in our Received line, and may be missing there */
}

static bool know_by_balancer(const struct svc_client *client, struct session_client *c)
{
	struct proxy p;
	struct err e = { 0 };
	char text[ADDR_TEXT_MAX];
	if (!c->listener || !cfg_nets_has(&c->listener->proxy, &client->peer))
		return true;
	if (!proxy_read(client->fd, clock_mono_ms() + PROXY_MS, &p, &e)) {
		LOG_WARN("proxy-refused", KV_STR("client", addr_text(&client->peer, text)), KV_ERR(&e));
		return false;
	}
	if (!p.own)
		c->addr = p.client;
	return true;
}

bool client_know(struct worker *w, const struct svc_client *client, struct session_client *ret)
{
	struct session_client *c = ret;
	bool ok = true;
	*c = (struct session_client){ .kind = CLIENT_NET, .addr = client->peer, .listener = client->on->cfg };
	if (strcmp(client->on->name, "smtpd.bounce") == 0 && !client->on->tcp)
		c->kind = CLIENT_BOUNCE;
	else if (strcmp(client->on->name, "smtpd.forward") == 0 && !client->on->tcp)
		c->kind = CLIENT_FORWARD;
	else if (strcmp(client->on->name, "smtpd.lmtp") == 0 && !client->on->tcp)
		c->kind = CLIENT_LMTP;
	else if (!client->on->tcp)
		know_local(w, client->fd, c);
	else
		ok = know_by_balancer(client, c);
	if (c->kind == CLIENT_NET) {
		c->trusted = ok && cfg_nets_has(&w->cfg->global.trusted_networks, &c->addr);
		c->may_xclient = ok && c->listener && cfg_nets_has(&c->listener->xclient, &c->addr);
	}
	c->tls_ready = keys_for(&w->leader->keys, c->listener) != NULL;
	return ok;
}
