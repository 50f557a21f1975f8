/* postern check: the tables that rules and other parameters of smtpd name; relaying by them. */
#include "maps/map.h"
#include "postern_check.h"

#include "base/fd.h"

#include <fcntl.h>

#define CA_FILE_MAX (1024 * 1024) /* what is longer is no list of one's own CAs */
#define OWN_CAS_MAX 10

struct looking {
	struct check *c;
	const struct cfg_rule *rule; /* a relay rule whose networks are walked */
	const char *file;
};

static const char *table_file(const char *spec) { return strchr(spec, ':') + 1; }

static unsigned line_of(const struct check *c, const struct cfg_group *g, const char *section, const char *param)
{
	struct buf name = BUF_INIT(512);
	unsigned line = 0;
	if (section)
		buf_putf(&name, "%s.%s.", g->owner, section);
	buf_puts(&name, param);
	if (!cfg_was_set(c->t->cfg, buf_str(&name), &line))
		line = 0;
	buf_free(&name);
	return line;
}

/* A network in the table of a relay rule: the configuration's own check cannot see it. */
static bool on_net(struct sv key, struct sv value UNUSED, unsigned line, void *arg)
{
	struct looking *l = arg;
	struct addr_net net;
	if (addr_net_parse(key, &net, NULL) && cfg_net_is_wide(&net))
		check_add(l->c, CHECK_ERROR, l->file, line,
			"%.*s: everybody in it may relay by [rule %s]: an open relay; name your own networks only",
			(int)MIN(key.n, 60), key.p, l->rule->name);
	return true;
}

static const struct cfg_rule *relay_rule(const struct cfg *c, const struct cfg_group *g, const char *section)
{
	for (size_t i = 0; strcmp(g->owner, "rule") == 0 && i < c->rules.len; i++) {
		const struct cfg_rule *r = VEC_AT(&c->rules, struct cfg_rule, i);
		if (strcmp(r->name, section) == 0 && r->action.act == CFG_ACT_RELAY)
			return r;
	}
	return NULL;
}

static bool on_table(const struct cfg_group *g, const struct cfg_param *p, const char *section, const char *spec, void *arg)
{
	struct looking *l = arg;
	struct err e = { 0 };
	if (strcmp(g->owner, "resolve") == 0) /* these have checks of their own */
		return true;
	struct map *m = map_open(spec, MAP_PLAIN, &e);
	l->rule = relay_rule(l->c->t->cfg, g, section);
	l->file = table_file(spec);
	if (!m)
		check_add(
			l->c, CHECK_ERROR, l->c->t->conf, line_of(l->c, g, section, p->name), "%s = %s: %s", p->name, spec, e.text);
	else if (l->rule && strcmp(p->name, "client") == 0 && !map_each(m, on_net, l, &e))
		check_add(l->c, CHECK_ERROR, l->file, 0, "%s", e.text);
	map_close(m);
	return true;
}

/* --- client certificates --- */
static bool asks_verified(const struct cfg_rule *r)
{
	for (size_t i = 0; i < r->tls.n; i++)
		if (r->tls.word[i].kind == CFG_WORD_VERIFIED && !r->tls.word[i].not )
			return true;
	return false;
}

static size_t count_certificates(const char *path, struct err *e)
{
	const struct sv begin = SV("-----BEGIN ");
	struct buf text = BUF_INIT(CA_FILE_MAX);
	size_t n = 0;
	if (fd_read_path(AT_FDCWD, path, &text, e))
		for (struct sv rest = buf_sv(&text); sv_find(rest, begin) >= 0; n++)
			rest = sv_skip(rest, (size_t)sv_find(rest, begin) + begin.n);
	buf_free(&text);
	return n;
}

/* Who has a certificate of a public CA has it for the asking. */
static void check_verified(struct check *c, const struct cfg_rule *r)
{
	const char *file = c->t->cfg->tls.tls_client_ca_file;
	struct err e = { 0 };
	if (!*file) {
		check_add(c, CHECK_WARNING, c->t->conf, r->line, "[rule %s]: no client is `verified` without tls_client_ca_file",
			r->name);
		return;
	}
	size_t n = count_certificates(file, &e);
	if (e.kind != ERR_NONE)
		check_add(c, CHECK_ERROR, c->t->conf, r->line, "tls_client_ca_file: %s", e.text);
	else if (n > OWN_CAS_MAX)
		check_add(c, CHECK_ERROR, c->t->conf, r->line,
			"[rule %s]: strangers may relay by this rule, an open relay: %s holds %zu CAs, and anybody gets a "
			"certificate of "
			"a public one; name a CA of your own",
			r->name, file, n);
}

static void tell_relay_rules(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	for (size_t i = 0; i < cfg->rules.len; i++) {
		const struct cfg_rule *r = VEC_AT(&cfg->rules, struct cfg_rule, i);
		if (r->action.act == CFG_ACT_RELAY)
			check_add(c, CHECK_NOTE, c->t->conf, r->line, "relaying: who meets [rule %s] may send to any domain",
				r->name);
		if (r->action.act == CFG_ACT_RELAY && asks_verified(r))
			check_verified(c, r);
	}
}

static bool is_ours(const struct cfg *cfg, struct sv domain)
{
	for (size_t i = 0; i < cfg->global.domains.n; i++)
		if (sv_ieqs(domain, cfg->global.domains.item[i]))
			return true;
	return false;
}

/* No open relay, but whoever writes to any name here writes there through us, and so does every spammer. */
static void check_catch_all(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	for (size_t i = 0; i < cfg->domains.len; i++) {
		const struct cfg_domain *d = VEC_AT(&cfg->domains, struct cfg_domain, i);
		ptrdiff_t at = sv_rchr(sv_of(d->catch_all), '@');
		if (at >= 0 && !is_ours(cfg, sv_skip(sv_of(d->catch_all), (size_t)at + 1)))
			check_add(c, CHECK_WARNING, c->t->conf, d->line,
				"catch_all = %.100s: all that is sent to made-up names of %.100s is sent on to a foreign domain, "
				"which will "
				"take this host for the source of its spam",
				d->catch_all, d->name);
	}
}

void check_rules(struct check *c)
{
	struct looking l = { .c = c };
	cfg_each_table(c->t->cfg, on_table, &l);
	tell_relay_rules(c);
	check_catch_all(c);
}
