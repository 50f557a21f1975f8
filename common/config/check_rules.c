/* Who may send where: networks that are too wide; rules: do they name things that exist, and do they let strangers relay?
 *
 * The proof takes a stranger: a client outside of every network that is named and narrow, without an account and without a
 * certificate, with whatever HELO, sender and reverse name suits it, and with a recipient anywhere. Each condition fits every
 * stranger, some, or none. A relay rule that fits some is an open relay, unless a rule before it has already ended the matter for
 * every stranger. */
#include "config/own.h"
#include "config/raw.h"

const struct cfg_match *cfg_rule_condition(const struct cfg_rule *r, size_t i)
{
	BUG_IF(i >= CFG_CONDITIONS || cfg_rule_params[i].type != CFG_T_MATCH);
	return (const struct cfg_match *)(const void *)((const char *)r + cfg_rule_params[i].offset);
}

#define WIDE_BITS4 8 /* of a network that is no longer one's own: fewer bits than these */
#define WIDE_BITS6 16

bool cfg_net_is_wide(const struct addr_net *net) { return net->bits < (net->family == AF_INET ? WIDE_BITS4 : WIDE_BITS6); }

enum fits { FITS_NONE, FITS_SOME, FITS_ALL };

/* A list whose words each fit `word` of the strangers. */
static enum fits list_fits(const struct cfg_match *m, enum fits (*word)(const struct cfg_word *w))
{
	enum fits plain = FITS_ALL, excluded = FITS_NONE;
	bool has_plain = false;
	for (size_t i = 0; i < m->n; i++) {
		enum fits f = word(&m->word[i]);
		if (m->word[i].not ) {
			excluded = MAX(excluded, f);
		} else {
			plain = has_plain ? MAX(plain, f) : f;
			has_plain = true;
		}
	}
	if (plain == FITS_NONE || excluded == FITS_ALL)
		return FITS_NONE;
	return plain == FITS_ALL && excluded == FITS_NONE ? FITS_ALL : FITS_SOME;
}

static enum fits client_word(const struct cfg_word *w)
{
	return w->kind == CFG_WORD_NET && cfg_net_is_wide(&w->net) ? FITS_SOME : FITS_NONE;
}

static enum fits account_word(const struct cfg_word *w) { return w->kind == CFG_WORD_NONE ? FITS_ALL : FITS_NONE; }

static enum fits tls_word(const struct cfg_word *w)
{
	return w->kind == CFG_WORD_YES || w->kind == CFG_WORD_NO ? FITS_SOME : FITS_NONE;
}

/* A recipient that is listed is no recipient of a stranger's choice. */
static enum fits recipient_word(const struct cfg_word *w)
{
	return w->kind == CFG_WORD_USER || w->kind == CFG_WORD_BELOW ? FITS_SOME : FITS_NONE;
}

static enum fits any_word(const struct cfg_word *w UNUSED) { return FITS_SOME; } /* whatever the client likes to say */

/* A stranger is in no table, but a pattern may fit anybody. Networks in a table are looked at by `postern check`. */
static enum fits table_fits(const struct cfg_match *m, bool said_by_client)
{
	bool pattern = sv_starts(sv_of(m->table), SV("regexp:")) || sv_starts(sv_of(m->table), SV("pcre:"));
	if (said_by_client || pattern)
		return FITS_SOME;
	return m->not_in_table ? FITS_ALL : FITS_NONE;
}

static enum fits condition_fits(const struct cfg_rule *r, const struct cfg_match *m)
{
	enum fits (*word)(const struct cfg_word *) = m == &r->client      ? client_word
						     : m == &r->account   ? account_word
						     : m == &r->tls       ? tls_word
						     : m == &r->recipient ? recipient_word
									  : any_word;
	if (m->text[0] == '\0')
		return FITS_ALL;
	return m->table ? table_fits(m, word == any_word) : list_fits(m, word);
}

static enum fits rule_fits(const struct cfg_rule *r)
{
	enum fits all = FITS_ALL;
	for (size_t i = 0; i < CFG_CONDITIONS; i++)
		all = MIN(all, condition_fits(r, cfg_rule_condition(r, i)));
	return all;
}

static void check_strangers(const struct cfg *c, struct vec *faults)
{
	for (size_t i = 0; i < c->rules.len; i++) {
		const struct cfg_rule *r = VEC_AT(&c->rules, struct cfg_rule, i);
		enum fits fits = rule_fits(r);
		if (r->action.act == CFG_ACT_RELAY && fits != FITS_NONE)
			cfg_fault(faults, r->line,
				"[rule %s]: strangers may relay by this rule, an open relay: what it asks for, anybody can have or "
				"say; add account, client with your own networks, or tls with fingerprints",
				r->name);
		if (fits == FITS_ALL && r->action.act != CFG_ACT_NONE && cfg_act_ends(r->action.act))
			return; /* no stranger comes further */
	}
}

/* --- networks whose clients are believed --- */
static void check_nets(
	const struct cfg *c, const struct cfg_group *g, size_t section, const struct cfg_param *p, struct vec *faults)
{
	struct cfg_place at = { g, section, p };
	const struct cfg_nets *nets = cfg_member(c, &at);
	struct buf name = BUF_INIT(512);
	char text[ADDR_TEXT_MAX];
	unsigned line;
	if (section != CFG_TOP)
		buf_putf(&name, "%s.%s.", g->owner, cfg_section(c, g, section)->name);
	buf_puts(&name, p->name);
	if (!cfg_was_set(c, buf_str(&name), &line))
		line = 0;
	for (size_t i = 0; i < nets->n; i++) {
		const char *shown = addr_net_text(&nets->item[i], text);
		if (!cfg_net_is_wide(&nets->item[i]))
			continue;
		if (strcmp(p->name, "unlimited_networks") == 0) /* the one list that gives no right */
			cfg_warn(faults, line, "%s: %s is a large part of the Internet: no limits for all of it", p->name, shown);
		else
			cfg_fault(faults, line, "%s: %s is %s: an open relay, or the way to one; name your own networks only",
				p->name, shown, nets->item[i].bits == 0 ? "everybody" : "a large part of the Internet");
	}
	buf_free(&name);
}

static void check_all_nets(const struct cfg *c, struct vec *faults)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		for (const struct cfg_param *p = g->params; p->name; p++)
			for (size_t i = 0; p->type == CFG_T_NETS && i < (g->section ? cfg_section_vec(c, g)->len : 1); i++)
				check_nets(c, g, g->section ? i : CFG_TOP, p, faults);
}

/* --- names and form --- */
static const struct cfg_listener *find_listener(const struct cfg *c, const char *name)
{
	for (size_t i = 0; i < c->listeners.len; i++) {
		const struct cfg_listener *l = VEC_AT(&c->listeners, struct cfg_listener, i);
		if (sv_ieqs(sv_of(name), l->name))
			return l;
	}
	return NULL;
}

static void check_listener_names(const struct cfg *c, const struct cfg_rule *r, struct vec *faults)
{
	for (size_t i = 0; i < r->listener.n; i++) {
		const char *name = r->listener.word[i].text, *names[100] = { NULL };
		if (find_listener(c, name))
			continue;
		for (size_t k = 0; k < MIN(c->listeners.len, COUNT(names) - 1); k++)
			names[k] = VEC_AT(&c->listeners, struct cfg_listener, k)->name;
		const char *near = cfg_nearest_of(name, names);
		cfg_fault(faults, cfg_line_in(c, "rule", r->name, "listener"), "listener: there is no [listener %.60s]%s%s%s", name,
			near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
	}
}

static bool takes_everything(const struct cfg_rule *r)
{
	for (size_t i = 0; i < CFG_CONDITIONS; i++)
		if (cfg_rule_condition(r, i)->text[0] != '\0')
			return false;
	return cfg_act_ends(r->action.act);
}

void cfg_check_rules(const struct cfg *c, struct vec *faults)
{
	const struct cfg_rule *last = NULL;
	check_all_nets(c, faults);
	for (size_t i = 0; i < c->rules.len; i++) {
		const struct cfg_rule *r = VEC_AT(&c->rules, struct cfg_rule, i);
		if (r->action.act == CFG_ACT_NONE && !cfg_line_in(c, "rule", r->name, "action"))
			cfg_fault(faults, r->line, "[rule %s] has no action: add `action = reject`, or another", r->name);
		if (r->action.act == CFG_ACT_REDIRECT && r->recipient.text[0] == '\0')
			cfg_warn(faults, r->line,
				"[rule %s] redirects the mail for every recipient: name some with `recipient = ...`", r->name);
		if (last)
			cfg_warn(faults, r->line, "[rule %s] is never reached: [rule %s] in line %u takes everything", r->name,
				last->name, last->line);
		else if (takes_everything(r) && r->action.act != CFG_ACT_NONE)
			last = r;
		check_listener_names(c, r, faults);
	}
	check_strangers(c, faults);
}
