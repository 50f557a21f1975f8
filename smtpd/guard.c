#include "guard.h"

#include "base/clock.h"

#define GREETED_MS (24 * 3600 * 1000ull)

void guard_start(struct guard *g, struct svc_ctx *ctx, const struct cfg *cfg, struct limits *limits, const struct session_client *c)
{
	*g = (struct guard){ .limits = limits, .cfg = cfg, .ctx = ctx };
	/* Whom an XCLIENT proxy speaks for is counted, when it is known; the proxy itself would be all its clients at once. */
	g->stranger =
		c->kind == CLIENT_NET && !c->trusted && !c->may_xclient && !cfg_nets_has(&cfg->limits.unlimited_networks, &c->addr);
	if (g->stranger && limits) {
		g->client = limits_client(limits, &c->addr);
		g->network = limits_network(limits, &c->addr);
	}
}

/* --- rates --- */
static uint64_t client_rate(const struct cfg_limits *c, enum limit_kind what)
{
	switch (what) {
	case LIMIT_CONNECTIONS:
		return c->client_connection_rate;
	case LIMIT_MESSAGES:
		return c->client_message_rate;
	case LIMIT_RECIPIENTS:
		return c->client_recipient_rate;
	case LIMIT_TLS:
		return c->client_tls_rate;
	case LIMIT_ERRORS:
		return c->client_error_rate;
	case LIMIT_KINDS:
		break;
	}
	return 0;
}

static uint64_t account_rate(const struct cfg_limits *c, enum limit_kind what)
{
	return what == LIMIT_MESSAGES ? c->account_message_rate : what == LIMIT_RECIPIENTS ? c->account_recipient_rate : 0;
}

/* Logged once a minute for each: a flood must not become a flood of lines. */
static bool refuse(struct guard *g, enum limit_kind what, const char *of, uint64_t who, uint64_t rate, const char *account)
{
	static const char *const names[] = { "connections", "messages", "recipients", "tls", "errors" };
	uint64_t line = who ^ (0x9e3779b97f4a7c15u * ((uint64_t)what + 1)); /* a counter of its own for the log */
	if (limits_take(g->limits, line, LIMIT_KINDS - 1, 1, 1, clock_mono_ms()))
		LOG_INFO("limit", KV_STR("what", names[what]), KV_STR("of", of), KV_STR("account", account),
			KV_U64("per_minute", rate));
	return false;
}

bool guard_allow(struct guard *g, enum limit_kind what, uint64_t n, const char *account)
{
	const struct cfg_limits *c = &g->cfg->limits;
	uint64_t now = clock_mono_ms(), rate = client_rate(c, what), wide = rate * c->network_rate_factor;
	if (!g->limits)
		return true;
	if (*account) {
		uint64_t who = limits_account(g->limits, account), of_account = account_rate(c, what);
		return limits_take(g->limits, who, what, of_account, n, now) ||
		       refuse(g, what, "account", who, of_account, account);
	}
	if (!limits_take(g->limits, g->client, what, rate, n, now))
		return refuse(g, what, "client", g->client, rate, "");
	return limits_take(g->limits, g->network, what, wide, n, now) || refuse(g, what, "network", g->network, wide, "");
}

/* --- connections at once --- */
/* Who is counted: an address, or a user of this machine. */
static struct addr counted(const struct session_client *c)
{
	struct addr a = c->addr;
	for (int i = 0; c->kind == CLIENT_SUBMIT && i < 4; i++)
		a.ip[i] = (uint8_t)(c->uid >> (24 - 8 * i));
	return a;
}

static const char *too_many(struct guard *g, const struct session_client *c, const char *of, uint64_t max, const char *text)
{
	char client[ADDR_TEXT_MAX];
	if (c->kind == CLIENT_SUBMIT && g->limits && !log_may(limits_log(g->limits), "too-many-connections", clock_mono_ms()))
		return text;
	LOG_INFO("too-many-connections", KV_STR("client", addr_text(&c->addr, client)), KV_STR("user", c->user), KV_STR("of", of),
		KV_U64("max", max));
	return text;
}

/* Too many of one client at once would leave no workers to the others. */
const char *guard_enter(struct guard *g, const struct session_client *c)
{
	struct addr who = counted(c);
	uint64_t max = g->cfg->smtpd.connections_per_client_max, wide = g->cfg->limits.connections_per_network_max;
	if (c->kind == CLIENT_BOUNCE || c->kind == CLIENT_FORWARD || c->kind == CLIENT_LMTP || c->trusted || c->may_xclient)
		return NULL;
	svc_mark(g->ctx, &who);
	if (svc_marked(g->ctx, &who) > max)
		return c->kind == CLIENT_NET ? too_many(g, c, "client", max, "Too many connections from your address")
					     : too_many(g, c, "user", max, "Too many connections of your user");
	if (g->stranger && wide > 0 && svc_marked_net(g->ctx, &who) > wide)
		return too_many(g, c, "network", wide, "Too many connections from your network");
	if (!guard_allow(g, LIMIT_CONNECTIONS, 1, ""))
		return "Too many connections from you in the last minute, come again later";
	return NULL;
}

const char *guard_account(struct guard *g, const char *account)
{
	uint64_t max = g->cfg->limits.connections_per_account_max;
	if (!g->limits || max == 0)
		return NULL;
	uint64_t who = limits_account(g->limits, account);
	svc_tag(g->ctx, who);
	if (who == 0 || svc_tagged(g->ctx, who) <= max)
		return NULL;
	LOG_INFO("too-many-connections", KV_STR("account", account), KV_STR("of", "account"), KV_U64("max", max));
	return "Too many connections of your account";
}

/* --- the greeting --- */
uint64_t guard_greet_ms(const struct guard *g)
{
	if (!g->stranger || !g->limits || limits_remembered(g->limits, g->client, clock_mono_ms()))
		return 0;
	return g->cfg->limits.greet_delay * 1000;
}

void guard_waited(struct guard *g)
{
	uint64_t now = clock_mono_ms();
	limits_remember(g->limits, g->client, now + GREETED_MS, now);
}
