/* regexp, also called pcre: a file of `/pattern/flags value`; the first pattern that matches the key counts.
 *
 * Keys come from strangers and may be made for a pattern's worst case, so the work is bounded: per pattern by PCRE2's own limits,
 * per look-up by time. A look-up that passes a limit fails: taking it for "no match" would let through what a rule should have
 * stopped. Compiled code is not used (no JIT): the processes that read tables have no memory that is writable and executable. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/clock.h"
#include "base/num.h"
#include "maps/driver.h"

#include <pcre2.h>

#define PATTERNS_MAX 10000
#define PATTERN_MAX 2000 /* bytes */
#define NEST_MAX 50
#define MATCH_MAX 20000 /* steps back in one pattern: about a millisecond */
#define DEPTH_MAX 1000
#define HEAP_MAX_KIB 512
#define WORK_MS_MAX 100 /* for all patterns of a look-up */
#define GROUPS_MAX 100

struct pattern {
	pcre2_code *code;
	char *text, *value; /* with its slashes; as in the file */
	unsigned line;
};

struct regexp {
	enum map_form form;
	struct vec patterns; /* of struct pattern */
	char *path;
	pcre2_match_context *limits;
	pcre2_match_data *match;
};

static void free_content(void *content)
{
	struct regexp *r = content;

	for (size_t i = 0; i < r->patterns.len; i++) {
		struct pattern *p = VEC_AT(&r->patterns, struct pattern, i);
		pcre2_code_free(p->code);
		free(p->text);
		free(p->value);
	}
	vec_free(&r->patterns);
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->limits);
	free(r->path);
	free(r);
}

/* --- the value: $1 or ${1} is what the first group matched, $$ a dollar ---------------------------------------------------- */

/* After a '$'. *ret -1: the dollar itself. */
static bool take_reference(struct sv *rest, int *ret)
{
	bool braced = sv_starts(*rest, SV("{"));
	size_t n = 0;
	uint64_t group;

	if (sv_starts(*rest, SV("$"))) {
		*rest = sv_skip(*rest, 1);
		*ret = -1;
		return true;
	}
	struct sv digits = sv_skip(*rest, braced);
	while (n < MIN(digits.n, 2) && ascii_digit(digits.p[n]))
		n++;
	if (!num_u64(sv_sub(digits, 0, n), 0, GROUPS_MAX - 1, &group))
		return false;
	*rest = sv_skip(digits, n);
	*ret = (int)group;
	if (braced && !sv_starts(*rest, SV("}")))
		return false;
	*rest = sv_skip(*rest, braced);
	return true;
}

static bool check_value(struct sv value, const pcre2_code *code, struct err *e)
{
	uint32_t groups = 0;
	struct sv part;
	int group;

	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	while (sv_chr(value, '$') >= 0 && sv_cut(&value, '$', &part)) {
		if (!take_reference(&value, &group))
			return err_set(e, ERR_PERM, "after $ stands the number of a group, or another $ for the sign itself");
		if (group > (int)groups)
			return err_set(e, ERR_PERM, "$%d: the pattern has only %u groups", group, groups);
	}
	return true;
}

/* Who writes to us chooses what a group matches. In a table of aliases that could be a command, a file, another domain: it may be
 * (part of) a local part, and nothing else. */
static bool is_plain(char c) { return ascii_alnum(c) || (c && strchr("._+=-", c)) || (unsigned char)c >= 0x80; }

static bool check_alias(struct sv value, struct err *e)
{
	struct sv item;

	if (sv_chr(value, '$') < 0)
		return true;
	while (sv_cut(&value, ',', &item)) {
		ptrdiff_t at = sv_chr(item, '@');
		struct sv local = sv_trim(at < 0 ? item : sv_sub(item, 0, (size_t)at));
		bool ok = at < 0 || sv_chr(sv_skip(item, (size_t)at), '$') < 0;
		for (size_t i = 0; i < local.n && ok; i++)
			ok = is_plain(local.p[i]) || (local.p[i] && strchr("${}", local.p[i]));
		if (!ok)
			return err_set(e, ERR_PERM,
				"a group of the pattern may stand in a local part alone: whoever writes here chooses what it "
				"matches");
	}
	return true;
}

/* false: it must not stand there. */
static bool put_group(const struct regexp *r, int group, struct sv key, struct buf *out)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->match) + 2 * group;

	if ((uint32_t)group >= pcre2_get_ovector_count(r->match) || at[0] == PCRE2_UNSET || at[0] > at[1])
		return true; /* no part in this match, or \K within a look-ahead */
	struct sv text = sv_sub(key, at[0], at[1] - at[0]);
	for (size_t i = 0; i < text.n && r->form == MAP_ALIASES; i++)
		if (!is_plain(text.p[i]))
			return false;
	buf_putsv(out, text);
	return true;
}

static enum map_result put_value(
	const struct regexp *r, const struct pattern *p, struct sv key, struct buf *ret_value, struct err *e)
{
	struct sv rest = sv_of(p->value), part;
	int group;

	buf_reset(ret_value);
	while (sv_cut(&rest, '$', &part)) {
		buf_putsv(ret_value, part);
		if (!rest.p || !take_reference(&rest, &group))
			break;
		if (group < 0) {
			buf_putc(ret_value, '$');
		} else if (!put_group(r, group, key, ret_value)) {
			buf_reset(ret_value);
			return MAP_NONE;
		}
	}
	if (buf_ok(ret_value))
		return MAP_FOUND;
	buf_reset(ret_value);
	err_set(e, ERR_LIMIT, "%s:%u: the value is too long here", r->path, p->line);
	return MAP_FAILED;
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

/* The pattern ends at the next '/' without a '\' before it. */
static bool cut_pattern(struct sv *rest, struct sv *ret)
{
	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\') {
			i++;
		} else if (rest->p[i] == '/') {
			*ret = sv_sub(*rest, 0, i);
			*rest = sv_skip(*rest, i + 1);
			return true;
		}
	}
	return false;
}

static bool cut_flags(struct sv *rest, uint32_t *options, struct err *e)
{
	size_t n = 0;

	for (; n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t'; n++) {
		if (rest->p[n] == 'x')
			*options |= PCRE2_EXTENDED;
		else if (rest->p[n] != 'i') /* always so: keys are folded */
			return err_set(e, ERR_PERM, "unknown flag; there are i (the default) and x (blanks mean nothing)");
	}
	*rest = sv_trim(sv_skip(*rest, n));
	return true;
}

static pcre2_code *compile(struct sv pattern, uint32_t options, struct err *e)
{
	pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR text[200];
	PCRE2_SIZE at;
	int why;

	BUG_IF(!limits);
	pcre2_set_max_pattern_length(limits, PATTERN_MAX);
	pcre2_set_parens_nest_limit(limits, NEST_MAX);
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &why, &at, limits);
	pcre2_compile_context_free(limits);
	if (code)
		return code;
	pcre2_get_error_message(why, text, sizeof(text));
	err_set(e, ERR_PERM, "the pattern is faulty after %zu characters: %s", (size_t)at, (const char *)text);
	return NULL;
}

static bool take_line(struct regexp *r, struct sv line, unsigned number, struct err *e)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	struct sv rest = sv_trim(line), pattern;

	if (rest.n == 0 || rest.p[0] == '#')
		return true;
	if (sv_chr(rest, '\0') >= 0)
		return err_set(e, ERR_PERM, "a NUL byte");
	if (rest.p[0] != '/')
		return err_set(e, ERR_PERM, "write /pattern/ value");
	rest = sv_skip(rest, 1);
	if (!cut_pattern(&rest, &pattern))
		return err_set(e, ERR_PERM, "the pattern has no / at its end");
	if (!cut_flags(&rest, &options, e))
		return false;
	if (rest.n > MAP_VALUE_MAX)
		return err_set(e, ERR_PERM, "the value is longer than %d bytes", MAP_VALUE_MAX);
	pcre2_code *code = compile(pattern, options, e);
	bool ok = code && check_value(rest, code, e) && (r->form != MAP_ALIASES || check_alias(rest, e));
	struct pattern *p = ok ? vec_push(&r->patterns) : NULL;
	if (!p) {
		bool full = r->patterns.len == PATTERNS_MAX;
		pcre2_code_free(code);
		return full ? err_set(e, ERR_PERM, "more than %d patterns", PATTERNS_MAX) : false;
	}
	*p = (struct pattern){ code, mem_dup((struct sv){ pattern.p - 1, pattern.n + 2 }), mem_dup(rest), number };
	return true;
}

static struct regexp *new_content(const char *path, enum map_form form)
{
	struct regexp *r = mem_new(sizeof(*r));

	*r = (struct regexp){ .patterns = VEC_INIT(struct pattern, PATTERNS_MAX), .path = mem_dup(sv_of(path)), .form = form };
	r->limits = pcre2_match_context_create(NULL);
	r->match = pcre2_match_data_create(GROUPS_MAX, NULL);
	BUG_IF(!r->limits || !r->match);
	pcre2_set_match_limit(r->limits, MATCH_MAX);
	pcre2_set_depth_limit(r->limits, DEPTH_MAX);
	pcre2_set_heap_limit(r->limits, HEAP_MAX_KIB);
	return r;
}

static void *parse(struct sv text, enum map_form form, const char *path, struct err *e)
{
	struct regexp *r = new_content(path, form);
	struct sv line;

	for (unsigned number = 1; text.n && sv_cut(&text, '\n', &line); number++) {
		if (take_line(r, line, number, e))
			continue;
		err_add(e, "%s:%u", path, number);
		free_content(r);
		return NULL;
	}
	return r;
}

static const struct map_file_kind kind = { parse, free_content };

static bool open_regexp(struct map *m, const char *name, struct err *e) { return map_file_open(m, &kind, name, e); }

/* --- looking up ----------------------------------------------------------------------------------------------------------------
 */

static enum map_result too_much(const struct regexp *r, const struct pattern *p, struct err *e)
{
	err_set(e, ERR_TEMP, "%s:%u: a key needs too much work here: make the pattern simpler (no repeats within repeats)", r->path,
		p->line);
	return MAP_FAILED;
}

static enum map_result get_regexp(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	const struct regexp *r = map_file_content(m);
	uint64_t end = clock_mono_ms() + WORK_MS_MAX;

	for (size_t i = 0; i < r->patterns.len; i++) {
		const struct pattern *p = VEC_AT(&r->patterns, struct pattern, i);
		int found = pcre2_match(p->code, (PCRE2_SPTR)key.p, key.n, 0, 0, r->match, r->limits);
		if (found >= 0)
			return put_value(r, p, key, ret_value, e);
		if (found != PCRE2_ERROR_NOMATCH || clock_mono_ms() > end)
			return too_much(r, p, e);
	}
	return MAP_NONE;
}

static bool each_regexp(struct map *m, map_visit *on, void *arg, struct err *e UNUSED)
{
	const struct regexp *r = map_file_content(m);

	for (size_t i = 0; i < r->patterns.len; i++) {
		const struct pattern *p = VEC_AT(&r->patterns, struct pattern, i);
		if (!on(sv_of(p->text), sv_of(p->value), p->line, arg))
			break;
	}
	return true;
}

const struct map_driver map_driver_regexp = { "regexp", open_regexp, map_file_close, map_file_refresh, get_regexp, each_regexp };
const struct map_driver map_driver_pcre = { "pcre", open_regexp, map_file_close, map_file_refresh, get_regexp, each_regexp };
