/* Finding parameters by name, and the valid name most like a wrong one. */
#include "config/raw.h"

const struct cfg_param *cfg_param_of(const struct cfg_param *params, struct sv name)
{
	for (const struct cfg_param *p = params; p->name; p++)
		if (sv_eqs(name, p->name))
			return p;
	return NULL;
}

const struct cfg_group *cfg_section_group(struct sv type)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		if (g->section && sv_eqs(type, g->owner))
			return g;
	return NULL;
}

const struct cfg_param *cfg_find(const char *name, const struct cfg_group **ret_group)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		const struct cfg_param *p = g->section ? NULL : cfg_param_of(g->params, sv_of(name));
		if (p) {
			*ret_group = g;
			return p;
		}
	}
	return NULL;
}

struct vec *cfg_section_vec(const struct cfg *c, const struct cfg_group *g)
{
	return (struct vec *)(void *)((char *)(uintptr_t)c + g->offset);
}

struct cfg_section_head *cfg_section(const struct cfg *c, const struct cfg_group *g, size_t i)
{
	return vec_at(cfg_section_vec(c, g), i);
}

void *cfg_member(const struct cfg *c, const struct cfg_place *at)
{
	if (at->section != CFG_TOP)
		return (char *)cfg_section(c, at->group, at->section) + at->param->offset;
	return (char *)(uintptr_t)c + at->group->offset + at->param->offset;
}

/* "listener.smtp.address". The section's name may hold dots itself: "domain.example.org.users". */
static bool locate_in_section(const struct cfg *c, struct sv name, struct cfg_place *ret)
{
	struct sv type, rest = name;
	if (!sv_cut(&rest, '.', &type))
		return false;
	const struct cfg_group *g = cfg_section_group(type);
	ptrdiff_t dot = sv_rchr(rest, '.');
	if (!g || dot < 0)
		return false;
	struct sv instance = sv_sub(rest, 0, (size_t)dot);
	const struct cfg_param *p = cfg_param_of(g->params, sv_skip(rest, (size_t)dot + 1));
	for (size_t i = 0; p && i < cfg_section_vec(c, g)->len; i++) {
		if (!sv_eqs(instance, cfg_section(c, g, i)->name))
			continue;
		*ret = (struct cfg_place){ g, i, p };
		return true;
	}
	return false;
}

bool cfg_locate(const struct cfg *c, const char *name, struct cfg_place *ret)
{
	const struct cfg_group *g;
	const struct cfg_param *p = cfg_find(name, &g);
	if (!p)
		return locate_in_section(c, sv_of(name), ret);
	*ret = (struct cfg_place){ g, CFG_TOP, p };
	return true;
}

bool cfg_was_set(const struct cfg *c, const char *name, unsigned *ret_line)
{
	struct cfg_place at;
	if (!cfg_locate(c, name, &at))
		return false;
	for (size_t i = 0; i < c->raw->sets.len; i++) {
		const struct cfg_set *s = vec_at(&c->raw->sets, i);
		if (s->at.param != at.param || s->at.section != at.section)
			continue;
		if (ret_line)
			*ret_line = s->line;
		return true;
	}
	return false;
}

const struct cfg_domain *cfg_domain(const struct cfg *c, struct sv domain)
{
	for (size_t i = 0; i < c->domains.len; i++) {
		const struct cfg_domain *d = VEC_AT(&c->domains, struct cfg_domain, i);
		if (sv_ieqs(domain, d->name))
			return d;
	}
	return NULL;
}

/* --- the nearest valid name --- */
#define NAME_MAX_LEN 64

/* Levenshtein distance, one row at a time; a swap of neighbours counts as two. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], len_a = strlen(a), len_b = strlen(b);
	if (len_a > NAME_MAX_LEN || len_b > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t change = diagonal + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[len_b];
}

static size_t near_enough(const char *name)
{
	return MAX(2, strlen(name) / 3) + 1;
} /* further away it is no slip but another thing */

const char *cfg_nearest_of(const char *name, const char *const names[])
{
	const char *best = NULL;
	size_t best_distance = near_enough(name);
	for (size_t i = 0; names[i]; i++) {
		size_t d = distance(name, names[i]);
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

const char *cfg_nearest(const char *name, const char *section)
{
	const char *best = NULL;
	size_t best_distance = near_enough(name);
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		if (section ? !g->section || strcmp(g->owner, section) != 0 : g->section)
			continue;
		for (const struct cfg_param *p = g->params; p->name; p++) {
			size_t d = distance(name, p->name);
			if (d < best_distance) {
				best_distance = d;
				best = p->name;
			}
		}
	}
	return best;
}
