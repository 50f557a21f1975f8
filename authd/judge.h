/* judge - is this password right? In a child of a keeper (service/keeper.h). Two keepers run: one for PAM, as root, forked before
 * authd gives up its rights; one for hashes, as authd's user, so that yescrypt's milliseconds do not stop the loop. */
#ifndef AUTHD_JUDGE_H
#define AUTHD_JUDGE_H

#include "ipc/msg_auth.h"
#include "service/keeper.h"

struct pam_rules {
	const char *service;
	uint64_t min_uid;
};
/* struct auth_ask in, struct auth_verdict out; `arg` of the one for PAM is a struct pam_rules. */
void judge_by_pam(const void *q, const void *arg, void *ret);
void judge_by_hash(const void *q, const void *arg, void *ret);
void judge_broken(void *ret, const char *why);
bool pam_confine(const void *arg, struct err *e);

#endif
