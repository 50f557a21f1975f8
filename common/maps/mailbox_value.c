/* A value of the table of virtual mailboxes: `path [uid:gid]`. */
#include "base/num.h"
#include "maps/map.h"

#define ID_MAX 4294967294u /* (uid_t)-1 means "unchanged" to the kernel */

/* Relative, and nothing in it leads upwards: the table may come from a tool of many hands. */
static bool path_ok(struct sv path)
{
	struct sv part;
	if (path.n == 0 || sv_has_ctl(path))
		return false;
	while (sv_cut(&path, '/', &part))
		if (part.n == 0 || sv_eqs(part, ".") || sv_eqs(part, ".."))
			return false;
	return true;
}

static bool parse_owner(struct sv word, struct map_mailbox *ret)
{
	struct sv uid;
	return sv_cut(&word, ':', &uid) && num_u64(uid, 0, ID_MAX, &ret->uid) && num_u64(word, 0, ID_MAX, &ret->gid);
}

bool map_mailbox_value(struct sv value, struct map_mailbox *ret, struct err *e)
{
	struct map_mailbox box = { .owned = false };
	struct sv path, owner;
	if (!sv_word(&value, &path))
		return err_dsn(e, ERR_TEMP, "4.3.5", "it has no path");
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (!path_ok(path) || !sv_copy(path, box.path, sizeof box.path))
		return err_dsn(e, ERR_TEMP, "4.3.5", "its path must lie below virtual_base: relative, without ..");
	box.owned = sv_word(&value, &owner);
	if (box.owned && (!parse_owner(owner, &box) || sv_trim(value).n > 0))
		return err_dsn(e, ERR_TEMP, "4.3.5", "write `path uid:gid`, both as numbers");
	*ret = box;
	return true;
}
