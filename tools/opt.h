/* opt - options of a subcommand as a table: parser and help come from it. */
#ifndef OPT_H
#define OPT_H

#include "base/err.h"

enum opt_kind {
	OPT_FLAG, /* bool */
	OPT_TEXT, /* const char * */
	OPT_SECS, /* uint64_t: an age */
	OPT_UINT, /* uint64_t */
};
struct opt {
	const char *name; /* "json": --json */
	char letter;      /* 'f': -f as well; 0: none */
	enum opt_kind kind;
	void *to;
	const char *arg; /* what the value is called in the help; NULL for flags */
	const char *help;
};
#define OPT_END      \
	{            \
		NULL \
	}

/* Options may stand anywhere before `--`. What remains is moved to the front of argv: *argc of them, NULL-terminated. */
bool opt_parse(const struct opt *opts, int *argc, char **argv, struct err *e) MUST_CHECK;
void opt_print_help(const struct opt *opts);

#endif
