/* What values must be to each other. What needs a look at the system (tables, directories, users) is `postern check`'s work. */
#include "base/hmap.h"
#include "base/num.h"
#include "config/raw.h"

static unsigned line_of(const struct cfg *c, const char *name)
{
	unsigned line = 0;
	if (!cfg_was_set(c, name, &line))
		return 0;
	return line;
}

unsigned cfg_line_in(const struct cfg *c, const char *section, const char *name, const char *param)
{
	struct buf full = BUF_INIT(512);
	buf_putf(&full, "%s.%s.%s", section, name, param);
	unsigned line = line_of(c, buf_str(&full));
	buf_free(&full);
	return line;
}

/* --- names --- */
/* Labels of letters, digits, hyphens (and underscores, which exist), or UTF-8; an address literal passes too. RFC 5321 4.1.2. */
bool cfg_domain_ok(struct sv domain)
{
	struct sv label, rest = domain;
	struct addr ip;
	if (sv_starts(domain, SV("[")) && sv_ends(domain, SV("]"))) {
		struct sv inner = sv_sub(domain, 1, domain.n - 2);
		return addr_parse_ip(sv_istarts(inner, SV("IPv6:")) ? sv_skip(inner, 5) : inner, &ip);
	}
	if (domain.n == 0 || domain.n > 253)
		return false;
	while (sv_cut(&rest, '.', &label)) {
		if (label.n < 1 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!ascii_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_' && !(label.p[i] & 0x80))
				return false;
	}
	return true;
}

static void check_domains(const struct cfg *c, struct vec *faults)
{
	const struct cfg_global *g = &c->global;
	if (!cfg_domain_ok(sv_of(g->hostname)))
		cfg_fault(faults, line_of(c, "hostname"), "hostname = %.80s: is not a host name; write one like mx.example.org",
			g->hostname);
	else if (!strchr(g->hostname, '.'))
		cfg_warn(faults, line_of(c, "hostname"),
			"hostname = %.80s: has no domain; other servers want a full name like mx.example.org", g->hostname);
	if (!cfg_domain_ok(sv_of(g->origin)))
		cfg_fault(faults, line_of(c, "origin"), "origin = %.80s: is not a domain; write one like example.org", g->origin);
	for (size_t i = 0; i < g->domains.n; i++)
		if (!cfg_domain_ok(sv_of(g->domains.item[i])))
			cfg_fault(faults, line_of(c, "domains"), "domains: %.80s is not a domain", g->domains.item[i]);
}

static bool is_local(const struct cfg *c, const char *domain)
{
	for (size_t i = 0; i < c->global.domains.n; i++)
		if (sv_ieqs(sv_of(domain), c->global.domains.item[i]))
			return true;
	return false;
}

/* Reports to rewritten senders must come here. */
static void check_srs(const struct cfg *c, struct vec *faults)
{
	const char *domain = c->global.srs_domain;
	if (c->global.srs && !is_local(c, domain) && !sv_ieqs(sv_of(domain), c->global.hostname))
		cfg_fault(faults, line_of(c, "srs_domain"),
			"srs_domain = %.80s: is not one of domains, so reports would not come here", domain);
}

static void check_domain_sections(const struct cfg *c, struct vec *faults)
{
	for (size_t i = 0; i < c->domains.len; i++) {
		const struct cfg_domain *d = VEC_AT(&c->domains, struct cfg_domain, i);
		if (!is_local(c, d->name))
			cfg_warn(faults, d->line, "[domain %.80s] has no effect: add %.80s to domains", d->name, d->name);
		if (strpbrk(d->catch_all, " \t,|"))
			cfg_fault(faults, cfg_line_in(c, "domain", d->name, "catch_all"), "catch_all = %.80s: is not one address",
				d->catch_all);
	}
}

/* --- who may send where --- */
/* Which section holds for a domain and a sender must be clear: "domain sender" (no sender: "domain") to its section. A map, because
 * these lists may be long. */
static void check_taken(
	struct cfg_relay *r, const char *domain, const char *sender, struct hmap *seen, struct vec *faults, unsigned line)
{
	struct buf key = BUF_INIT(2000);
	buf_putf(&key, "%s %s", domain, sender);
	for (size_t i = 0; i < key.len; i++)
		key.data[i] = ascii_lower(key.data[i]);
	const struct cfg_relay *other = hmap_get(seen, buf_sv(&key));
	if (other && other != r)
		cfg_fault(faults, line, "domains: %.80s is already in [relay %.60s], line %u%s%.80s", domain, other->name,
			other->line, *sender ? ", for " : "", sender);
	else if (!hmap_put(seen, buf_sv(&key), r))
		cfg_warn(faults, line, "[relay %.60s]: too many domains and senders to look for doubles", r->name);
	buf_free(&key);
}

/* Mail from strangers is taken for the domains that are named, whoever the sender says to be. */
static void check_accept_from(const struct cfg *c, const struct cfg_relay *r, struct vec *faults)
{
	unsigned line = cfg_line_in(c, "relay", r->name, "accept_from");
	if (r->accept_from != CFG_ACCEPT_ANYONE)
		return;
	if (r->senders.n > 0)
		cfg_fault(faults, line,
			"accept_from = anyone: not in a section with senders, which anybody can forge; use two sections");
	for (size_t i = 0; i < r->domains.n; i++)
		if (strcmp(r->domains.item[i], "*") == 0)
			cfg_fault(faults, line, "accept_from = anyone: not with domains = *: that would be an open relay");
}

static void check_user(const struct cfg *c, const struct cfg_relay *r, struct vec *faults)
{
	if (r->user[0] == '\0')
		return;
	unsigned line = cfg_line_in(c, "relay", r->name, "user");
	if (c->remote.relay_password_file[0] == '\0')
		cfg_fault(faults, line, "user needs relay_password_file, where the password is");
	if (r->host[0] == '\0')
		cfg_fault(faults, line, "user needs host: a password is not for whomever an MX record names");
	else if (r->password_to_unverified && r->tls < CFG_WISH_VERIFY)
		cfg_warn(faults, line,
			"password_to_unverified without tls = verify or dane: whoever poses as the host may learn the password");
}

/* `local`: our own domains. */
static void check_relay(const struct cfg *c, struct cfg_relay *r, const struct hmap *local, struct hmap *seen, struct vec *faults)
{
	unsigned line = cfg_line_in(c, "relay", r->name, "domains");
	if (r->domains.n == 0)
		cfg_fault(faults, r->line, "[relay %.60s] has no domains: add `domains = ...`, or * for all others", r->name);
	for (size_t i = 0; i < r->domains.n; i++) {
		const char *domain = r->domains.item[i];
		if (strcmp(domain, "*") != 0 && !cfg_domain_ok(sv_of(domain)))
			cfg_fault(faults, line, "domains: %.80s is not a domain", domain);
		else if (hmap_get(local, sv_of(domain)))
			cfg_fault(faults, line,
				"domains: %.80s is also in the list of local domains: remove it from one of the two", domain);
		for (size_t k = 0; k < r->senders.n; k++)
			check_taken(r, domain, r->senders.item[k], seen, faults, line);
		if (r->senders.n == 0)
			check_taken(r, domain, "", seen, faults, line);
	}
	check_accept_from(c, r, faults);
	check_user(c, r, faults);
}

static void check_relays(const struct cfg *c, struct vec *faults)
{
	struct hmap *local = hmap_new(c->global.domains.n + 1), *seen = hmap_new(CFG_FILE_MAX);
	for (size_t i = 0; i < c->global.domains.n; i++) {
		void *present = c->raw;
		BUG_IF(!hmap_put(local, sv_of(c->global.domains.item[i]), present));
	}
	for (size_t i = 0; i < c->relays.len; i++)
		check_relay(c, VEC_AT(&c->relays, struct cfg_relay, i), local, seen, faults);
	hmap_free(local, NULL);
	hmap_free(seen, NULL);
}

/* --- listeners --- */
static void check_address(const struct cfg *c, const struct cfg_listener *l, const char *text, struct vec *faults)
{
	unsigned line = cfg_line_in(c, "listener", l->name, "address");
	struct sv s = sv_of(text);
	struct addr at = { 0 };
	uint64_t port;
	bool ok = sv_starts(s, SV("*:")) ? num_u64(sv_skip(s, 2), 1, 65535, &port) : addr_parse(s, 0, &at) && at.port > 0;
	if (!ok)
		cfg_fault(faults, line, "address: %.80s is not an address and port; write 192.0.2.1:25, [2001:db8::1]:25 or *:25",
			text);
}

static void check_listeners(const struct cfg *c, struct vec *faults)
{
	const struct vec *v = &c->listeners;
	if (v->len == 0)
		cfg_warn(faults, 0, "no [listener NAME] section: mail comes in from programs on this host only");
	for (size_t i = 0; i < v->len; i++) {
		const struct cfg_listener *l = VEC_AT(v, struct cfg_listener, i);
		if (l->address.n == 0)
			cfg_fault(faults, l->line, "[listener %.60s] has no address: add `address = *:25`", l->name);
		for (size_t k = 0; k < l->address.n; k++) {
			check_address(c, l, l->address.item[k], faults);
			for (size_t m = 0; m < i; m++) {
				const struct cfg_listener *other = VEC_AT(v, struct cfg_listener, m);
				for (size_t n = 0; n < other->address.n; n++)
					if (strcmp(l->address.item[k], other->address.item[n]) == 0)
						cfg_fault(faults, l->line, "address: %.80s is also in [listener %.60s], line %u",
							l->address.item[k], other->name, other->line);
			}
		}
	}
}

/* --- pairs of numbers --- */
struct pair { /* a must not be above b; a warning only when the file itself sets a */
	const char *a, *b;
	bool warning;
};

static const struct pair pairs[] = {
	{ "smtpd_workers_min", "smtpd_workers_max", false },
	{ "smtpd_workers_spare", "smtpd_workers_max", false },
	{ "local_workers_min", "local_workers_max", false },
	{ "local_workers_spare", "local_workers_max", false },
	{ "remote_workers_min", "remote_workers_max", false },
	{ "remote_workers_spare", "remote_workers_max", false },
	{ "spam_workers_min", "spam_workers_max", false },
	{ "spam_workers_spare", "spam_workers_max", false },
	{ "retry_min", "retry_max", false },
	{ "errors_soft", "errors_max", false },
	{ "spam_mark_score", "spam_reject_score", false },
	{ "command_timeout", "session_timeout", true },
	{ "data_timeout", "session_timeout", true },
	{ "retry_min", "queue_lifetime", true },
	{ "delay_warning", "queue_lifetime", true },
	{ "bounce_lifetime", "queue_lifetime", true },
};

static int64_t number(const struct cfg *c, const char *name)
{
	struct cfg_place at;
	BUG_IF(!cfg_locate(c, name, &at));
	return *(const int64_t *)cfg_member(c, &at); /* seconds, counts and scores all have 64 bits */
}

static void check_pair(const struct cfg *c, const struct pair *p, struct vec *faults)
{
	unsigned line_a = line_of(c, p->a), line_b = line_of(c, p->b);
	struct buf a = BUF_INIT(64), b = BUF_INIT(64);
	if (number(c, p->a) <= number(c, p->b) || (p->warning && !cfg_was_set(c, p->a, NULL)))
		return;
	BUG_IF(!cfg_value_text(c, p->a, &a) || !cfg_value_text(c, p->b, &b));
	(p->warning ? cfg_warn : cfg_fault)(
		faults, MAX(line_a, line_b), "%s = %s is above %s = %s", p->a, buf_str(&a), p->b, buf_str(&b));
	buf_free(&a);
	buf_free(&b);
}

/* --- the rest --- */
static bool has_parent_step(const char *path)
{
	struct sv step, rest = sv_of(path);
	while (sv_cut(&rest, '/', &step))
		if (sv_eqs(step, ".."))
			return true;
	return false;
}

static void check_paths(const struct cfg *c, struct vec *faults)
{
	static const char *const needed[] = { "queue_directory", "runtime_directory", "state_directory" };
	const char *const paths[] = { c->global.queue_directory, c->global.runtime_directory, c->global.state_directory };
	const char *log = c->log.log_file, *maildir = c->local.maildir;
	for (size_t i = 0; i < COUNT(paths); i++) {
		if (paths[i][0] == '\0')
			cfg_fault(faults, line_of(c, needed[i]), "%s is empty: it must be a directory", needed[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(paths[i], paths[k]) == 0)
				cfg_fault(faults, MAX(line_of(c, needed[i]), line_of(c, needed[k])),
					"%s and %s must not be the same", needed[k], needed[i]);
	}
	if (log[0] != '/' && strcmp(log, "syslog") != 0 && strcmp(log, "stderr") != 0)
		cfg_fault(faults, line_of(c, "log_file"), "log_file = %.80s: must be an absolute path, syslog or stderr", log);
	if (maildir[0] == '\0' || maildir[0] == '/' || has_parent_step(maildir))
		cfg_fault(faults, line_of(c, "maildir"), "maildir = %.80s: must be relative to the home, without ..", maildir);
	if (c->resolve.virtual_mailboxes[0] != '\0' && c->global.virtual_base[0] == '\0')
		cfg_fault(faults, line_of(c, "virtual_mailboxes"),
			"virtual_mailboxes needs virtual_base, the directory that holds them");
	if (strcmp(c->global.virtual_base, "/") == 0 || has_parent_step(c->global.virtual_base))
		cfg_fault(faults, line_of(c, "virtual_base"), "virtual_base = %.80s: must be a directory of its own, without ..",
			c->global.virtual_base);
}

static void check_delimiter(const struct cfg *c, struct vec *faults)
{
	const char *d = c->global.recipient_delimiter;
	if (d[0] != '\0' && (d[1] != '\0' || !strchr("!#$%&'*+-/=?^_`{|}~", d[0])))
		cfg_fault(faults, line_of(c, "recipient_delimiter"),
			"recipient_delimiter = %s: must be one character that a local part may hold, like +", d);
}

void cfg_check(struct cfg *c, struct vec *faults)
{
	check_domains(c, faults);
	check_domain_sections(c, faults);
	check_srs(c, faults);
	check_relays(c, faults);
	cfg_check_rules(c, faults);
	check_listeners(c, faults);
	for (size_t i = 0; i < COUNT(pairs); i++)
		check_pair(c, &pairs[i], faults);
	check_paths(c, faults);
	check_delimiter(c, faults);
	cfg_check_tls(c, faults);
}
