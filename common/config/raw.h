/* raw - what a parsed configuration remembers of its file. Private to config/. */
#ifndef CONFIG_RAW_H
#define CONFIG_RAW_H

#include "base/arena.h"
#include "config/cfg.h"

#define CFG_TOP ((size_t)-1) /* `section` of a parameter that stands before the first section */

struct cfg_place { /* of one value */
	const struct cfg_group *group;
	size_t section; /* index into the group's vec, or CFG_TOP */
	const struct cfg_param *param;
};
struct cfg_set { /* a value that the file sets */
	struct cfg_place at;
	unsigned line;
};
struct cfg_raw {
	struct arena *arena; /* every text and list of the configuration */
	struct vec sets;     /* of struct cfg_set, in the order of the file */
};
struct cfg_section_head { /* how the struct of every section begins */
	const char *name;
	unsigned line;
};

/* value.c: one value as text and in memory. e: the reason alone; the caller adds name and value. */
bool cfg_value_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e) MUST_CHECK;
void cfg_value_print(const struct cfg_param *p, const void *member, struct buf *out);

void *cfg_arena_room(struct arena *a, size_t n); /* never NULL: the file is bounded, and so is what its values need */
char *cfg_arena_text(struct arena *a, struct sv s);
bool cfg_next_item(struct sv *rest, struct sv *ret); /* of a list: words between commas or blanks */
bool cfg_count_items(const struct cfg_param *p, struct sv text, size_t *ret_n, struct err *e) MUST_CHECK;

/* value_match.c, value_action.c */
bool cfg_match_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e) MUST_CHECK;
void cfg_match_print(const struct cfg_param *p, const void *member, struct buf *out);
bool cfg_action_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e) MUST_CHECK;
void cfg_action_print(const struct cfg_param *p, const void *member, struct buf *out);

/* names.c */
const char *cfg_nearest_of(const char *name, const char *const names[]); /* NULL-terminated; NULL: none is near */
const struct cfg_param *cfg_param_of(const struct cfg_param *params, struct sv name);
const struct cfg_group *cfg_section_group(struct sv type);
bool cfg_locate(const struct cfg *c, const char *name, struct cfg_place *ret) MUST_CHECK;
void *cfg_member(const struct cfg *c, const struct cfg_place *at);
struct cfg_section_head *cfg_section(const struct cfg *c, const struct cfg_group *g, size_t i);
struct vec *cfg_section_vec(const struct cfg *c, const struct cfg_group *g);

/* parse.c */
struct cfg *cfg_parse_values(struct sv text, struct vec *faults);
void cfg_fault(struct vec *faults, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
void cfg_warn(struct vec *faults, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
char *cfg_keep(struct cfg *c, struct sv text);

/* finish.c: computed defaults; check.c: what values must be to each other. */
void cfg_finish(struct cfg *c, struct vec *faults);
void cfg_check(struct cfg *c, struct vec *faults);
void cfg_check_tls(const struct cfg *c, struct vec *faults);
bool cfg_domain_ok(struct sv domain);

/* check_rules.c */
void cfg_check_rules(const struct cfg *c, struct vec *faults);
unsigned cfg_line_in(const struct cfg *c, const char *section, const char *name, const char *param);

#endif
