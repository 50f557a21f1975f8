/* The tables that a configuration names. */
#include "config/raw.h"

static bool each_in(const struct cfg *c, const struct cfg_group *g, size_t section, cfg_on_table *on, void *arg)
{
	for (const struct cfg_param *p = g->params; p->name; p++) {
		struct cfg_place at = { g, section, p };
		const void *member = cfg_member(c, &at);
		const char *spec = p->type == CFG_T_TABLE   ? *(const char *const *)member
				   : p->type == CFG_T_MATCH ? ((const struct cfg_match *)member)->table
							    : NULL;
		if (spec && spec[0] != '\0' && !on(g, p, section == CFG_TOP ? NULL : cfg_section(c, g, section)->name, spec, arg))
			return false;
	}
	return true;
}

bool cfg_each_table(const struct cfg *c, cfg_on_table *on, void *arg)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		size_t n = g->section ? cfg_section_vec(c, g)->len : 1;
		for (size_t i = 0; i < n; i++)
			if (!each_in(c, g, g->section ? i : CFG_TOP, on, arg))
				return false;
	}
	return true;
}
