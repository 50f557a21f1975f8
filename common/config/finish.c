/* Defaults that only the running system knows. */
#include "base/fd.h"
#include "config/raw.h"

#include <fcntl.h>
#include <sys/utsname.h>

#define MAILNAME "/etc/mailname"
#define MAILNAME_MAX 4096

static void fold(struct cfg *c, const char **text)
{
	char *kept = cfg_keep(c, sv_of(*text));
	for (char *p = kept; *p; p++)
		*p = ascii_lower(*p);
	*text = kept;
}

/* The first word of /etc/mailname, "" when there is none. */
static const char *mailname(struct cfg *c)
{
	struct buf text = BUF_INIT(MAILNAME_MAX);
	struct sv line = { NULL, 0 }, rest, word = { NULL, 0 };
	if (fd_read_path(AT_FDCWD, MAILNAME, &text, NULL)) {
		rest = buf_sv(&text);
		if (sv_cut(&rest, '\n', &line) && !sv_word(&line, &word))
			word = SV("");
	}
	const char *name = cfg_keep(c, cfg_domain_ok(word) ? word : SV(""));
	buf_free(&text);
	return name;
}

static const char *system_hostname(struct cfg *c)
{
	struct utsname u;
	if (uname(&u) < 0 || !cfg_domain_ok(sv_of(u.nodename)))
		return "localhost";
	return cfg_keep(c, sv_of(u.nodename));
}

static void default_domains(struct cfg *c, const char *mail_name)
{
	const char *const wanted[] = { c->global.hostname, "localhost", mail_name };
	struct cfg_list *list = &c->global.domains;
	list->n = 0;
	list->item = arena_alloc(c->raw->arena, sizeof wanted);
	BUG_IF(!list->item);
	for (size_t i = 0; i < COUNT(wanted); i++) {
		bool known = wanted[i][0] == '\0';
		for (size_t k = 0; k < list->n; k++)
			known = known || sv_ieqs(sv_of(wanted[i]), list->item[k]);
		if (!known)
			list->item[list->n++] = wanted[i];
	}
}

/* Of rewritten senders: one whose mail comes here. */
static void default_srs_domain(struct cfg *c)
{
	struct cfg_global *g = &c->global;
	if (cfg_was_set(c, "srs_domain", NULL)) {
		fold(c, &g->srs_domain);
		return;
	}
	g->srs_domain = g->domains.n > 0 ? g->domains.item[0] : g->hostname;
	for (size_t i = 0; i < g->domains.n; i++)
		if (strcmp(g->origin, g->domains.item[i]) == 0)
			g->srs_domain = g->origin;
}

void cfg_finish(struct cfg *c, struct vec *faults UNUSED)
{
	const char *mail_name = mailname(c);
	if (!cfg_was_set(c, "hostname", NULL))
		c->global.hostname = system_hostname(c);
	if (!cfg_was_set(c, "origin", NULL))
		c->global.origin = mail_name[0] != '\0' ? mail_name : c->global.hostname;
	if (!cfg_was_set(c, "domains", NULL))
		default_domains(c, mail_name);
	fold(c, &c->global.origin);
	for (size_t i = 0; i < c->global.domains.n; i++)
		fold(c, &c->global.domains.item[i]);
	default_srs_domain(c);
	for (size_t i = 0; i < c->relays.len; i++) {
		struct cfg_list *list = &VEC_AT(&c->relays, struct cfg_relay, i)->domains;
		for (size_t k = 0; k < list->n; k++)
			fold(c, &list->item[k]);
	}
	c->unprivileged = geteuid() != 0;
	if (c->unprivileged) /* one uid cannot write into other users' homes */
		c->resolve.system_users = false;
}
