/* users - the user data base below state_directory/auth: Berkeley DB with a log of its own, so that neither a crash nor a kill can
 * tear it. One process owns it at a time (flock on `lock`); used in users.c alone. */
#ifndef AUTHD_USERS_H
#define AUTHD_USERS_H

#include "record.h"

#define USERS_SECRET 32

struct users;

/* path and dirfd are the same directory. Waits up to wait_ms for the authd before us to let go. NULL: ERR_TEMP, it did not, or the
 * system said no; ERR_PERM: damaged, or others can reach it. */
struct users *users_open(int dirfd, const char *path, uint64_t wait_ms, struct err *e);
void users_close(struct users *u); /* NULL is fine */

enum users_result { USERS_FOUND, USERS_NONE, USERS_FAILED };
/* Names are folded to lower case. `ret` is initialised by the caller (record_init) and filled when FOUND. */
enum users_result users_get(struct users *u, const char *name, struct record *ret, struct err *e);
enum users_result users_next(struct users *u, const char *after, struct record *ret, struct err *e); /* in the order of names */
enum users_result users_by_cert(struct users *u, const char *fingerprint, struct record *ret, struct err *e);
/* Durable on return, but for `lazily`, which a crash may undo (when it was used last). ERR_PERM: a certificate is another user's.
 */
bool users_put(struct users *u, const struct record *r, bool lazily, struct err *e) MUST_CHECK;
bool users_delete(struct users *u, const char *name, struct err *e) MUST_CHECK;
/* Has anybody a SCRAM verifier? Looked for once, and again when a user is removed. false, too, when the data base cannot be read.
 */
bool users_have_scram(struct users *u);
/* Made at the first start; what unknown users look like is derived from it. */
const unsigned char *users_secret(const struct users *u);
void users_fold(const char *name, char dst[AUTH_ACCOUNT_MAX + 1]);

#endif
