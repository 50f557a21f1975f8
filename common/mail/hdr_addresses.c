/* Address lists in header fields: RFC 5322 3.4 and the obsolete forms of 4.4, with comments, groups, names and routes left out. */
#include "mail/hdr.h"

#define ADDRESS_LEN_MAX 1000 /* more than any address that maddr_parse() accepts, blanks and routes taken out */

struct list {
	struct sv in;
	struct buf text;  /* the current element's words without blanks: an addr-spec, if it is one */
	bool word_before; /* the last token was a word: another makes it a display name */
	bool phrase;
	bool in_angle, had_angle;
	bool broken;
	void (*on)(struct sv, void *);
	void *arg;
};

static void reset_text(struct list *l)
{
	buf_reset(&l->text);
	l->word_before = l->phrase = false;
}

static void report(struct list *l)
{
	struct sv spec = buf_sv(&l->text);

	if (spec.n == 0)
		return; /* obs-addr-list: empty elements; and "<>" */
	if (l->phrase || !buf_ok(&l->text))
		l->broken = true;
	else
		l->on(spec, l->arg);
}

/* End of an element: ',' ';' or the end of the list. */
static void end_element(struct list *l)
{
	if (l->in_angle)
		l->broken = true;
	else if (!l->had_angle)
		report(l);
	reset_text(l);
	l->in_angle = l->had_angle = false;
}

/* Length of a token from an opening character to its closing one, with quoted pairs; 0: not closed. Comments nest. */
static size_t enclosed_len(struct sv in, char open, char close)
{
	size_t depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == close && (i > 0 || open != close)) {
			if (open == close || --depth == 0)
				return i + 1;
		} else if (in.p[i] == open && open != close)
			depth++;
	}
	return 0;
}

static void add_word(struct list *l, struct sv word)
{
	l->phrase |= l->word_before;
	l->word_before = true;
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '\r' && word.p[i] != '\n')
			buf_putc(&l->text, word.p[i]);
}

/* A token that has a closing character; false: it has none, and nothing behind it can be trusted. */
static bool take_enclosed(struct list *l, char open, char close)
{
	size_t n = enclosed_len(l->in, open, close);

	if (n == 0)
		return false;
	if (open == '[') /* a domain literal goes on what stands before it: "@" */
		l->word_before = false;
	if (open != '(')
		add_word(l, sv_sub(l->in, 0, n));
	l->in = sv_skip(l->in, n);
	return true;
}

static void take_atom(struct list *l)
{
	size_t n = 0;

	while (n < l->in.n && l->in.p[n] && !strchr("()<>[]:;@\\,.\" \t\r\n", l->in.p[n]))
		n++;
	if (n == 0) { /* NUL, '\\', ')' or ']' alone */
		l->broken = true;
		n = 1;
	} else {
		add_word(l, sv_sub(l->in, 0, n));
	}
	l->in = sv_skip(l->in, n);
}

/* A single special character, already skipped. */
static void on_special(struct list *l, char c)
{
	switch (c) {
	case '@':
	case '.':
		buf_putc(&l->text, c);
		l->word_before = false;
		break;
	case '<': /* what came before was the display name */
		l->broken |= l->in_angle || l->had_angle;
		reset_text(l);
		l->in_angle = true;
		break;
	case '>':
		if (l->in_angle)
			report(l);
		l->broken |= !l->in_angle;
		reset_text(l);
		l->in_angle = false;
		l->had_angle = true;
		break;
	case ':': /* the end of a group's name, or of a source route */
		reset_text(l);
		break;
	case ',':
		if (l->in_angle) /* within a source route: "<@a,@b:al@c>" */
			reset_text(l);
		else
			end_element(l);
		break;
	default: /* ';' */
		end_element(l);
	}
}

static bool take_token(struct list *l)
{
	char c = l->in.p[0];

	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		l->in = sv_skip(l->in, 1);
		return true;
	case '(':
		return take_enclosed(l, '(', ')');
	case '"':
		return take_enclosed(l, '"', '"');
	case '[':
		return take_enclosed(l, '[', ']');
	case '@':
	case '.':
	case '<':
	case '>':
	case ':':
	case ',':
	case ';':
		l->in = sv_skip(l->in, 1);
		on_special(l, c);
		return true;
	default:
		take_atom(l);
		return true;
	}
}

bool hdr_addresses(struct sv value, void (*on)(struct sv addr_spec, void *arg), void *arg)
{
	struct list l = { .in = value, .text = BUF_INIT(ADDRESS_LEN_MAX), .on = on, .arg = arg };

	while (l.in.n) {
		if (!take_token(&l)) {
			l.broken = true;
			reset_text(&l); /* what an open quote or comment would have become, nobody knows */
			break;
		}
	}
	end_element(&l);
	buf_free(&l.text);
	return !l.broken;
}
