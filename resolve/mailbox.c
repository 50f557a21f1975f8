#include "mailbox.h"
#include "base/num.h"

#define ID_MAX 4294967294u /* (uid_t)-1 means "unchanged" to the kernel */
#define NOBODY_UID 65534u  /* owns nothing, and has no home */

void mailbox_split(const struct rules *r, struct sv local, struct sv *ret_name, struct sv *ret_detail)
{
	if (maddr_split_detail(local, r->cfg->global.recipient_delimiter, ret_name, ret_detail))
		return;
	*ret_name = local;
	*ret_detail = SV("");
}

const char *mailbox_key(const struct maddr *a, struct sv local, char dst[MADDR_TEXT_MAX + 1])
{
	struct maddr b = *a;

	BUG_IF(local.n > a->local_len);
	memmove(b.local, local.p, local.n);
	b.local[local.n] = '\0';
	b.local_len = local.n;
	return maddr_text(&b, dst);
}

/* --- virtual mailboxes --------------------------------------------------------------------------------------------------- */

static bool owner_of(const struct rules *r, const struct lookups *l, struct map_mailbox *entry, struct err *e)
{
	uid_t uid;
	gid_t gid;

	if (r->cfg->unprivileged) { /* all has our own uid, whatever the table says */
		entry->uid = geteuid();
		entry->gid = getegid();
		return true;
	}
	if (!entry->owned) {
		if (!l->base_owner(l->arg, &uid, &gid, e))
			return false;
		entry->uid = uid;
		entry->gid = gid;
	}
	if (entry->uid < r->cfg->global.min_uid || entry->gid == 0)
		return err_dsn(e, ERR_TEMP, "4.3.5", "uid %llu, gid %llu: mail is not delivered as a system account; name others",
			(unsigned long long)entry->uid, (unsigned long long)entry->gid);
	return true;
}

static bool fill_virtual(
	const struct rules *r, const struct lookups *l, struct sv value, const char *key, struct resolve_box *ret, struct err *e)
{
	struct map_mailbox entry;

	if (!map_mailbox_value(value, &entry, e) || !owner_of(r, l, &entry, e)) {
		err_add(e, "virtual mailbox %s", key);
		return false;
	}
	if (!sv_copy(sv_of(r->cfg->global.virtual_base), ret->home, sizeof(ret->home)))
		return err_dsn(e, ERR_TEMP, "4.3.5", "virtual_base is longer than %zu bytes", sizeof(ret->home) - 1);
	ret->kind = BOX_VIRTUAL;
	ret->uid = entry.uid;
	ret->gid = entry.gid;
	memcpy(ret->maildir, entry.path, sizeof(entry.path));
	return true;
}

static enum user_result find_virtual(const struct rules *r, const struct lookups *l, const struct maddr *a, struct sv local,
	struct resolve_box *ret, struct err *e)
{
	struct buf value = BUF_INIT(MAP_VALUE_MAX);
	char key[MADDR_TEXT_MAX + 1];
	enum user_result result = USER_NONE;

	switch (l->mailbox(l->arg, sv_of(mailbox_key(a, local, key)), &value, e)) {
	case MAP_FOUND:
		result = fill_virtual(r, l, buf_sv(&value), key, ret, e) ? USER_FOUND : USER_FAILED;
		break;
	case MAP_FAILED:
		result = USER_FAILED;
		break;
	case MAP_NONE:
		break;
	}
	buf_free(&value);
	return result;
}

/* --- system users -------------------------------------------------------------------------------------------------------- */

/* What may be asked of name services, some of which paste it into queries of their own: the portable file name characters
 * (POSIX 3.437), no leading hyphen. */
static bool user_name(struct sv local, char dst[sizeof((struct resolve_box){ 0 }.user)])
{
	if (local.n == 0 || local.n >= sizeof((struct resolve_box){ 0 }.user) || local.p[0] == '-' || local.p[0] == '.')
		return false;
	for (size_t i = 0; i < local.n; i++) {
		if (!ascii_alnum(local.p[i]) && local.p[i] != '.' && local.p[i] != '_' && local.p[i] != '-')
			return false;
		dst[i] = ascii_lower(local.p[i]);
	}
	dst[local.n] = '\0';
	return true;
}

static enum user_result fill_system(const struct rules *r, const struct user *u, struct resolve_box *ret, struct err *e)
{
	if (u->uid < r->cfg->global.min_uid || u->uid > ID_MAX || u->uid == NOBODY_UID)
		return USER_NONE;
	if (u->home[0] != '/' || !sv_copy(sv_of(u->home), ret->home, sizeof(ret->home))) {
		err_dsn(e, ERR_TEMP, "4.3.5", "user %s has no usable home directory", u->name);
		return USER_FAILED;
	}
	if (!sv_copy(sv_of(u->name), ret->user, sizeof(ret->user)) ||
		!sv_copy(sv_of(u->groups), ret->groups, sizeof(ret->groups)) ||
		!sv_copy(sv_of(r->cfg->local.maildir), ret->maildir, sizeof(ret->maildir))) {
		err_dsn(e, ERR_TEMP, "4.3.5", "the name, groups or Maildir of user %s are too long", u->name);
		return USER_FAILED;
	}
	ret->kind = BOX_SYSTEM;
	ret->uid = u->uid;
	ret->gid = u->gid;
	return USER_FOUND;
}

static enum user_result find_system(const struct rules *r, const struct lookups *l, const struct maddr *a UNUSED, struct sv local,
	struct resolve_box *ret, struct err *e)
{
	char name[sizeof(ret->user)];
	struct user u;

	if (!user_name(local, name))
		return USER_NONE;
	enum user_result result = l->user(l->arg, name, &u, e);
	return result == USER_FOUND ? fill_system(r, &u, ret, e) : result;
}

/* --- both ---------------------------------------------------------------------------------------------------------------- */

typedef enum user_result finder(
	const struct rules *, const struct lookups *, const struct maddr *, struct sv local, struct resolve_box *, struct err *);

static enum user_result find_both_forms(
	finder *find, const struct rules *r, const struct lookups *l, const struct maddr *a, struct resolve_box *ret, struct err *e)
{
	struct sv name, detail;
	enum user_result result = find(r, l, a, maddr_local(a), ret, e);

	mailbox_split(r, maddr_local(a), &name, &detail);
	if (result != USER_NONE || name.n == a->local_len)
		return result;
	result = find(r, l, a, name, ret, e);
	if (result == USER_FOUND && !sv_copy(detail, ret->detail, sizeof(ret->detail)))
		ret->detail[0] = '\0';
	return result;
}

enum user_result mailbox_find(const struct rules *r, const struct lookups *l, const struct local_domain *d, const struct maddr *a,
	struct resolve_box *ret, struct err *e)
{
	struct resolve_box scratch;
	enum user_result result = USER_NONE;

	ret = ret ? ret : &scratch;
	*ret = (struct resolve_box){ .kind = BOX_VIRTUAL };
	if (d->users != CFG_USERS_SYSTEM && r->cfg->global.virtual_base[0])
		result = find_both_forms(find_virtual, r, l, a, ret, e);
	if (result == USER_NONE && d->users != CFG_USERS_VIRTUAL && r->cfg->resolve.system_users)
		result = find_both_forms(find_system, r, l, a, ret, e);
	return result;
}
