/* priv - giving up rights, and proving that they are gone. */
#ifndef SERVICE_PRIV_H
#define SERVICE_PRIV_H

#include "base/err.h"

#include <sys/types.h>

#define PRIV_CAP(n) ((uint64_t)1 << (n)) /* a CAP_* as member of a set */

/* Looks a user up in /etc/passwd (a group in /etc/group), and nowhere else: the daemons' own users are there, and what runs as root
 * loads no name service modules. ERR_PERM: no such user, with what to do. */
bool priv_lookup(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *e) MUST_CHECK;
bool priv_lookup_group(const char *group, gid_t *ret_gid, struct err *e) MUST_CHECK;
/* Real, effective and saved ids and the groups become the user's (its primary group and `postern`); then checks that the old ones
 * cannot be taken back. */
bool priv_become(const char *user, struct err *e) MUST_CHECK;
/* Stays uid 0 but keeps only these capabilities (bit set) of those it has, in bounding, permitted, effective; none inheritable or
 * ambient, and no ambient ones ever again. */
bool priv_limit_caps(uint64_t caps, struct err *e) MUST_CHECK;
/* The capabilities that are in effect now. */
bool priv_caps(uint64_t *ret_effective, struct err *e) MUST_CHECK;
bool priv_no_new_privs(struct err *e) MUST_CHECK;

#endif
