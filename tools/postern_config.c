/* postern config: the parameters, their values and what they mean. */
#include "base/num.h"
#include "grid.h"
#include "postern.h"
#include "postern_config.h"

#include <jansson.h>
#include <limits.h>
#include <sysexits.h>

#define VALUE_MAX CFG_FILE_MAX

/* "a time from 1s to 1h": what may be written. */
void config_describe(const struct cfg_param *p, struct buf *out)
{
	char min[NUM_TEXT_MAX], max[NUM_TEXT_MAX];
	switch (p->type) {
	case CFG_T_STR:
		buf_puts(out, "text");
		break;
	case CFG_T_PATH:
		buf_puts(out, "an absolute path");
		break;
	case CFG_T_BOOL:
		buf_puts(out, "yes or no");
		break;
	case CFG_T_UINT:
		buf_putf(out, "a number from %lld to %lld", (long long)p->min, (long long)p->max);
		break;
	case CFG_T_SECS:
		buf_putf(out, "a time from %s to %s", num_fmt_secs((uint64_t)p->min, min), num_fmt_secs((uint64_t)p->max, max));
		break;
	case CFG_T_SIZE:
		buf_putf(out, "a size from %s to %s", num_fmt_size((uint64_t)p->min, min), num_fmt_size((uint64_t)p->max, max));
		break;
	case CFG_T_SCORE:
		buf_putf(out, "a score from %lld to %lld, two decimals", (long long)p->min / 100, (long long)p->max / 100);
		break;
	case CFG_T_ENUM:
		for (int i = 0; p->choices[i]; i++)
			buf_putf(out, "%s%s", i == 0 ? "" : p->choices[i + 1] ? ", " : " or ", p->choices[i]);
		break;
	case CFG_T_LIST:
		buf_puts(out, "a list, separated by commas or blanks");
		break;
	case CFG_T_NETS:
		buf_puts(out, "a list of networks");
		break;
	case CFG_T_TABLE:
		buf_puts(out, "a table, type:name");
		break;
	case CFG_T_MATCH:
		buf_puts(out, p->min == CFG_ON_LISTENER ? "a list of words" : "a list of words, or a table");
		break;
	case CFG_T_ACTION:
		buf_puts(out, "an action");
		break;
	}
}

struct printing {
	struct tool *t;
	bool changed, help, value_only, json;
};

static void print_help_text(const struct cfg_param *p)
{
	struct buf what = BUF_INIT(400);
	config_describe(p, &what);
	printf("\n# %s\n# (%s%s%s)\n", p->help, buf_str(&what), p->def ? "; default: " : "",
		p->def && p->def[0] == '\0' ? "empty"
		: p->def                    ? p->def
					    : "");
	buf_free(&what);
}

/* With help: one parameter after another; the name in bold. */
static void print_line(const struct printing *pr, const char *full_name, const struct cfg_param *p, const char *shown)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	bool colour = grid_colour(), set = cfg_was_set(pr->t->cfg, full_name, NULL);
	BUG_IF(!cfg_value_text(pr->t->cfg, full_name, &value));
	if (pr->help)
		print_help_text(p);
	if (pr->value_only)
		printf("%s\n", buf_str(&value));
	else
		printf("%s%s%s =%s%s\n", grid_paint(set ? GRID_BOLD : GRID_DIM, colour), shown, grid_unpaint(colour),
			value.len > 0 && value.data[0] != '#' ? " " : "", buf_str(&value));
	buf_free(&value);
}

static bool is_shown(const struct printing *pr, const char *full_name, const struct cfg_param *p)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	bool shown = !pr->changed;
	if (!shown && cfg_was_set(pr->t->cfg, full_name, NULL) && cfg_value_text(pr->t->cfg, full_name, &value))
		shown = !p->def || strcmp(buf_str(&value), p->def) != 0;
	buf_free(&value);
	return shown;
}

static json_t *param_json(const struct tool *t, const char *full_name, const struct cfg_param *p)
{
	struct buf value = BUF_INIT(VALUE_MAX), what = BUF_INIT(400);
	unsigned line = 0;
	bool set = cfg_was_set(t->cfg, full_name, &line);
	BUG_IF(!cfg_value_text(t->cfg, full_name, &value));
	config_describe(p, &what);
	json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s}", "name", full_name, "value", buf_str(&value), "type", buf_str(&what), "help", p->help);
	json_object_set_new(j, "default", p->def ? json_string(p->def) : json_null());
	json_object_set_new(j, "line", set ? json_integer((json_int_t)line) : json_null());
	buf_free(&value);
	buf_free(&what);
	return j;
}

/* One parameter, in the form that was asked for. */
static void show(const struct printing *pr, const char *full_name, const struct cfg_param *p, const char *shown)
{
	if (pr->json)
		print_json(param_json(pr->t, full_name, p));
	else
		print_line(pr, full_name, p, shown);
}

static void show_section(const struct printing *pr, const struct cfg_group *g, const char *name)
{
	struct buf full = BUF_INIT(1000);
	if (!pr->json)
		printf("\n[%s %s]\n", g->owner, name);
	for (const struct cfg_param *p = g->params; p->name; p++) {
		buf_reset(&full);
		buf_putf(&full, "%s.%s.%s", g->owner, name, p->name);
		if (is_shown(pr, buf_str(&full), p))
			show(pr, buf_str(&full), p, p->name);
	}
	buf_free(&full);
}

static void show_all(const struct printing *pr)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		for (const struct cfg_param *p = g->params; !g->section && p->name; p++)
			if (is_shown(pr, p->name, p))
				show(pr, p->name, p, p->name);
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		const struct vec *v = (const void *)((const char *)pr->t->cfg + g->offset);
		for (size_t i = 0; g->section && i < v->len; i++)
			show_section(pr, g, *(const char *const *)vec_at(v, i)); /* a section's struct begins with its name */
	}
}

/* "listener.smtp.address": the last word is the parameter, the first its section. */
static const struct cfg_param *param_named(const char *name)
{
	const struct cfg_group *g;
	const struct cfg_param *p = cfg_find(name, &g);
	const char *last = strrchr(name, '.');
	for (g = cfg_groups; !p && last && g->owner; g++)
		for (const struct cfg_param *q = g->params; g->section && sv_starts(sv_of(name), sv_of(g->owner)) && q->name; q++)
			if (strcmp(q->name, last + 1) == 0)
				p = q;
	return p;
}

static int unknown(struct tool *t, const char *name)
{
	const char *near = cfg_nearest(name, NULL);
	if (near)
		return tool_fail(t, 1, "there is no parameter %s; did you mean %s?", name, near);
	return tool_fail(t, 1, "there is no parameter %s", name);
}

static int show_named(const struct printing *pr, char **names)
{
	int code = 0;
	for (; *names; names++) {
		struct buf value = BUF_INIT(VALUE_MAX);
		if (cfg_value_text(pr->t->cfg, *names, &value))
			show(pr, *names, param_named(*names), *names);
		else
			code = unknown(pr->t, *names);
		buf_free(&value);
	}
	return code;
}

int cmd_config(struct tool *t, int argc, char **argv)
{
	struct printing pr = { .t = t };
	bool man = false;
	const struct opt opts[] = {
		{ "changed", 0, OPT_FLAG, &pr.changed, NULL, "only what the file sets to something else than the default" },
		{ "help-text", 0, OPT_FLAG, &pr.help, NULL, "with a comment that says what each parameter is for" },
		{ "value", 0, OPT_FLAG, &pr.value_only, NULL, "values alone, for scripts" },
		{ "json", 0, OPT_FLAG, &pr.json, NULL, "one JSON object per parameter and line" },
		{ "man", 0, OPT_FLAG, &man, NULL, "all parameters as the list in postern.conf(5), in mdoc" },
		OPT_END,
	};
	int code;
	if (!command_options(t, "[--changed] [--help-text] [--value] [--json] [NAME...]", opts, &argc, argv, INT_MAX, &code))
		return code;
	if (man) {
		config_print_man();
		return 0;
	}
	t->conf_named = true;
	if ((code = tool_load_lenient(t)) != 0)
		return code;
	if (argc > 0)
		code = show_named(&pr, argv);
	else
		show_all(&pr);
	if (cfg_errors(&t->faults) == 0)
		return code;
	fflush(stdout);
	tool_print_faults(t, stderr);
	return EX_CONFIG;
}
