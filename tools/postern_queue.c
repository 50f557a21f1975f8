/* postern queue: the requests. */
#include "postern_queue.h"

#include "postern.h"

#include <limits.h>
#include <sysexits.h>

struct queue_options {
	const char *sender, *recipient, *domain, *status;
	uint64_t older, younger;
	bool all, json, headers, body, raw;
};

static bool has_filter(const struct queue_options *o)
{
	return o->sender || o->recipient || o->domain || o->status || o->older || o->younger;
}

static bool put(const char *value, char *dst, size_t size) { return !value || sv_copy(sv_of(value), dst, size); }

static int make_filter(const struct tool *t, const struct queue_options *o, unsigned op, struct queue_filter *f)
{
	static const char *const states[] = { "new", "active", "deferred", "hold", "corrupt", NULL };
	const char *const *s = states;
	*f = (struct queue_filter){ .op = op, .older = o->older, .younger = o->younger };
	while (o->status && *s && strcmp(*s, o->status) != 0)
		s++;
	if (o->status && !*s)
		return tool_fail(t, EX_USAGE, "--status is one of new, active, deferred, hold and corrupt, not %s", o->status);
	if (!put(o->sender, f->sender, sizeof f->sender) || !put(o->recipient, f->rcpt, sizeof f->rcpt) ||
		!put(o->domain, f->domain, sizeof f->domain) || !put(o->status, f->status, sizeof f->status))
		return tool_fail(t, EX_USAGE, "a pattern is too long");
	if (o->sender && o->sender[0] == '\0') /* "" would be no filter: the null sender is asked for by its usual form */
		return tool_fail(t, EX_USAGE, "for the null sender write --sender '<>'");
	return 0;
}

/* Once for every id, or once for the filter. */
static int for_each(struct tool *t, struct queue_filter *f, char **ids,
	int (*run)(struct tool *t, struct queue_filter *f, void *arg), void *arg)
{
	int code = 0;
	if (!ids[0])
		return run(t, f, arg);
	for (; *ids; ids++) {
		if (!sv_copy(sv_of(*ids), f->id, sizeof f->id)) {
			code = tool_fail(t, 1, "there is no message %s", *ids);
			continue;
		}
		int one = run(t, f, arg);
		code = one != 0 ? one : code;
	}
	return code;
}

static int run_act(struct tool *t, struct queue_filter *f, void *arg UNUSED)
{
	return queue_act(t, f, f->op == QOP_FLUSH && f->id[0] == '\0');
}

static int run_list(struct tool *t, struct queue_filter *f, void *arg) { return queue_list(t, f, *(const bool *)arg); }

static int run_show(struct tool *t, struct queue_filter *f, void *arg) { return queue_show(t, f, *(const enum show_part *)arg); }

static const struct queue_act_word {
	const char *name;
	enum queue_op op;
	const char *usage;
} acts[] = {
	{ "list", QOP_LIST, "list [--json] [filters] [ID...]" },
	{ "show", QOP_SHOW, "show [--headers | --body | --raw | --json] ID..." },
	{ "hold", QOP_HOLD, "hold [filters | --all | ID...]" },
	{ "release", QOP_RELEASE, "release [filters | ID...]" },
	{ "requeue", QOP_REQUEUE, "requeue [filters | ID...]" },
	{ "delete", QOP_DELETE, "delete filters | --all | ID..." },
	{ "flush", QOP_FLUSH, "flush [filters | ID...]" },
	{ "destinations", QOP_DESTS, "destinations [--json]" },
};

static int act(struct tool *t, const struct queue_act_word *w, const struct queue_options *o, int argc, char **ids)
{
	struct queue_filter f;
	enum show_part part = o->json      ? SHOW_JSON
			      : o->raw     ? SHOW_RAW
			      : o->body    ? SHOW_BODY
			      : o->headers ? SHOW_HEADERS
					   : SHOW_SUMMARY;
	bool json = o->json;
	int code = make_filter(t, o, w->op, &f);
	if (code != 0)
		return code;
	if (w->op == QOP_DESTS)
		return argc > 0 || has_filter(o) ? tool_fail(t, EX_USAGE, "destinations takes nothing but --json")
						 : queue_dests(t, &f, json);
	if (w->op == QOP_LIST)
		return for_each(t, &f, ids, run_list, &json);
	if (w->op == QOP_SHOW)
		return argc > 0 ? for_each(t, &f, ids, run_show, &part) : tool_fail(t, EX_USAGE, "which message? name its id");
	if ((w->op == QOP_DELETE || w->op == QOP_HOLD) && argc == 0 && !has_filter(o) && !o->all)
		return tool_fail(t, EX_USAGE, "name ids or a filter, or say --all for every message");
	return for_each(t, &f, ids, run_act, NULL);
}

static const struct queue_act_word *find_act(const char *name)
{
	for (size_t i = 0; i < COUNT(acts); i++)
		if (strcmp(acts[i].name, name) == 0)
			return &acts[i];
	return NULL;
}

static int unknown_act(struct tool *t, const char *name)
{
	tool_say(t, "there is no `%s`; there are:", name);
	for (size_t i = 0; i < COUNT(acts); i++)
		fprintf(stderr, "  postern queue %s\n", acts[i].usage);
	return EX_USAGE;
}

static int help(void)
{
	printf("usage: postern queue [ACT] ...       without an act: list\n");
	for (size_t i = 0; i < COUNT(acts); i++)
		printf("  postern queue %s\n", acts[i].usage);
	printf("`postern queue ACT --help` names the filters.\n");
	return 0;
}

int cmd_queue(struct tool *t, int argc, char **argv)
{
	struct queue_options o = { 0 };
	const struct opt opts[] = {
		{ "sender", 0, OPT_TEXT, &o.sender, "PATTERN", "envelope sender; * and ? match, no case; '<>': the null sender" },
		{ "recipient", 0, OPT_TEXT, &o.recipient, "PATTERN", "some recipient" },
		{ "domain", 0, OPT_TEXT, &o.domain, "PATTERN", "domain of some recipient" },
		{ "status", 0, OPT_TEXT, &o.status, "WORD", "new, active, deferred, hold or corrupt" },
		{ "older", 0, OPT_SECS, &o.older, "AGE", "at least so old: 90s, 5m, 2h, 5d" },
		{ "younger", 0, OPT_SECS, &o.younger, "AGE", "at most so old" },
		{ "all", 0, OPT_FLAG, &o.all, NULL, "every message (delete and hold ask for it)" },
		{ "json", 0, OPT_FLAG, &o.json, NULL, "list, show: one JSON object per line" },
		{ "headers", 0, OPT_FLAG, &o.headers, NULL, "show: the header alone, without the envelope" },
		{ "body", 0, OPT_FLAG, &o.body, NULL, "show: the text too" },
		{ "raw", 0, OPT_FLAG, &o.raw, NULL, "show: the message, byte for byte" },
		OPT_END,
	};
	const struct queue_act_word *w = &acts[0];
	int code;
	if (argc > 0 && strcmp(argv[0], "--help") == 0)
		return help();
	if (argc > 0 && argv[0][0] != '-') {
		w = find_act(argv[0]);
		if (!w)
			return unknown_act(t, argv[0]);
		argc--;
		argv++;
	}
	if (!command_options(t, w->usage, opts, &argc, argv, INT_MAX, &code) || (code = tool_load_lenient(t)) != 0)
		return code;
	return act(t, w, &o, argc, argv);
}
