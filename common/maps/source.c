/* Text sources: logical lines (a line that begins with a blank continues the one before), comments, keys and values. */
#include "maps/driver.h"

#define LOGICAL_MAX (MAP_KEY_MAX + MAP_VALUE_MAX + 64) /* both, quotes and what stands between */

struct source {
	enum map_form form;
	struct map_table *table;
	struct buf logical;
	unsigned line, first_line; /* the current one, and where the logical line began */
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Length of the key at the front: up to `end` (or a blank for '\0') outside quotes. */
static bool key_len(struct sv s, char end, size_t *ret)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && (end ? s.p[i] == end : is_blank(s.p[i])))
			break;
	}
	*ret = MIN(i, s.n);
	return !quoted;
}

/* `"a b"` as a whole names the alias `a b`. Other uses of quotes stay: they belong to an address. */
static struct sv unquoted(struct sv key)
{
	if (key.n < 2 || key.p[0] != '"' || key.p[key.n - 1] != '"')
		return key;
	struct sv inner = sv_sub(key, 1, key.n - 2);
	return sv_chr(inner, '"') < 0 && sv_chr(inner, '\\') < 0 ? inner : key;
}

static bool end_logical(struct source *s, struct err *e)
{
	struct sv text = buf_sv(&s->logical), key, value;
	bool aliases = s->form == MAP_ALIASES;
	size_t n;

	if (!buf_ok(&s->logical))
		return err_set(e, ERR_PERM, "the entry is longer than %d bytes", MAP_VALUE_MAX);
	if (text.n == 0)
		return true;
	if (!key_len(text, aliases ? ':' : '\0', &n))
		return err_set(e, ERR_PERM, "a quote is not closed");
	if (aliases && n == text.n)
		return err_set(e, ERR_PERM, "no ':' after the name; write name: target, target");
	key = sv_trim(sv_sub(text, 0, n));
	value = sv_trim(sv_skip(text, n + (aliases ? 1 : 0)));
	if (value.n == 0)
		return err_set(e, ERR_PERM, "nothing after the %s", aliases ? "name" : "key");
	if (!map_table_add(s->table, aliases ? unquoted(key) : key, value, s->first_line, e))
		return false;
	buf_reset(&s->logical);
	return true;
}

static bool take_line(struct source *s, struct sv line, struct err *e)
{
	struct sv text = sv_trim(line);

	if (text.n == 0 || text.p[0] == '#')
		return true; /* also between the lines of one entry */
	if (sv_chr(line, '\0') >= 0)
		return err_set(e, ERR_PERM, "a NUL byte");
	if (is_blank(line.p[0])) {
		if (s->logical.len == 0)
			return err_set(e, ERR_PERM, "it begins with a blank, but there is no entry before it to continue");
		buf_putc(&s->logical, ' ');
	} else {
		unsigned line_no = s->line;
		s->line = s->first_line; /* an error of the entry before is reported where that begins */
		if (!end_logical(s, e))
			return false;
		s->line = s->first_line = line_no;
	}
	buf_putsv(&s->logical, text);
	return true;
}

bool map_source_parse(struct sv text, enum map_form form, const char *path, struct map_table *t, struct err *e)
{
	struct source s = { .form = form, .table = t, .logical = BUF_INIT(LOGICAL_MAX) };
	struct sv line;
	bool ok = true;

	while (ok && text.n && sv_cut(&text, '\n', &line)) {
		s.line++;
		ok = take_line(&s, line, e);
	}
	if (ok) {
		s.line = s.first_line;
		ok = end_logical(&s, e);
	}
	buf_free(&s.logical);
	if (!ok)
		err_add(e, "%s:%u", path, s.line);
	else
		map_table_sort(t);
	return ok;
}

bool map_source_load(const char *path, enum map_form form, struct map_table *t, struct err *e)
{
	struct buf text = BUF_INIT(MAP_TEXT_MAX);
	struct map_stamp stamp;
	bool ok = map_file_read(path, &text, &stamp, e) && map_source_parse(buf_sv(&text), form, path, t, e);

	buf_free(&text);
	return ok;
}
