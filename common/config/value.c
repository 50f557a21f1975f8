/* One value, as text and in memory: a pair of functions for each type. */
#include "base/num.h"
#include "config/raw.h"

/* The file is bounded, so what its values need is bounded too: the arena's cap is never the reason. */
void *cfg_arena_room(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	BUG_IF(!p);
	return p;
}

char *cfg_arena_text(struct arena *a, struct sv s)
{
	char *p = arena_dup(a, s);
	BUG_IF(!p);
	return p;
}

static bool out_of_range(const struct cfg_param *p, const void *min, const void *max, struct err *e)
{
	struct buf lo = BUF_INIT(100), hi = BUF_INIT(100);
	cfg_value_print(p, min, &lo);
	cfg_value_print(p, max, &hi);
	err_set(e, ERR_PERM, "must be from %s to %s", buf_str(&lo), buf_str(&hi));
	buf_free(&lo);
	buf_free(&hi);
	return false;
}

/* --- texts --- */
static bool parse_str(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	if (text.n > (uint64_t)p->max)
		return err_set(e, ERR_PERM, "is longer than %lld bytes", (long long)p->max);
	*(const char **)member = cfg_arena_text(a, text);
	return true;
}

static bool parse_path(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	if (text.n > 0 && text.p[0] != '/')
		return err_set(e, ERR_PERM, "is not an absolute path: it must begin with /");
	return parse_str(p, text, a, member, e);
}

static bool parse_table(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	ptrdiff_t colon = sv_chr(text, ':');
	if (text.n > 0 && (colon < 1 || (size_t)colon + 1 == text.n))
		return err_set(e, ERR_PERM, "is not a table: write type:name, for example text:/etc/aliases");
	return parse_str(p, text, a, member, e);
}

static void print_str(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	buf_puts(out, *(const char *const *)member);
}

/* --- numbers --- */
static bool in_range(const struct cfg_param *p, uint64_t v, void *member, struct err *e)
{
	uint64_t min = (uint64_t)p->min, max = (uint64_t)p->max;
	if (v < min || v > max)
		return out_of_range(p, &min, &max, e);
	*(uint64_t *)member = v;
	return true;
}

static bool parse_uint(const struct cfg_param *p, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	uint64_t v;
	if (!num_u64(text, 0, INT64_MAX, &v))
		return err_set(e, ERR_PERM, "is not a number");
	return in_range(p, v, member, e);
}

static void print_uint(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	buf_putf(out, "%llu", (unsigned long long)*(const uint64_t *)member);
}

static bool parse_secs(const struct cfg_param *p, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	uint64_t v;
	if (!num_secs(text, 0, INT64_MAX, &v))
		return err_set(e, ERR_PERM, "is not a time: write 90s, 5m, 2h, 5d or 1w");
	return in_range(p, v, member, e);
}

static void print_secs(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	char text[NUM_TEXT_MAX];
	buf_puts(out, num_fmt_secs(*(const uint64_t *)member, text));
}

static bool parse_size(const struct cfg_param *p, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	uint64_t v;
	if (!num_size(text, 0, INT64_MAX, &v))
		return err_set(e, ERR_PERM, "is not a size: write 4096, 64K, 50M or 2G");
	return in_range(p, v, member, e);
}

static void print_size(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	char text[NUM_TEXT_MAX];
	buf_puts(out, num_fmt_size(*(const uint64_t *)member, text));
}

/* "4.5" is 450. At most two digits after the point: no binary fractions, so that what is printed is what was written. */
static bool score_hundredths(struct sv text, int64_t *ret)
{
	bool minus = sv_starts(text, SV("-"));
	struct sv whole, rest = minus ? sv_skip(text, 1) : text;
	uint64_t units, part = 0;
	if (!sv_cut(&rest, '.', &whole) || !num_u64(whole, 0, INT32_MAX, &units))
		return false;
	if (rest.p) {
		if (rest.n < 1 || rest.n > 2 || !num_u64(rest, 0, 99, &part))
			return false;
		if (rest.n == 1)
			part *= 10;
	}
	*ret = (int64_t)(units * 100 + part) * (minus ? -1 : 1);
	return true;
}

static bool parse_score(const struct cfg_param *p, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	int64_t v;
	if (!score_hundredths(text, &v))
		return err_set(e, ERR_PERM, "is not a score: write 5, 4.5 or -0.25");
	if (v < p->min || v > p->max)
		return out_of_range(p, &p->min, &p->max, e);
	*(int64_t *)member = v;
	return true;
}

static void print_score(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	int64_t v = *(const int64_t *)member;
	uint64_t u = (uint64_t)(v < 0 ? -v : v);
	buf_putf(out, "%s%llu", v < 0 ? "-" : "", (unsigned long long)(u / 100));
	if (u % 100 > 0)
		buf_putf(out, u % 10 ? ".%02llu" : ".%llu", (unsigned long long)(u % 10 ? u % 100 : u % 100 / 10));
}

/* --- choices --- */
static bool parse_bool(const struct cfg_param *p UNUSED, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	if (!sv_ieqs(text, "yes") && !sv_ieqs(text, "no"))
		return err_set(e, ERR_PERM, "must be yes or no");
	*(bool *)member = sv_ieqs(text, "yes");
	return true;
}

static void print_bool(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	buf_puts(out, *(const bool *)member ? "yes" : "no");
}

static bool parse_enum(const struct cfg_param *p, struct sv text, struct arena *a UNUSED, void *member, struct err *e)
{
	struct buf all = BUF_INIT(200);
	for (int i = 0; p->choices[i]; i++) {
		if (sv_ieqs(text, p->choices[i])) {
			*(int *)member = i;
			buf_free(&all);
			return true;
		}
		buf_putf(&all, "%s%s", i == 0 ? "" : p->choices[i + 1] ? ", " : " or ", p->choices[i]);
	}
	err_set(e, ERR_PERM, "must be %s", buf_str(&all));
	buf_free(&all);
	return false;
}

static void print_enum(const struct cfg_param *p, const void *member, struct buf *out)
{
	buf_puts(out, p->choices[*(const int *)member]);
}

/* --- lists --- */
bool cfg_next_item(struct sv *rest, struct sv *ret)
{
	size_t n = 0;
	while (rest->n > 0 && strchr(", \t", rest->p[0]))
		*rest = sv_skip(*rest, 1);
	while (n < rest->n && !strchr(", \t", rest->p[n]))
		n++;
	*ret = sv_sub(*rest, 0, n);
	*rest = sv_skip(*rest, n);
	return n > 0;
}

bool cfg_count_items(const struct cfg_param *p, struct sv text, size_t *ret_n, struct err *e)
{
	struct sv item;
	size_t n = 0;
	for (; cfg_next_item(&text, &item); n++)
		if (item.p[0] == '#')
			return err_set(e, ERR_PERM, "has an item that begins with #: leave a blank before a comment");
	if (n > (uint64_t)p->max)
		return err_set(e, ERR_PERM, "has more than %lld items", (long long)p->max);
	*ret_n = n;
	return true;
}

static bool parse_list(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	struct cfg_list list = { NULL, 0 };
	struct sv item;
	size_t n;
	if (!cfg_count_items(p, text, &n, e))
		return false;
	list.item = cfg_arena_room(a, n * sizeof *list.item + 1);
	while (cfg_next_item(&text, &item))
		list.item[list.n++] = cfg_arena_text(a, item);
	*(struct cfg_list *)member = list;
	return true;
}

static void print_list(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	const struct cfg_list *list = member;
	for (size_t i = 0; i < list->n; i++)
		buf_putf(out, "%s%s", i > 0 ? ", " : "", list->item[i]);
}

static bool parse_nets(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	struct cfg_nets nets = { NULL, 0 };
	struct sv item;
	size_t n;
	if (!cfg_count_items(p, text, &n, e))
		return false;
	nets.item = cfg_arena_room(a, n * sizeof *nets.item + 1);
	while (cfg_next_item(&text, &item))
		if (!addr_net_parse(item, &nets.item[nets.n++], e))
			return false;
	*(struct cfg_nets *)member = nets;
	return true;
}

static void print_nets(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	const struct cfg_nets *nets = member;
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < nets->n; i++)
		buf_putf(out, "%s%s", i > 0 ? ", " : "", addr_net_text(&nets->item[i], text));
}

static const struct {
	bool (*parse)(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e);
	void (*print)(const struct cfg_param *p, const void *member, struct buf *out);
} types[] = {
	[CFG_T_STR] = { parse_str, print_str },
	[CFG_T_PATH] = { parse_path, print_str },
	[CFG_T_BOOL] = { parse_bool, print_bool },
	[CFG_T_UINT] = { parse_uint, print_uint },
	[CFG_T_SECS] = { parse_secs, print_secs },
	[CFG_T_SIZE] = { parse_size, print_size },
	[CFG_T_SCORE] = { parse_score, print_score },
	[CFG_T_ENUM] = { parse_enum, print_enum },
	[CFG_T_LIST] = { parse_list, print_list },
	[CFG_T_NETS] = { parse_nets, print_nets },
	[CFG_T_TABLE] = { parse_table, print_str },
	[CFG_T_MATCH] = { cfg_match_parse, cfg_match_print },
	[CFG_T_ACTION] = { cfg_action_parse, cfg_action_print },
};

/* Control bytes have no place in any value: it may end up in a log line, a banner or a path. */
static bool is_clean(struct sv text, struct err *e)
{
	for (size_t i = 0; i < text.n; i++)
		if (((unsigned char)text.p[i] < 0x20 && text.p[i] != '\t') || text.p[i] == 0x7f)
			return err_set(e, ERR_PERM, "holds a control character (byte 0x%02x)", (unsigned char)text.p[i]);
	return sv_is_utf8(text) || err_set(e, ERR_PERM, "is not valid UTF-8");
}

bool cfg_value_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	return is_clean(text, e) && types[p->type].parse(p, text, a, member, e);
}

void cfg_value_print(const struct cfg_param *p, const void *member, struct buf *out) { types[p->type].print(p, member, out); }
