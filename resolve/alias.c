#include "alias.h"

#define TARGET_FLAGS (MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK)

static enum map_result look_up(const struct lookups *l, const char *key, struct alias *ret, struct err *e)
{
	enum map_result result = l->alias(l->arg, sv_of(key), &ret->value, e);
	size_t i;

	if (result != MAP_FOUND)
		return result;
	for (i = 0; key[i]; i++)
		ret->key[i] = ascii_lower(key[i]);
	ret->key[i] = '\0';
	return MAP_FOUND;
}

enum map_result alias_find_name(const struct lookups *l, const char *name, struct alias *ret, struct err *e)
{
	return look_up(l, name, ret, e);
}

/* The bare name. One that looks like an address, "al@example.org"@here, is not the key of that address. */
static enum map_result look_up_name(const struct lookups *l, struct sv local, struct alias *ret, struct err *e)
{
	char name[MADDR_LOCAL_MAX + 1];

	if (sv_chr(local, '@') >= 0 || !sv_copy(local, name, sizeof(name)))
		return MAP_NONE;
	return look_up(l, name, ret, e);
}

enum map_result alias_find(const struct rules *r, const struct lookups *l, const struct local_domain *d, const struct maddr *a,
	struct alias *ret, struct err *e)
{
	struct sv forms[2] = { maddr_local(a) }, detail;
	char key[MADDR_TEXT_MAX + 1];
	enum map_result result = MAP_NONE;

	mailbox_split(r, forms[0], &forms[1], &detail);
	size_t n = forms[1].n == forms[0].n ? 1 : 2;
	for (size_t i = 0; i < n && result == MAP_NONE; i++)
		result = look_up(l, mailbox_key(a, forms[i], key), ret, e);
	if (d->users == CFG_USERS_VIRTUAL)
		return result;
	for (size_t i = 0; i < n && result == MAP_NONE; i++)
		result = look_up_name(l, forms[i], ret, e);
	return result;
}

/* --- targets ------------------------------------------------------------------------------------------------------------- */

static const char *const unsupported[] = {
	[ALIAS_COMMAND] = "commands are",
	[ALIAS_FILE] = "files are",
	[ALIAS_INCLUDE] = "included lists are",
};

static bool parse_target(struct sv item, struct maddr *ret, bool *ret_final, struct err *e)
{
	*ret_final = sv_starts(item, SV("\\"));
	return maddr_parse(sv_skip(item, *ret_final), TARGET_FLAGS, ret, e);
}

struct judge {
	const struct alias *alias;
	bool usable;
	struct err *e;
};

static bool judge(enum alias_kind kind, struct sv item, void *arg)
{
	struct judge *j = arg;
	struct maddr a;
	bool final;

	if (kind != ALIAS_ADDRESS)
		j->usable = err_dsn(j->e, ERR_TEMP, "4.3.5", "alias %s: target %.*s: %s not supported yet", j->alias->key,
			(int)MIN(item.n, 100u), item.p, unsupported[kind]);
	else if (!parse_target(item, &a, &final, NULL))
		j->usable = err_dsn(j->e, ERR_TEMP, "4.3.5", "alias %s: target %.*s is no address", j->alias->key,
			(int)MIN(item.n, 100u), item.p);
	return j->usable;
}

bool alias_usable(const struct alias *a, struct err *e)
{
	struct judge j = { a, true, e };

	if (map_alias_items(buf_sv(&a->value), judge, &j, e))
		return j.usable;
	err_add(e, "alias %s", a->key);
	return false;
}

struct walk {
	bool (*on)(const struct maddr *, bool, void *);
	void *arg;
};

static bool visit(enum alias_kind kind, struct sv item, void *arg)
{
	struct walk *w = arg;
	struct maddr a;
	bool final;

	if (kind != ALIAS_ADDRESS || !parse_target(item, &a, &final, NULL))
		return true;
	return w->on(&a, final, w->arg);
}

void alias_targets(const struct alias *a, bool (*on)(const struct maddr *, bool, void *), void *arg)
{
	struct walk w = { on, arg };

	if (!map_alias_items(buf_sv(&a->value), visit, &w, NULL))
		return; /* alias_usable() has told */
}
