/* The file: lines, continuation, sections, assignments; every fault with its line. */
#include "base/fd.h"
#include "config/raw.h"

#include <fcntl.h>
#include <stdarg.h>

#define ARENA_MAX (64u << 20) /* far above what values in CFG_FILE_MAX bytes can need */
#define SECTIONS_MAX 10000    /* of one kind */
#define SETS_MAX (CFG_FILE_MAX / 2)
#define SECTION_NAME_MAX 60 /* a listener's name is part of log lines; a domain's is longer */
#define DOMAIN_NAME_MAX 253 /* RFC 1035 2.3.4, as text */
#define SHOW_MAX 80         /* of a faulty value in a message */

struct parser {
	struct cfg *c;
	struct vec *faults;
	const struct cfg_group *group; /* of the current section; NULL at the top */
	size_t section;                /* its place, CFG_TOP at the top */
	size_t first_set;              /* in raw->sets: of the current section */
	bool skip;                     /* the section's head is faulty: its lines mean nothing */
	struct buf logical;            /* a line with its continuations */
	unsigned line;                 /* where it begins */
};

/* --- faults --- */
static void add_fault(struct vec *faults, unsigned line, bool warning, const char *fmt, va_list ap) PRINTF_LIKE(4, 0);
static void add_fault(struct vec *faults, unsigned line, bool warning, const char *fmt, va_list ap)
{
	struct cfg_fault *f = faults ? vec_push(faults) : NULL;
	if (!f)
		return;
	f->line = line;
	f->warning = warning;
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	for (char *p = f->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

void cfg_fault(struct vec *faults, unsigned line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_fault(faults, line, false, fmt, ap);
	va_end(ap);
}

void cfg_warn(struct vec *faults, unsigned line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_fault(faults, line, true, fmt, ap);
	va_end(ap);
}

size_t cfg_errors(const struct vec *faults)
{
	size_t n = 0;
	for (size_t i = 0; i < faults->len; i++)
		n += !VEC_AT(faults, struct cfg_fault, i)->warning;
	return n;
}

/* --- making --- */
char *cfg_keep(struct cfg *c, struct sv text)
{
	char *p = arena_dup(c->raw->arena, text);
	BUG_IF(!p); /* the file is bounded, and so is this */
	return p;
}

static void set_defaults(struct cfg *c, const struct cfg_group *g, size_t section)
{
	for (const struct cfg_param *p = g->params; p->name; p++) {
		struct cfg_place at = { g, section, p };
		struct err e = { 0 };
		BUG_IF(!cfg_value_parse(p, sv_of(p->def), c->raw->arena, cfg_member(c, &at), &e));
	}
}

static struct cfg *new_cfg(void)
{
	struct cfg *c = mem_new(sizeof *c);
	c->raw = mem_new(sizeof *c->raw);
	c->raw->arena = arena_new(ARENA_MAX);
	c->raw->sets = (struct vec)VEC_INIT(struct cfg_set, SETS_MAX);
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		if (g->section)
			*cfg_section_vec(c, g) = (struct vec){ .elem = g->size, .max = SECTIONS_MAX };
		else
			set_defaults(c, g, CFG_TOP);
	}
	return c;
}

void cfg_free(struct cfg *c)
{
	if (!c)
		return;
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		if (g->section)
			vec_free(cfg_section_vec(c, g));
	vec_free(&c->raw->sets);
	arena_free(c->raw->arena);
	free(c->raw);
	free(c);
}

/* --- [type name] --- */
static bool section_name_ok(const struct cfg_group *g, struct sv name)
{
	bool is_domain = g->offset == offsetof(struct cfg, domains);
	if (is_domain)
		return name.n <= DOMAIN_NAME_MAX && cfg_domain_ok(name);
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alnum(name.p[i]) && !strchr("._-", name.p[i]))
			return false;
	return name.n > 0 && name.n <= SECTION_NAME_MAX;
}

static void open_section(struct parser *ps, const struct cfg_group *g, struct sv name)
{
	struct vec *v = cfg_section_vec(ps->c, g);
	for (size_t i = 0; i < v->len; i++) {
		struct cfg_section_head *other = cfg_section(ps->c, g, i);
		if (sv_ieqs(name, other->name)) {
			cfg_fault(ps->faults, ps->line, "[%s %s] is already in line %u: join the two", g->owner, other->name,
				other->line);
			return;
		}
	}
	struct cfg_section_head *head = vec_push(v);
	if (!head) {
		cfg_fault(ps->faults, ps->line, "more than %d [%s] sections", SECTIONS_MAX, g->owner);
		return;
	}
	char *kept = cfg_keep(ps->c, name);
	for (char *p = kept; *p; p++)
		*p = ascii_lower(*p);
	head->name = kept;
	head->line = ps->line;
	ps->group = g;
	ps->section = v->len - 1;
	ps->first_set = ps->c->raw->sets.len;
	ps->skip = false;
	set_defaults(ps->c, g, ps->section);
}

static void section_line(struct parser *ps, struct sv text)
{
	struct sv inner = sv_sub(text, 1, text.n - 2), type, name;
	ps->skip = true; /* until its head proves good */
	if (!sv_ends(text, SV("]")) || text.n < 2 || !sv_word(&inner, &type)) {
		cfg_fault(ps->faults, ps->line,
			"%.*s is not a section: write [listener NAME], [domain NAME], [relay NAME] or [rule NAME]",
			(int)MIN(text.n, SHOW_MAX), text.p);
		return;
	}
	name = sv_trim(inner);
	const struct cfg_group *g = cfg_section_group(type);
	if (!g)
		cfg_fault(ps->faults, ps->line, "there is no section [%.*s]: there are listener, domain, relay and rule",
			(int)MIN(type.n, SHOW_MAX), type.p);
	else if (!section_name_ok(g, name))
		cfg_fault(ps->faults, ps->line, "[%s] needs a name of letters, digits, '.', '-' or '_', for example [%s %s]",
			g->owner, g->owner, sv_eqs(type, "listener") ? "smtp" : "example.org");
	else
		open_section(ps, g, name);
}

/* --- name = value --- */
static void unknown_name(struct parser *ps, const char *name)
{
	const struct cfg_group *g;
	const char *section = ps->group ? ps->group->owner : NULL;
	if (section && cfg_find(name, &g)) {
		cfg_fault(ps->faults, ps->line, "%s does not belong in a [%s] section: put it before the first section", name,
			section);
		return;
	}
	for (g = cfg_groups; !section && g->owner; g++) {
		if (g->section && cfg_param_of(g->params, sv_of(name))) {
			cfg_fault(ps->faults, ps->line, "%s belongs in a section: put it below [%s NAME]", name, g->owner);
			return;
		}
	}
	const char *near = cfg_nearest(name, section);
	if (near)
		cfg_fault(ps->faults, ps->line, "there is no parameter %s: did you mean %s?", name, near);
	else
		cfg_fault(ps->faults, ps->line, "there is no parameter %s%s%s; `postern config` lists all", name,
			section ? " in section " : "", section ? section : "");
}

static const struct cfg_set *earlier_set(const struct parser *ps, const struct cfg_param *p)
{
	for (size_t i = ps->first_set; i < ps->c->raw->sets.len; i++) {
		const struct cfg_set *s = vec_at(&ps->c->raw->sets, i);
		if (s->at.param == p)
			return s;
	}
	return NULL;
}

static void assign(struct parser *ps, const struct cfg_group *g, const struct cfg_param *p, struct sv value)
{
	const struct cfg_set *earlier = earlier_set(ps, p);
	struct err e = { 0 };
	if (earlier) {
		cfg_fault(ps->faults, ps->line, "%s is already set in line %u: remove one of the two", p->name, earlier->line);
		return;
	}
	struct cfg_place at = { g, ps->section, p };
	if (!cfg_value_parse(p, value, ps->c->raw->arena, cfg_member(ps->c, &at), &e))
		cfg_fault(ps->faults, ps->line, "%s = %.*s: %s", p->name, (int)MIN(value.n, SHOW_MAX), value.p, e.text);
	struct cfg_set *s = vec_push(&ps->c->raw->sets);
	BUG_IF(!s);
	*s = (struct cfg_set){ at, ps->line };
}

static void assignment_line(struct parser *ps, struct sv text)
{
	struct sv name, value = text;
	char shown[SHOW_MAX + 1];
	if (sv_chr(text, '=') < 1 || !sv_cut(&value, '=', &name)) {
		cfg_fault(ps->faults, ps->line, "%.*s: neither `name = value` nor a [section]", (int)MIN(text.n, SHOW_MAX), text.p);
		return;
	}
	name = sv_trim(name);
	if (!sv_copy(name, shown, sizeof shown)) {
		cfg_fault(ps->faults, ps->line, "there is no parameter with such a name");
		return;
	}
	const struct cfg_group *g = ps->group;
	const struct cfg_param *p = g ? cfg_param_of(g->params, name) : cfg_find(shown, &g);
	if (p)
		assign(ps, g, p, sv_trim(value));
	else
		unknown_name(ps, shown);
}

/* --- lines --- */
static void end_logical(struct parser *ps)
{
	struct sv text = buf_sv(&ps->logical);
	if (text.n > 0 && text.p[0] == '[')
		section_line(ps, text);
	else if (text.n > 0 && !ps->skip)
		assignment_line(ps, text);
	buf_reset(&ps->logical);
}

/* '#' starts a comment at the start of a line or after a blank; elsewhere it is part of the value. */
static struct sv without_comment(struct sv line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			return sv_sub(line, 0, i);
	return line;
}

/* An indented `name = value` is not the continuation it would be taken for. */
static bool is_indented_assignment(const struct parser *ps, struct sv text)
{
	struct sv name, rest = text;
	const struct cfg_group *g;
	char copy[SHOW_MAX + 1];
	if (sv_chr(text, '=') < 1 || !sv_cut(&rest, '=', &name) || !sv_copy(sv_trim(name), copy, sizeof copy))
		return false;
	return cfg_find(copy, &g) || (ps->group && cfg_param_of(ps->group->params, sv_trim(name)));
}

static void physical_line(struct parser *ps, struct sv line, unsigned number)
{
	struct sv text = sv_trim(without_comment(line));
	bool indented = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
	if (text.n == 0)
		return;
	if (!indented) {
		end_logical(ps);
		ps->line = number;
		buf_putsv(&ps->logical, text);
		return;
	}
	struct sv before = buf_sv(&ps->logical);
	if (before.n == 0 || before.p[0] == '[' || is_indented_assignment(ps, text)) {
		cfg_fault(ps->faults, number, "a line that starts with a blank continues the one before: remove the blank");
		return;
	}
	buf_putc(&ps->logical, ' ');
	buf_putsv(&ps->logical, text);
}

struct cfg *cfg_parse_values(struct sv text, struct vec *faults)
{
	struct parser ps = { .faults = faults, .section = CFG_TOP, .logical = BUF_INIT(CFG_FILE_MAX) };
	struct sv line, rest = text;
	if (text.n > CFG_FILE_MAX) {
		cfg_fault(faults, 0, "the file is larger than %d bytes", CFG_FILE_MAX);
		return NULL;
	}
	ps.c = new_cfg();
	for (unsigned number = 1; sv_cut(&rest, '\n', &line); number++)
		physical_line(&ps, line, number);
	end_logical(&ps);
	buf_free(&ps.logical);
	return ps.c;
}

/* By line, as a reader of the file wants them; there are few. */
static void sort_faults(struct vec *faults)
{
	for (size_t i = 1; i < faults->len; i++) {
		struct cfg_fault f = *VEC_AT(faults, struct cfg_fault, i);
		size_t k = i;
		for (; k > 0 && VEC_AT(faults, struct cfg_fault, k - 1)->line > f.line; k--)
			*VEC_AT(faults, struct cfg_fault, k) = *VEC_AT(faults, struct cfg_fault, k - 1);
		*VEC_AT(faults, struct cfg_fault, k) = f;
	}
}

struct cfg *cfg_parse(struct sv text, struct vec *faults)
{
	struct cfg *c = cfg_parse_values(text, faults);
	if (!c)
		return NULL;
	cfg_finish(c, faults);
	cfg_check(c, faults);
	if (faults)
		sort_faults(faults);
	return c;
}

struct cfg *cfg_load(const char *path, struct vec *faults, struct err *e)
{
	struct buf text = BUF_INIT(CFG_FILE_MAX);
	struct cfg *c = NULL;
	if (fd_read_path(AT_FDCWD, path, &text, e))
		c = cfg_parse(buf_sv(&text), faults);
	buf_free(&text);
	return c;
}
