/* postern check: aliases and virtual mailboxes. */
#include "base/clock.h"
#include "base/hmap.h"
#include "mail/maddr.h"
#include "maps/map.h"
#include "postern_check.h"

#include <sys/stat.h>

#define DEPTH_MAX 50 /* aliases that lead to aliases */

enum visit_state { UNSEEN, OPEN, DONE };
struct alias {
	char *value;
	unsigned line;
	enum visit_state state;
};
struct aliases {
	struct check *c;
	const char *file;
	struct hmap *by_name;  /* of struct alias */
	struct map *mailboxes; /* NULL: none */
	/* while one entry is walked: */
	struct alias *now;
	const char *name;
	unsigned depth;
};

/* The path of a table, for "file:line". */
static const char *table_file(const char *spec)
{
	const char *colon = strchr(spec, ':');
	return colon ? colon + 1 : spec;
}

static struct map *open_table(struct check *c, const char *what, const char *spec, enum map_form form)
{
	struct err e = { 0 };
	unsigned line = 0;
	struct map *m = map_open(spec, form, &e);
	if (!m)
		check_add(c, CHECK_ERROR, c->t->conf, cfg_was_set(c->t->cfg, what, &line) ? line : 0, "%s = %s: %s", what, spec,
			e.text);
	else if (map_fault(m, &e))
		check_add(c, CHECK_ERROR, NULL, 0, "%s: %s", what, e.text);
	return m;
}

/* --- who exists --- */
static bool is_local_domain(const struct cfg *c, const char *domain)
{
	for (size_t i = 0; i < c->global.domains.n; i++)
		if (strcmp(domain, c->global.domains.item[i]) == 0)
			return true;
	return false;
}

static bool has_mailbox(struct aliases *a, const char *local, const char *domain)
{
	struct buf key = BUF_INIT(MADDR_TEXT_MAX), value = BUF_INIT(MAP_VALUE_MAX);
	buf_putf(&key, "%s@%s", local, domain);
	bool found = a->mailboxes && map_get(a->mailboxes, buf_sv(&key), clock_mono_ms(), &value, NULL) == MAP_FOUND;
	buf_free(&key);
	buf_free(&value);
	return found;
}

static bool has_user(const struct cfg *c, const char *local)
{
	const struct passwd *pw = c->resolve.system_users ? getpwnam(local) : NULL;
	return pw && pw->pw_uid >= c->global.min_uid;
}

static bool exists(struct aliases *a, const struct maddr *m)
{
	const struct cfg *c = a->c->t->cfg;
	if (has_user(c, m->local) || (m->domain[0] != '\0' && has_mailbox(a, m->local, m->domain)))
		return true;
	for (size_t i = 0; m->domain[0] == '\0' && i < c->global.domains.n; i++)
		if (has_mailbox(a, m->local, c->global.domains.item[i]))
			return true;
	return false;
}

static struct alias *find_alias(const struct aliases *a, struct sv local)
{
	char folded[MADDR_TEXT_MAX];
	if (!sv_copy(local, folded, sizeof folded))
		return NULL;
	for (char *p = folded; *p; p++)
		*p = ascii_lower(*p);
	return hmap_get(a->by_name, sv_of(folded));
}

/* --- one entry --- */
static void visit(struct aliases *a, const char *name, struct alias *al);

static void follow_local(struct aliases *a, const struct maddr *m)
{
	char text[MADDR_TEXT_MAX + 1];
	struct sv user = maddr_local(m), detail;
	struct alias *next = find_alias(a, sv_of(maddr_text(m, text)));
	if (!next)
		next = find_alias(a, user);
	if (!next && maddr_split_detail(user, a->c->t->cfg->global.recipient_delimiter, &user, &detail))
		next = find_alias(a, user);
	if (next == a->now) /* `al: al, copy@x`: himself too */
		return;
	if (next && next->state == OPEN)
		check_add(a->c, CHECK_ERROR, a->file, a->now->line, "%s: %s leads back here: a loop", a->name, text);
	else if (next)
		visit(a, text, next);
	else if (user.n == m->local_len && !exists(a, m))
		check_add(a->c, CHECK_WARNING, a->file, a->now->line, "%s: there is no user or mailbox %s", a->name, text);
}

static bool on_item(enum alias_kind kind, struct sv item, void *arg)
{
	static const char *const unsupported[] = {
		[ALIAS_COMMAND] = "a command (|)", [ALIAS_FILE] = "a file (/)", [ALIAS_INCLUDE] = "an :include: list"
	};
	struct aliases *a = arg;
	struct maddr m;
	struct err e = { 0 };
	if (kind != ALIAS_ADDRESS) {
		check_add(a->c, CHECK_WARNING, a->file, a->now->line,
			"%s: %.*s is %s, which is not supported yet: mail for it stays in the queue", a->name, (int)MIN(item.n, 80),
			item.p, unsupported[kind]);
		return true;
	}
	bool final = sv_starts(item, SV("\\")); /* no further aliases */
	if (!maddr_parse(final ? sv_skip(item, 1) : item, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &m, &e))
		check_add(a->c, CHECK_ERROR, a->file, a->now->line, "%s: %.*s: %s", a->name, (int)MIN(item.n, 80), item.p, e.text);
	else if (!final && (m.domain[0] == '\0' || is_local_domain(a->c->t->cfg, m.domain)))
		follow_local(a, &m);
	return true;
}

static void visit(struct aliases *a, const char *name, struct alias *al)
{
	struct alias *before = a->now;
	const char *name_before = a->name;
	struct err e = { 0 };
	if (al->state != UNSEEN || a->depth > DEPTH_MAX)
		return;
	al->state = OPEN;
	a->now = al;
	a->name = name;
	a->depth++;
	if (!map_alias_items(sv_of(al->value), on_item, a, &e))
		check_add(a->c, CHECK_ERROR, a->file, al->line, "%s: %s", name, e.text);
	a->depth--;
	a->now = before;
	a->name = name_before;
	al->state = DONE;
}

static bool collect(struct sv key, struct sv value, unsigned line, void *arg)
{
	struct aliases *a = arg;
	if (hmap_get(a->by_name, key)) {
		check_add(a->c, CHECK_WARNING, a->file, line, "%.*s is there twice: the first one counts", (int)MIN(key.n, 80),
			key.p);
		return true;
	}
	struct alias *al = mem_new(sizeof *al);
	al->value = mem_dup(value);
	al->line = line;
	if (hmap_put(a->by_name, key, al))
		return true;
	free(al->value);
	free(al);
	return false;
}

static void free_alias(void *p)
{
	struct alias *al = p;
	free(al->value);
	free(al);
}

static void visit_all(struct aliases *a)
{
	char name[MADDR_TEXT_MAX + 1];
	struct sv key;
	void *value;
	for (size_t at = 0; hmap_next(a->by_name, &at, &key, &value);) {
		if (!sv_copy(key, name, sizeof name))
			snprintf(name, sizeof name, "(a long name)");
		visit(a, name, value);
	}
}

/* RFC 5321 4.5.1: postmaster must be reachable; root is who system programs write to. */
static void check_needed(struct aliases *a)
{
	static const char *const names[] = { "postmaster", "root" };
	for (size_t i = 0; i < COUNT(names); i++) {
		struct maddr m = { .local_len = strlen(names[i]) };
		snprintf(m.local, sizeof m.local, "%s", names[i]);
		if (!find_alias(a, sv_of(names[i])) && !exists(a, &m))
			check_add(a->c, CHECK_WARNING, a->file, 0, "%s has no alias: add `%s: ` and who is to read its mail",
				names[i], names[i]);
	}
}

/* A compiled table that is older than its source. */
static void check_compiled(struct check *c, const char *spec)
{
	struct buf path = BUF_INIT(4096), source = BUF_INIT(4096);
	struct stat db, text;
	const char *file = table_file(spec);
	struct sv base = sv_of(file);
	if (sv_ends(base, SV(".db")))
		base.n -= 3;
	buf_putsv(&source, base);
	buf_putf(&path, "%s.db", buf_str(&source));
	if (sv_starts(sv_of(spec), SV("bdb:")) && stat(buf_str(&path), &db) == 0 && stat(buf_str(&source), &text) == 0 &&
		text.st_mtime > db.st_mtime)
		check_add(c, CHECK_WARNING, buf_str(&source), 0, "is newer than %s: run newaliases, or `postern map compile`",
			buf_str(&path));
	buf_free(&path);
	buf_free(&source);
}

void check_aliases(struct check *c)
{
	const struct cfg_resolve *r = &c->t->cfg->resolve;
	struct aliases a = { .c = c, .file = table_file(r->aliases), .by_name = hmap_new(MAP_ENTRIES_MAX) };
	struct err e = { 0 };
	struct map *m = r->aliases[0] != '\0' ? open_table(c, "aliases", r->aliases, MAP_ALIASES) : NULL;
	if (r->virtual_mailboxes[0] != '\0')
		a.mailboxes = map_open(r->virtual_mailboxes, MAP_PLAIN, NULL); /* its faults are check_mailboxes' */
	if (m && !map_each(m, collect, &a, &e))
		check_add(c, CHECK_ERROR, a.file, 0, "%s", e.text);
	if (m) {
		visit_all(&a);
		check_needed(&a);
		check_compiled(c, r->aliases);
	}
	map_close(m);
	map_close(a.mailboxes);
	hmap_free(a.by_name, free_alias);
}

/* --- virtual mailboxes --- */
struct mailboxes {
	struct check *c;
	const char *file;
	size_t unowned; /* entries that take the owner of virtual_base */
};

static bool on_mailbox(struct sv key, struct sv value, unsigned line, void *arg)
{
	struct mailboxes *b = arg;
	const struct cfg *cfg = b->c->t->cfg;
	struct map_mailbox box;
	struct maddr m;
	struct err e = { 0 };
	int n = (int)MIN(key.n, 80);
	bool any_domain = key.n > 0 && key.p[0] == '@';
	if (!any_domain && !maddr_parse(key, MADDR_UTF8_OK, &m, &e))
		check_add(b->c, CHECK_ERROR, b->file, line, "%.*s: %s", n, key.p, e.text);
	else if (!any_domain && !is_local_domain(cfg, m.domain))
		check_add(b->c, CHECK_WARNING, b->file, line, "%.*s: %s is not one of domains: no mail will come", n, key.p,
			m.domain);
	if (!map_mailbox_value(value, &box, &e))
		check_add(b->c, CHECK_ERROR, b->file, line, "%.*s: %s", n, key.p, e.text);
	else if (!cfg->unprivileged && box.owned && (box.uid < cfg->global.min_uid || box.gid == 0))
		check_add(b->c, CHECK_ERROR, b->file, line,
			"%.*s: uid %llu, gid %llu is a system account: mail is not delivered as one", n, key.p,
			(unsigned long long)box.uid, (unsigned long long)box.gid);
	else if (!box.owned)
		b->unowned++;
	return true;
}

void check_mailboxes(struct check *c)
{
	const struct cfg *cfg = c->t->cfg;
	struct mailboxes b = { .c = c, .file = table_file(cfg->resolve.virtual_mailboxes) };
	struct err e = { 0 };
	struct stat st;
	unsigned line = 0;
	if (cfg->resolve.virtual_mailboxes[0] == '\0')
		return;
	struct map *m = open_table(c, "virtual_mailboxes", cfg->resolve.virtual_mailboxes, MAP_PLAIN);
	if (m && !map_each(m, on_mailbox, &b, &e))
		check_add(c, CHECK_ERROR, b.file, 0, "%s", e.text);
	map_close(m);
	if (cfg->global.virtual_base[0] == '\0')
		return;
	if (!cfg_was_set(cfg, "virtual_base", &line))
		line = 0;
	if (stat(cfg->global.virtual_base, &st) < 0 || !S_ISDIR(st.st_mode))
		check_add(c, CHECK_ERROR, c->t->conf, line, "virtual_base = %s: is not a directory; make it",
			cfg->global.virtual_base);
	else if (b.unowned > 0 && !cfg->unprivileged && st.st_uid < cfg->global.min_uid)
		check_add(c, CHECK_WARNING, c->t->conf, line,
			"virtual_base = %s: belongs to uid %u, a system account: mailboxes without an owner of their own get no "
			"mail; "
			"chown it to a user made for them",
			cfg->global.virtual_base, (unsigned)st.st_uid);
}
