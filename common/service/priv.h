/* priv - giving up rights, and proving that they are gone. */
#ifndef SERVICE_PRIV_H
#define SERVICE_PRIV_H

#include "base/err.h"

#include <sys/types.h>

/* Looks a user up (files only matter: daemons' own users). ERR_PERM: no such user, with what to do. */
bool priv_lookup(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *e) MUST_CHECK;
/* Real, effective and saved ids and the groups become the user's (its primary group and `postern`); then checks that the old ones
 * cannot be taken back. */
bool priv_become(const char *user, struct err *e) MUST_CHECK;
/* Stays uid 0 but keeps only these capabilities (bit set), in bounding, permitted, effective; no ambient; securebits locked. */
bool priv_limit_caps(uint64_t caps, struct err *e) MUST_CHECK;
bool priv_no_new_privs(struct err *e) MUST_CHECK;

#endif
