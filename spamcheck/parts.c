/* A walker with a stack of the boundaries that are open. A message/rfc822 part is a level without a boundary of its own: the
 * next delimiter of any level around it ends it. */
#include "parts.h"

#include "mail/hdr.h"

struct level {
	char boundary[PART_BOUNDARY_MAX];
	size_t len;   /* 0: an embedded message */
	bool digest;  /* its parts are messages by default (RFC 2046 5.1.5) */
	bool started; /* its boundary came */
};

struct walker {
	struct sv msg;
	size_t at;
	bool truncated;
	struct level level[PARTS_DEPTH_MAX];
	unsigned depth, boundaries; /* levels; those of them with a boundary */
	size_t parts;
	struct findings *f;
};

struct delimiter {
	unsigned level; /* whose boundary it is */
	size_t start;   /* of the line end before it, which belongs to it */
	bool close;     /* the final one */
};

/* Which level's boundary stands in this line, innermost first; false: none. */
static bool match_line(const struct walker *w, struct sv line, struct delimiter *ret)
{
	if (w->boundaries == 0 || line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	line = sv_skip(line, 2);
	for (unsigned i = w->depth; i-- > 0;) {
		const struct level *l = &w->level[i];
		if (l->len == 0 || line.n < l->len || memcmp(line.p, l->boundary, l->len) != 0)
			continue;
		struct sv tail = sv_trim(sv_skip(line, l->len)); /* blanks may follow: RFC 2046 5.1.1 */
		bool close = sv_starts(tail, SV("--"));
		if (tail.n > 0 && !close)
			continue; /* another boundary that begins alike */
		ret->level = i;
		ret->close = close;
		return true;
	}
	return false;
}

static struct sv line_at(struct sv msg, size_t at)
{
	const char *end = memchr(msg.p + at, '\n', msg.n - at);
	return sv_sub(msg, at, end ? (size_t)(end - msg.p) + 1 - at : msg.n - at);
}

/* Moves w->at past the next delimiter line; false: there is none, and w->at is the end. */
static bool next_delimiter(struct walker *w, struct delimiter *ret)
{
	if (w->boundaries == 0)
		w->at = w->msg.n;
	while (w->at < w->msg.n) {
		struct sv line = line_at(w->msg, w->at);
		size_t start = w->at;
		w->at += line.n;
		if (!match_line(w, line, ret))
			continue;
		if (start > 0 && w->msg.p[start - 1] == '\n')
			start--;
		if (start > 0 && w->msg.p[start - 1] == '\r')
			start--;
		ret->start = start;
		return true;
	}
	return false;
}

/* The header of a part. A delimiter with a colon in it looks like a field: it ends the header, and is read again. */
static void read_part_header(struct walker *w, struct part *p)
{
	struct hdr_field field;
	struct delimiter d;
	bool broken = false;
	size_t before = w->at;
	struct sv rest = sv_skip(w->msg, w->at);
	size_t at = 0;
	while (hdr_next(rest, &at, &field, &broken)) {
		if (match_line(w, field.whole, &d)) {
			w->at = before;
			return;
		}
		before = w->at + at;
		if (!p->content_type.p && sv_ieq(field.name, SV("Content-Type")))
			p->content_type = field.value;
		else if (!p->encoding.p && sv_ieq(field.name, SV("Content-Transfer-Encoding")))
			p->encoding = field.value;
		else if (!p->disposition.p && sv_ieq(field.name, SV("Content-Disposition")))
			p->disposition = field.value;
	}
	w->at += at;
}

/* RFC 2045 5.1: type "/" subtype, both tokens. */
static bool type_ok(struct sv type)
{
	ptrdiff_t slash = sv_chr(type, '/');
	if (slash <= 0 || (size_t)slash + 1 == type.n)
		return false;
	for (size_t i = 0; i < type.n; i++) {
		unsigned char c = (unsigned char)type.p[i];
		if (c <= ' ' || c >= 0x7f || ((ptrdiff_t)i != slash && strchr("()<>@,;:\\\"/[]?=", c)))
			return false;
	}
	return true;
}

static void find_type(const struct walker *w, struct part *p)
{
	if (!p->content_type.p) {
		if (w->depth > 0 && w->level[w->depth - 1].digest)
			p->type = SV("message/rfc822");
		return;
	}
	struct sv type = hdr_token(p->content_type);
	if (type_ok(type))
		p->type = type;
	else
		findings_add(w->f, RULE_MIME_BAD_TYPE);
}

static bool identity_encoding(const struct part *p)
{
	struct sv e = p->encoding.p ? hdr_token(p->encoding) : SV("7bit");
	return sv_ieqs(e, "7bit") || sv_ieqs(e, "8bit") || sv_ieqs(e, "binary");
}

static bool read_boundary(const struct part *p, struct level *l)
{
	struct buf text = BUF_INIT(1024);
	bool ok = hdr_param(p->content_type, "boundary", &text);
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--; /* RFC 2046 5.1.1: it does not end with a blank */
	ok = ok && text.len > 0 && text.len <= sizeof(l->boundary) && !sv_has_ctl(buf_sv(&text));
	if (ok) {
		memcpy(l->boundary, text.data, text.len);
		l->len = text.len;
	}
	buf_free(&text);
	return ok;
}

/* Opens a level when p holds other parts; false: it is a leaf. */
static bool open_level(struct walker *w, const struct part *p)
{
	bool multipart = sv_istarts(p->type, SV("multipart/"));
	bool message = sv_ieqs(p->type, "message/rfc822") || sv_ieqs(p->type, "message/global");
	if (!multipart && !message)
		return false;
	if (!identity_encoding(p)) {
		findings_add(w->f, RULE_MIME_ENCODED_PARTS);
		if (message)
			return false; /* it will be decoded and read as text */
	}
	if (w->depth == PARTS_DEPTH_MAX) {
		findings_add(w->f, RULE_MIME_TOO_DEEP);
		return false;
	}
	struct level *l = &w->level[w->depth];
	memset(l, 0, sizeof(*l));
	if (multipart && !read_boundary(p, l)) {
		findings_add(w->f, RULE_MIME_BAD_BOUNDARY);
		return false;
	}
	l->digest = sv_ieqs(p->type, "multipart/digest");
	w->depth++;
	w->boundaries += multipart;
	return true;
}

static void close_level(struct walker *w, bool properly)
{
	const struct level *l = &w->level[--w->depth];
	if (l->len == 0)
		return;
	w->boundaries--;
	if (!l->started && !w->truncated)
		findings_add(w->f, RULE_MIME_NO_PARTS);
	else if (!properly && !w->truncated)
		findings_add(w->f, RULE_MIME_UNCLOSED);
}

/* Reads the header at w->at, and those of the messages in it. True: *p is a leaf whose body begins at w->at. */
static bool enter(struct walker *w, struct part *p)
{
	while (open_level(w, p)) {
		if (w->level[w->depth - 1].len > 0)
			return false; /* its preamble is no part */
		memset(p, 0, sizeof(*p));
		read_part_header(w, p);
		find_type(w, p);
	}
	p->depth = w->depth;
	return true;
}

/* A delimiter ends every level inside its own. True: a part begins. */
static bool apply(struct walker *w, const struct delimiter *d)
{
	while (w->depth > d->level + 1)
		close_level(w, false);
	w->level[d->level].started = true;
	if (d->close)
		close_level(w, true);
	return !d->close;
}

void parts_walk(struct sv msg, const struct headers *h, bool truncated, void (*on_part)(const struct part *, void *), void *arg,
	struct findings *f)
{
	struct walker w = { .msg = msg, .at = h->body, .truncated = truncated, .f = f };
	struct part p = { .content_type = h->value[HEADER_CONTENT_TYPE],
		.encoding = h->value[HEADER_CONTENT_ENCODING],
		.disposition = h->value[HEADER_CONTENT_DISPOSITION] };
	bool begins = true, more = true;
	find_type(&w, &p);
	while (more) {
		bool leaf = begins && enter(&w, &p);
		size_t start = w.at;
		struct delimiter d = { .start = msg.n };
		more = next_delimiter(&w, &d);
		if (leaf) {
			p.body = sv_sub(msg, start, d.start > start ? d.start - start : 0);
			p.whole = more || !truncated;
			on_part(&p, arg);
		}
		begins = more && apply(&w, &d);
		if (begins && ++w.parts > PARTS_MAX) {
			findings_add(f, RULE_MIME_TOO_MANY_PARTS);
			return;
		}
		if (begins) {
			memset(&p, 0, sizeof(p));
			read_part_header(&w, &p);
			find_type(&w, &p);
		}
	}
	while (w.depth > 0)
		close_level(&w, false);
}
