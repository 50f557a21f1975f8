/* sandbox_parts - the two kernel facilities behind sandbox.h. Private to service/. */
#ifndef SERVICE_SANDBOX_PARTS_H
#define SERVICE_SANDBOX_PARTS_H

#include "base/err.h"

#include <linux/filter.h>

#define SANDBOX_DIRS_MAX 16

struct sandbox_dir {
	int fd;
	unsigned access; /* SB_DIR_* */
};

/* Compiles the profile `flags` into a program; its memory is the caller's to free. */
bool filter_build(unsigned flags, struct sock_fprog *ret_program, struct err *e) MUST_CHECK;
bool filter_load(const struct sock_fprog *program, struct err *e) MUST_CHECK; /* ENOSYS, EINVAL: this kernel has none */

int landlock_abi(void); /* 0: none */
/* A ruleset for these directories, or -1 with *e empty when the kernel has no Landlock. */
bool landlock_build(unsigned flags, const struct sandbox_dir *dirs, size_t n, int *ret_ruleset, struct err *e) MUST_CHECK;
bool landlock_enter(int ruleset, struct err *e) MUST_CHECK;

#endif
