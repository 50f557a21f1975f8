/* Parameters of structured fields: RFC 2045 5.1 with the continuations and charsets of RFC 2231. */
#include "mail/hdr.h"
#include "base/num.h"

#define SECTIONS_MAX 100 /* name*0, name*1, ...: of one parameter */

struct param {
	struct sv name;  /* as written: "filename*0*" */
	struct sv value; /* a token, or a quoted string with its quotes */
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Blanks and comments, nested. An unclosed comment takes all. */
static struct sv skip_cfws(struct sv s)
{
	size_t depth = 0;

	while (s.n) {
		if (depth && s.p[0] == '\\' && s.n > 1)
			s = sv_skip(s, 1);
		else if (s.p[0] == '(')
			depth++;
		else if (depth && s.p[0] == ')')
			depth--;
		else if (!depth && !is_blank(s.p[0]))
			break;
		s = sv_skip(s, 1);
	}
	return s;
}

/* Length of a quoted string, quotes included; all of s when it is not closed. */
static size_t quoted_len(struct sv s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return s.n;
}

static size_t token_len(struct sv s, const char *ends)
{
	size_t n = 0;

	while (n < s.n && s.p[n] && !is_blank(s.p[n]) && !strchr(ends, s.p[n]))
		n++;
	return n;
}

/* Skips to behind the next ';' that is not within a quoted string or a comment. */
static bool next_part(struct sv *rest)
{
	struct sv s = *rest;

	for (;;) {
		s = skip_cfws(s);
		if (s.n == 0)
			return false;
		if (s.p[0] == ';') {
			*rest = sv_skip(s, 1);
			return true;
		}
		s = sv_skip(s, s.p[0] == '"' ? quoted_len(s) : 1);
	}
}

static bool next_param(struct sv *rest, struct param *ret)
{
	while (next_part(rest)) {
		struct sv s = skip_cfws(*rest);
		size_t n = token_len(s, "=;\"(");
		ret->name = sv_sub(s, 0, n);
		s = skip_cfws(sv_skip(s, n));
		if (n == 0 || !sv_starts(s, SV("=")))
			continue;
		s = skip_cfws(sv_skip(s, 1));
		ret->value = sv_sub(s, 0, sv_starts(s, SV("\"")) ? quoted_len(s) : token_len(s, ";(\""));
		*rest = sv_skip(s, ret->value.n);
		return true;
	}
	return false;
}

static bool find(struct sv field, const char *name, struct param *ret)
{
	while (next_param(&field, ret))
		if (sv_ieqs(ret->name, name))
			return true;
	return false;
}

static void put_plain(struct sv v, struct buf *out)
{
	if (!sv_starts(v, SV("\""))) {
		buf_putsv(out, v);
		return;
	}
	v = sv_skip(v, 1);
	if (sv_ends(v, SV("\"")))
		v.n--;
	for (; v.n; v = sv_skip(v, 1)) {
		if (v.p[0] == '\\' && v.n > 1)
			v = sv_skip(v, 1);
		if (v.p[0] != '\r' && v.p[0] != '\n')
			buf_putc(out, v.p[0]);
	}
}

/* RFC 2231 4: charset'language'text with %HH; the charset is left to the caller's guess, as it is for plain values. */
static void put_extended(struct sv v, bool first, struct buf *out)
{
	uint64_t byte;
	struct sv part;

	for (int i = 0; first && i < 2 && sv_chr(v, '\'') >= 0; i++)
		if (!sv_cut(&v, '\'', &part))
			return;
	for (; v.n; v = sv_skip(v, 1)) {
		if (v.p[0] == '%' && v.n > 2 && num_hex(sv_sub(v, 1, 2), 255, &byte)) {
			buf_putc(out, (char)byte);
			v = sv_skip(v, 2);
		} else {
			buf_putc(out, v.p[0]);
		}
	}
}

/* name*0, name*1*, ...: in the order of their numbers, wherever they stand (RFC 2231 3). */
static bool put_sections(struct sv field, const char *name, struct buf *out)
{
	struct param p;
	char plain[80], extended[80];

	for (unsigned i = 0; i < SECTIONS_MAX; i++) {
		snprintf(plain, sizeof(plain), "%s*%u", name, i);
		snprintf(extended, sizeof(extended), "%s*%u*", name, i);
		if (find(field, extended, &p))
			put_extended(p.value, i == 0, out);
		else if (find(field, plain, &p))
			put_plain(p.value, out);
		else
			return i > 0;
	}
	return true;
}

static bool put_param(struct sv field, const char *name, struct buf *out)
{
	struct param p;
	char extended[80];

	snprintf(extended, sizeof(extended), "%s*", name);
	if (find(field, name, &p))
		put_plain(p.value, out);
	else if (find(field, extended, &p))
		put_extended(p.value, true, out);
	else
		return put_sections(field, name, out);
	return true;
}

bool hdr_param(struct sv value, const char *name, struct buf *ret)
{
	size_t before = ret->len;

	if (put_param(value, name, ret) && buf_ok(ret))
		return true;
	buf_cut(ret, before);
	return false;
}

struct sv hdr_token(struct sv value)
{
	ptrdiff_t end = sv_chr(value, ';');

	return sv_trim(end < 0 ? value : sv_sub(value, 0, (size_t)end));
}
