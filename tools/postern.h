/* postern - the subcommands, a file each. argv[0] is the subcommand's first argument. They return an exit code. */
#ifndef POSTERN_H
#define POSTERN_H

#include "opt.h"
#include "tool.h"

struct command {
	const char *name;
	int (*run)(struct tool *t, int argc, char **argv);
	const char *args; /* for the usage line */
	const char *summary;
	const char *more; /* a paragraph for --help, or NULL */
};

int cmd_queue(struct tool *t, int argc, char **argv);
int cmd_config(struct tool *t, int argc, char **argv);
int cmd_check(struct tool *t, int argc, char **argv);
int cmd_map(struct tool *t, int argc, char **argv);
int cmd_log(struct tool *t, int argc, char **argv);
int cmd_spam(struct tool *t, int argc, char **argv);
int cmd_srs(struct tool *t, int argc, char **argv);
int cmd_user(struct tool *t, int argc, char **argv);
int cmd_status(struct tool *t, int argc, char **argv);
int cmd_start(struct tool *t, int argc, char **argv);
int cmd_stop(struct tool *t, int argc, char **argv);
int cmd_reload(struct tool *t, int argc, char **argv);

/* Parses the options of a subcommand, with --help. false: *ret_code is what to return. max_args: most arguments that may remain. */
bool command_options(
	struct tool *t, const char *usage, const struct opt *opts, int *argc, char **argv, int max_args, int *ret_code);
/* Finds argv[0] among the acts of a subcommand ("list", "show"); without one `def` or help. */
const struct command *command_find(const struct command *acts, const char *name);
int command_unknown(struct tool *t, const struct command *acts, const char *name);

/* postern_control.c: one request to master. Returns an exit code; each may be NULL. */
struct status_service;
struct control_done;
int control_ask(struct tool *t, unsigned op, uint64_t wait_ms, void (*service)(const struct status_service *s, void *arg),
	void *arg, struct control_done *ret_done);

/* JSON on standard output: one object per line, and freed. */
struct json_t;
void print_json(struct json_t *object);

#endif
