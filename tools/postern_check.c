/* postern check: everything that can be wrong with the configuration, and what would be right. */
#include "postern_check.h"

#include "grid.h"
#include "postern.h"
#include "text.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sysexits.h>

static const struct {
	const char *word;
	enum grid_style style;
} levels[] = {
	[CHECK_ERROR] = { "error", GRID_BAD }, [CHECK_WARNING] = { "warning", GRID_WARN }, [CHECK_NOTE] = { "note", GRID_DIM }
};

void check_add(struct check *c, enum check_level level, const char *file, unsigned line, const char *fmt, ...)
{
	struct check_finding *f = vec_push(&c->found);
	va_list ap;
	if (!f)
		return;
	f->level = level;
	f->line = line;
	snprintf(f->file, sizeof f->file, "%s", file ? file : "");
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

/* --- the file itself --- */
static void check_file(struct check *c)
{
	struct stat st;
	for (size_t i = 0; i < c->t->faults.len; i++) {
		const struct cfg_fault *f = VEC_AT(&c->t->faults, struct cfg_fault, i);
		check_add(c, f->warning ? CHECK_WARNING : CHECK_ERROR, c->t->conf, f->line, "%s", f->text);
	}
	if (stat(c->t->conf, &st) < 0)
		return;
	if (st.st_mode & S_IWOTH)
		check_add(c, CHECK_ERROR, c->t->conf, 0, "everybody may write it: chmod o-w %s", c->t->conf);
	if (geteuid() == 0 && st.st_uid != 0)
		check_add(c, CHECK_WARNING, c->t->conf, 0,
			"belongs to uid %u, who can so decide what root's programs do: chown root", (unsigned)st.st_uid);
}

/* --- telling --- */
static void print_finding(const struct check_finding *f)
{
	bool colour = grid_colour();
	char text[TEXT_LINE_MAX];
	if (f->file[0] != '\0' && f->line > 0)
		printf("%s:%u: ", f->file, f->line);
	else if (f->file[0] != '\0')
		printf("%s: ", f->file);
	printf("%s%s%s: %s\n", grid_paint(levels[f->level].style, colour), levels[f->level].word, grid_unpaint(colour),
		text_clean(f->text, text));
}

static void print_finding_json(const struct check_finding *f)
{
	char text[TEXT_LINE_MAX];
	json_t *o = json_pack("{s:s, s:s}", "level", levels[f->level].word, "text", text_clean(f->text, text));
	json_object_set_new(o, "file", f->file[0] != '\0' ? json_string(f->file) : json_null());
	json_object_set_new(o, "line", f->line > 0 ? json_integer((json_int_t)f->line) : json_null());
	print_json(o);
}

static int tell(const struct check *c, bool json)
{
	size_t n[COUNT(levels)] = { 0 };
	for (size_t i = 0; i < c->found.len; i++) {
		const struct check_finding *f = VEC_AT(&c->found, struct check_finding, i);
		n[f->level]++;
		(json ? print_finding_json : print_finding)(f);
	}
	if (!json)
		printf("%zu error%s, %zu warning%s\n", n[CHECK_ERROR], n[CHECK_ERROR] == 1 ? "" : "s", n[CHECK_WARNING],
			n[CHECK_WARNING] == 1 ? "" : "s");
	return n[CHECK_ERROR] > 0 ? EX_CONFIG : 0;
}

int cmd_check(struct tool *t, int argc, char **argv)
{
	bool json = false;
	const struct opt opts[] = { { "json", 0, OPT_FLAG, &json, NULL, "one JSON object per finding and line" }, OPT_END };
	struct check c = { .t = t, .found = VEC_INIT(struct check_finding, CHECK_FINDINGS_MAX) };
	int code;
	if (!command_options(t, "[--json]", opts, &argc, argv, 0, &code))
		return code;
	t->conf_named = true; /* without its file there is nothing to check */
	if ((code = tool_load_lenient(t)) != 0)
		return code;
	check_file(&c);
	check_relaying(&c);
	check_rules(&c);
	check_aliases(&c);
	check_mailboxes(&c);
	check_system(&c);
	check_auth(&c);
	check_tls(&c);
	check_homes(&c);
	code = tell(&c, json);
	vec_free(&c.found);
	return code;
}
