/* postern - the admin's program: one subcommand per duty. */
#include "postern.h"
#include "base/fd.h"
#include "base/paths.h"

#include <errno.h>
#include <jansson.h>
#include <sysexits.h>

static const struct command commands[] = {
	{ "start", cmd_start, "[--background]", "start the mail system", NULL },
	{ "stop", cmd_stop, "", "stop it; sessions in DATA finish", NULL },
	{ "reload", cmd_reload, "", "take over a changed configuration", NULL },
	{ "status", cmd_status, "[--json]", "each daemon: processes, uptime, load, restarts", NULL },
	{ "queue", cmd_queue, "[list|show|hold|release|requeue|delete|flush] ...", "look at the queue and act on it", NULL },
	{ "config", cmd_config, "[--changed] [--help-text] [--json] [NAME...]", "print parameters", NULL },
	{ "check", cmd_check, "[--json]", "find everything that is wrong with the configuration", NULL },
	{ "map", cmd_map, "compile|query|dump ...", "work with tables", NULL },
	{ "log", cmd_log, "[-f] [filters] | reopen", "read, follow and filter the mail log", NULL },
	{ "spam", cmd_spam, "learn --spam|--ham PATH...", "train the content check", NULL },
	{ "srs", cmd_srs, "rotate", "the key of rewritten senders", NULL },
	{ "user", cmd_user, "add|passwd|list|delete|disable|... NAME", "who may log in", NULL },
	{ NULL },
};

const struct command *command_find(const struct command *acts, const char *name)
{
	for (; acts->name; acts++)
		if (strcmp(acts->name, name) == 0)
			return acts;
	return NULL;
}

static void print_acts(const struct command *acts, FILE *to)
{
	for (; acts->name; acts++)
		fprintf(to, "  %-10s %s\n", acts->name, acts->summary);
}

int command_unknown(struct tool *t, const struct command *acts, const char *name)
{
	if (name)
		tool_say(t, "there is no `%s`; there are:", name);
	else
		tool_say(t, "say what to do:");
	print_acts(acts, stderr);
	return EX_USAGE;
}

bool command_options(struct tool *t, const char *usage, const struct opt *opts, int *argc, char **argv, int max_args, int *ret_code)
{
	struct err e = { 0 };
	for (int i = 0; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0)
			continue;
		printf("usage: %s %s\n", t->name, usage);
		opt_print_help(opts);
		*ret_code = 0;
		return false;
	}
	*ret_code = EX_USAGE;
	if (!opt_parse(opts, argc, argv, &e)) {
		tool_fail(t, EX_USAGE, "%s; see %s --help", e.text, t->name);
		return false;
	}
	if (*argc > max_args) {
		tool_fail(t, EX_USAGE, "what is `%s` for? see %s --help", argv[max_args], t->name);
		return false;
	}
	return true;
}

void print_json(struct json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (text)
		puts(text);
	free(text);
	json_decref(object);
}

static int help(FILE *to, int code)
{
	fprintf(to, "usage: postern [-c FILE] COMMAND ...\n\n");
	print_acts(commands, to);
	fprintf(to,
		"\n  -c FILE    the configuration (default %s)\n  --version  print the version\n"
		"\n`postern COMMAND --help` says more; so does postern(8).\n",
		POSTERN_CONF);
	return code;
}

static int run(struct tool *t, int argc, char **argv)
{
	const struct command *c = command_find(commands, argv[0]);
	char name[64];
	if (!c) {
		tool_say(t, "there is no command `%s`", argv[0]);
		return help(stderr, EX_USAGE);
	}
	snprintf(name, sizeof name, "postern %s", c->name);
	t->name = name;
	int code = c->run(t, argc - 1, argv + 1);
	t->name = "postern";
	if (fflush(stdout) != 0 || ferror(stdout))
		return tool_fail(t, EX_IOERR, "standard output: %s", strerror(errno));
	return code;
}

int main(int argc, char **argv)
{
	struct tool t;
	int i = 1, code;
	fd_hold_std();
	tool_init(&t, "postern");
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return help(stdout, 0);
		if (strcmp(argv[i], "--version") == 0) {
			printf("postern %s\n", POSTERN_VERSION);
			return 0;
		}
		if (strcmp(argv[i], "-c") != 0 || i + 1 >= argc)
			return tool_fail(&t, EX_USAGE, "%s: unknown, or without its value; see postern --help", argv[i]);
		t.conf = argv[++i];
		t.conf_named = true;
	}
	code = i < argc ? run(&t, argc - i, argv + i) : help(stderr, EX_USAGE);
	tool_free(&t);
	return code;
}
