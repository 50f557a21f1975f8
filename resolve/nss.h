/* nss - the process that asks the system's name services, which may block for as long as they like. One question at a time; it
 * ends with its parent. Both sides are resolve itself: the messages have no other users. */
#ifndef RESOLVE_NSS_H
#define RESOLVE_NSS_H

#include "ipc/ipc.h"

#define NSS_NAME_MAX 64
#define NSS_REQ(F, T)              \
	F(T, U64, what, 2)         \
	F(T, U64, uid, 4294967295) \
	F(T, STR, name, NSS_NAME_MAX)
#define NSS_USER(F, T)                \
	F(T, U64, status, 2)          \
	F(T, U64, uid, 4294967295)    \
	F(T, U64, gid, 4294967295)    \
	F(T, STR, name, NSS_NAME_MAX) \
	F(T, STR, home, 1024)         \
	F(T, STR, groups, 4000)       \
	F(T, STR, text, 300)
IPC_DECLARE(nss_req, NSS_REQ);
IPC_DECLARE(nss_user, NSS_USER);

enum nss_what { NSS_BY_NAME, NSS_BY_UID, NSS_BY_ADDRESS }; /* BY_ADDRESS: `name` is an IP; the answer's `home` its host name */
enum nss_status { NSS_FOUND, NSS_NONE, NSS_FAILED };

void nss_look_up(const struct nss_req *q, struct nss_user *ret); /* blocks */
void nss_reverse(const struct nss_req *q, struct nss_user *ret); /* NSS_BY_ADDRESS; blocks */
void nss_helper_run(int fd);                                     /* until the other end is gone */

#endif
