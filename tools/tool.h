/* tool - what all commands of tools/ share: who we are, the configuration, messages to the user, sockets of the running system. */
#ifndef TOOL_H
#define TOOL_H

#include "config/cfg.h"

struct tool {
	const char *name;  /* "postern queue": in front of every message */
	const char *conf;  /* path of the configuration */
	bool conf_named;   /* by the user: then it must be readable */
	struct cfg *cfg;   /* tool_load() */
	struct vec faults; /* of struct cfg_fault */
};

void tool_init(struct tool *t, const char *name);
void tool_free(struct tool *t);

/* Prints "NAME: text" on stderr; tool_fail returns `code` (sysexits(3)), for `return tool_fail(...)`. */
void tool_say(const struct tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
int tool_fail(const struct tool *t, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Loads the configuration once. 0, or an exit code after saying what is wrong (every error with file:line). */
int tool_load(struct tool *t);
/* The same for programs that must go on with any configuration: defaults stand in for what is faulty or cannot be read. */
int tool_load_lenient(struct tool *t);
void tool_print_faults(const struct tool *t, FILE *to);

/* Connects to a socket in runtime_directory. ERR_TEMP with sys ENOENT or ECONNREFUSED: the system is down. */
bool tool_connect(const struct tool *t, const char *endpoint, int type, uint64_t wait_ms, int *ret_fd, struct err *e) MUST_CHECK;
/* Says why tool_connect() or a call failed, and gives the exit code: EX_UNAVAILABLE, EX_NOPERM, EX_TEMPFAIL. */
int tool_unreachable(const struct tool *t, const char *what, const struct err *e);
bool tool_is_down(const struct err *e);

#define TOOL_WAIT_MS 30000 /* for an answer of a daemon */

#endif
