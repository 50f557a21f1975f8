/* The configuration in the file's own syntax. What is printed here is parsed back to the same: the snapshots rest on it. */
#include "config/raw.h"

#define VALUE_MAX (CFG_FILE_MAX + 4096)

static void value_of(const struct cfg *c, const struct cfg_place *at, struct buf *out)
{
	cfg_value_print(at->param, cfg_member(c, at), out);
}

/* Set in the file, and to something else than the default. */
static bool is_changed(const struct cfg *c, const struct cfg_place *at, struct sv value)
{
	if (at->section == CFG_TOP && !cfg_was_set(c, at->param->name, NULL))
		return false;
	return !at->param->def || !sv_eqs(value, at->param->def);
}

static void print_group(const struct cfg *c, const struct cfg_group *g, size_t section, int what, struct buf *out)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	for (const struct cfg_param *p = g->params; p->name; p++) {
		struct cfg_place at = { g, section, p };
		buf_reset(&value);
		value_of(c, &at, &value);
		if (what == CFG_PRINT_CHANGED && !is_changed(c, &at, buf_sv(&value)))
			continue;
		/* A '#' after a blank would start a comment. */
		buf_putf(out, "%s =%s%s\n", p->name, value.len > 0 && value.data[0] != '#' ? " " : "", buf_str(&value));
	}
	buf_free(&value);
}

void cfg_print(const struct cfg *c, int what, struct buf *out)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		if (!g->section)
			print_group(c, g, CFG_TOP, what, out);
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		for (size_t i = 0; g->section && i < cfg_section_vec(c, g)->len; i++) {
			buf_putf(out, "\n[%s %s]\n", g->owner, cfg_section(c, g, i)->name);
			print_group(c, g, i, what, out);
		}
	}
}

bool cfg_value_text(const struct cfg *c, const char *name, struct buf *out)
{
	struct cfg_place at;
	if (!cfg_locate(c, name, &at))
		return false;
	value_of(c, &at, out);
	return true;
}
