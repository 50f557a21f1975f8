/* keeper - a process that has passwords checked: one child for each question, killed when it hangs, so that nothing a module does
 * (PAM loads what the admin names) outlives its question. Two of them run: one for PAM, as root, forked before authd gives up its
 * rights; one for hashes, as authd's user, so that yescrypt's milliseconds do not stop the loop. */
#ifndef AUTHD_KEEPER_H
#define AUTHD_KEEPER_H

#include "ipc/msg_auth.h"

/* Runs in the child: fills verdict and text. */
typedef void keeper_judge(const struct auth_ask *q, const void *arg, struct auth_verdict *ret);

struct keeper_options {
	keeper_judge *judge;
	const void *arg;
	size_t at_once;
	uint64_t timeout_ms;            /* of one question */
	bool (*confine)(struct err *e); /* in the keeper, before the first question; NULL: none */
};
/* Forks it; *ret_fd takes auth_ask and gives an auth_verdict for each, in any order. It ends when the descriptor is closed. */
bool keeper_start(const struct keeper_options *o, int *ret_fd, struct err *e) MUST_CHECK;

/* The two judges. pam: `arg` is a struct pam_rules. */
struct pam_rules {
	const char *service;
	uint64_t min_uid;
};
keeper_judge judge_by_pam, judge_by_hash;
bool pam_confine(struct err *e);

#endif
