/* alias - finding an address's alias and judging its targets. */
#ifndef RESOLVE_ALIAS_H
#define RESOLVE_ALIAS_H

#include "mailbox.h"

struct alias {
	char key[MADDR_TEXT_MAX + 1]; /* as found, in lower case */
	struct buf value;             /* its targets */
};
#define ALIAS_INIT                               \
	{                                        \
		.value = BUF_INIT(MAP_VALUE_MAX) \
	}

/* In the order of precedence: user+detail@domain, user@domain, user+detail, user; the latter two only where system users have their
 * mailboxes. FAILED: e with dsn 4.3.0. */
enum map_result alias_find(const struct rules *r, const struct lookups *l, const struct local_domain *d, const struct maddr *a,
	struct alias *ret, struct err *e);
enum map_result alias_find_name(const struct lookups *l, const char *name, struct alias *ret, struct err *e); /* this key alone */

/* Can all its targets be followed? false: it stays one recipient under its own address, and e names the first that cannot. */
bool alias_usable(const struct alias *a, struct err *e) MUST_CHECK;
/* Calls on() with each target that is an address; `final`: written \user, not to be looked up as an alias again. */
void alias_targets(const struct alias *a, bool (*on)(const struct maddr *target, bool final, void *arg), void *arg);

#endif
