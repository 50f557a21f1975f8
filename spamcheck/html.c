#include "html.h"

#include "base/num.h"

static const char *const inline_tags[] = { "a", "b", "big", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "tt",
	"u" };
static const char *const url_attributes[] = { "href=", "src=", "action=", "background=" };
static const struct {
	const char *name;
	const char *text;
} entities[] = { { "nbsp", " " }, { "amp", "&" }, { "lt", "<" }, { "gt", ">" }, { "quot", "\"" }, { "apos", "'" },
	{ "copy", "(c)" }, { "shy", "" }, { "zwnj", "" }, { "ndash", "-" }, { "mdash", "-" } };

static bool is_inline(struct sv name)
{
	for (size_t i = 0; i < COUNT(inline_tags); i++)
		if (sv_ieqs(name, inline_tags[i]))
			return true;
	return false;
}

static struct sv tag_name(struct sv tag)
{
	size_t n = 0;
	while (n < tag.n && ascii_alnum(tag.p[n]))
		n++;
	return sv_sub(tag, 0, n);
}

static struct sv attribute_value(struct sv s)
{
	size_t n = 0;
	if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'')) {
		ptrdiff_t end = sv_chr(sv_skip(s, 1), s.p[0]);
		return end < 0 ? sv_skip(s, 1) : sv_sub(s, 1, (size_t)end);
	}
	while (n < s.n && !strchr(" \t\r\n>", s.p[n]))
		n++;
	return sv_sub(s, 0, n);
}

/* Link targets within one tag. Only what names a host is of interest. */
static void put_urls(struct sv tag, struct buf *out)
{
	for (size_t at = 0; at < tag.n; at++) {
		if (!strchr(" \t\r\n\"'", tag.p[at]))
			continue;
		struct sv rest = sv_skip(tag, at + 1);
		for (size_t i = 0; i < COUNT(url_attributes); i++) {
			if (!sv_istarts(rest, sv_of(url_attributes[i])))
				continue;
			struct sv url = attribute_value(sv_skip(rest, strlen(url_attributes[i])));
			if (sv_find(url, SV("://")) < 0)
				break;
			buf_putc(out, ' ');
			buf_putsv(out, url);
			buf_putc(out, ' ');
			at += url.n;
			break;
		}
	}
}

/* Where the text goes on after "</name": its contents are no text. */
static size_t skip_element(struct sv html, size_t at, struct sv name)
{
	while (at < html.n) {
		const char *lt = memchr(html.p + at, '<', html.n - at);
		if (!lt)
			break;
		at = (size_t)(lt - html.p) + 1;
		if (at < html.n && html.p[at] == '/' && sv_istarts(sv_skip(html, at + 1), name))
			return at - 1;
	}
	return html.n;
}

static size_t skip_comment(struct sv html, size_t at)
{
	ptrdiff_t end = sv_find(sv_skip(html, at), SV("-->"));
	return end < 0 ? html.n : at + (size_t)end + 3;
}

/* html.p[at] is '<'. Returns where the text goes on. */
static size_t take_tag(struct sv html, size_t at, struct buf *out)
{
	struct sv rest = sv_skip(html, at + 1);
	if (sv_starts(rest, SV("!--")))
		return skip_comment(html, at + 4);
	bool closing = sv_starts(rest, SV("/"));
	if (closing)
		rest = sv_skip(rest, 1);
	if (rest.n == 0 || !(ascii_alpha(rest.p[0]) || rest.p[0] == '!' || rest.p[0] == '?')) {
		buf_putc(out, '<'); /* "a < b" */
		return at + 1;
	}
	ptrdiff_t end = sv_chr(rest, '>');
	struct sv tag = end < 0 ? rest : sv_sub(rest, 0, (size_t)end);
	struct sv name = tag_name(tag);
	size_t after = (size_t)(tag.p - html.p) + tag.n + (end >= 0);
	if (!is_inline(name))
		buf_putc(out, ' ');
	put_urls(tag, out);
	if (!closing && (sv_ieqs(name, "script") || sv_ieqs(name, "style")))
		return skip_element(html, after, name);
	return after;
}

static void put_utf8(uint64_t c, struct buf *out)
{
	if (c < 0x80) {
		buf_putc(out, (char)(c < ' ' ? ' ' : c));
		return;
	}
	unsigned tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	buf_putc(out, (char)(lead[tail] | (c >> (6 * tail))));
	while (tail-- > 0)
		buf_putc(out, (char)(0x80 | ((c >> (6 * tail)) & 0x3f)));
}

/* html.p[at] is '&'. Returns where the text goes on. */
static size_t take_entity(struct sv html, size_t at, struct buf *out)
{
	struct sv name = sv_sub(html, at + 1, 10);
	ptrdiff_t end = sv_chr(name, ';');
	uint64_t c = 0;
	if (end > 0) {
		name = sv_sub(name, 0, (size_t)end);
		bool hex = name.n > 2 && name.p[0] == '#' && ascii_lower(name.p[1]) == 'x';
		if (hex ? num_hex(sv_skip(name, 2), 0x10ffff, &c)
			: name.p[0] == '#' && num_u64(sv_skip(name, 1), 0, 0x10ffff, &c)) {
			put_utf8(c, out);
			return at + (size_t)end + 2;
		}
		for (size_t i = 0; i < COUNT(entities); i++) {
			if (!sv_ieqs(name, entities[i].name))
				continue;
			buf_puts(out, entities[i].text);
			return at + (size_t)end + 2;
		}
	}
	buf_putc(out, '&');
	return at + 1;
}

void html_text(struct sv html, struct buf *out)
{
	size_t at = 0;
	while (at < html.n && buf_ok(out)) {
		size_t run = at;
		while (run < html.n && html.p[run] != '<' && html.p[run] != '&')
			run++;
		buf_putsv(out, sv_sub(html, at, run - at));
		at = run;
		if (at < html.n)
			at = html.p[at] == '<' ? take_tag(html, at, out) : take_entity(html, at, out);
	}
}
