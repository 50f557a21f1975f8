/* mailbox - where an address of ours has its mailbox: a virtual one's table entry, or a system user's home. */
#ifndef RESOLVE_MAILBOX_H
#define RESOLVE_MAILBOX_H

#include "ipc/msg_resolve.h"
#include "maps/map.h"
#include "mail/srs.h"
#include "rules.h"

struct user { /* as the name service tells; strings are valid until the next look-up */
	uid_t uid;
	gid_t gid;
	const char *name, *home;
	const char *groups; /* decimal, blanks between */
};
enum user_result { USER_FOUND, USER_NONE, USER_FAILED, USER_PENDING }; /* PENDING: ask again when the answer is there */

/* What decisions ask of the world. The daemon gives its tables and its cache, a test its own. */
struct lookups {
	enum map_result (*alias)(void *arg, struct sv key, struct buf *ret_value, struct err *e);
	enum map_result (*mailbox)(void *arg, struct sv key, struct buf *ret_value, struct err *e);
	enum user_result (*user)(void *arg, const char *name, struct user *ret, struct err *e);
	bool (*base_owner)(void *arg, uid_t *ret_uid, gid_t *ret_gid, struct err *e); /* of virtual_base */
	void *arg;
	/* Where a rewritten sender leads (mail/srs.h). NULL: there are none. */
	enum srs_result (*rewritten)(void *arg, const struct maddr *a, struct maddr *ret);
};

/* Name without detail, and detail, of a local part: the whole and "" when there is none, or the delimiter is off. */
void mailbox_split(const struct rules *r, struct sv local, struct sv *ret_name, struct sv *ret_detail);
/* The key user@domain of a table for the address with `local` as its local part. */
const char *mailbox_key(const struct maddr *a, struct sv local, char dst[MADDR_TEXT_MAX + 1]);

/* Looks for the mailbox of exactly this address (aliases apart): the whole local part first, then without its detail. FOUND fills
 * all of *ret but status, dsn and text; ret may be NULL. FAILED: e with dsn 4.3.x: the name service, or a table, or an entry that
 * cannot be used. */
enum user_result mailbox_find(const struct rules *r, const struct lookups *l, const struct local_domain *d, const struct maddr *a,
	struct resolve_box *ret, struct err *e);

#endif
