#include "mail/seven.h"

#include "mail/hdr.h"

#define DEPTH_MAX 20           /* multiparts within each other */
#define HEAD_MAX (256u * 1024) /* of one part */
#define LEAVES_MAX (100u * 1024)
#define BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define QP_LINE_MAX 76  /* RFC 2045 6.7 (5) */

enum place { IN_HEAD, IN_LEAF, BETWEEN /* preamble or epilogue */ };

struct seven {
	struct buf line, head;
	struct buf leaves; /* a byte for each part: does it hold 8-bit bytes? */
	size_t leaf;       /* the next one */
	struct buf *out;   /* NULL: scanning */
	enum place place;
	bool encode, is_encoded; /* the leaf at hand: to be encoded; is base64 or quoted-printable already */
	bool whole;              /* the head is a message's, not a part's */
	struct {
		char boundary[BOUNDARY_MAX + 1];
		bool digest;
	} level[DEPTH_MAX];
	size_t depth;
	size_t locked; /* depth of the signed or encrypted multipart; 0 none */
	const char *why;
};

static void begin(struct seven *s)
{
	buf_reset(&s->line);
	buf_reset(&s->head);
	s->leaf = s->depth = s->locked = 0;
	s->place = IN_HEAD;
	s->whole = true;
}

struct seven *seven_new(void)
{
	struct seven *s = mem_new(sizeof *s);
	*s = (struct seven){ .why = NULL };
	buf_init(&s->line, SEVEN_LINE_MAX);
	buf_init(&s->head, HEAD_MAX);
	buf_init(&s->leaves, LEAVES_MAX);
	begin(s);
	return s;
}

void seven_free(struct seven *s)
{
	if (!s)
		return;
	buf_free(&s->line);
	buf_free(&s->head);
	buf_free(&s->leaves);
	free(s);
}

static void cannot(struct seven *s, const char *why)
{
	if (!s->why)
		s->why = why;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

static void put(struct seven *s, struct sv text)
{
	if (s->out)
		buf_putsv(s->out, text);
}

static void put_line(struct seven *s, struct sv line)
{
	put(s, line);
	put(s, SV("\n"));
}

/* RFC 2045 6.7. A continuation never begins with a hyphen, so that none can look like a boundary. */
static void put_encoded(struct seven *s, struct sv line)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t used = 0;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];
		bool last = i + 1 == line.n, continues = used == 0 && i > 0;
		bool plain = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last);
		if (continues && c == '-')
			plain = false;
		size_t len = plain ? 1 : 3;
		if (used + len > QP_LINE_MAX - (last ? 0 : 1)) {
			buf_puts(s->out, "=\n");
			used = 0;
			i--; /* once more, at the beginning of a line */
			continue;
		}
		if (plain)
			buf_putc(s->out, (char)c);
		else {
			const char code[] = { '=', hex[c >> 4], hex[c & 15] };
			buf_put(s->out, code, 3);
		}
		used += len;
	}
	buf_putc(s->out, '\n');
}

/* The head with another Content-Transfer-Encoding; `mime`: it had none of MIME's fields. */
static void put_head(struct seven *s, const char *encoding, bool mime)
{
	struct sv head = buf_sv(&s->head);
	struct hdr_field f;
	size_t at = 0;
	while (hdr_next(head, &at, &f, NULL))
		if (!sv_ieqs(f.name, "Content-Transfer-Encoding"))
			put(s, f.whole);
	if (!mime)
		put(s, SV("MIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"));
	put(s, SV("Content-Transfer-Encoding: "));
	put_line(s, sv_of(encoding));
}

/* --- a part's head ---------------------------------------------------------------------------------------------------------- */

struct part {
	struct sv type; /* the whole field's value; "" none */
	bool multipart, message, locked, digest, mime;
	bool eight;   /* says 8bit or binary */
	bool encoded; /* says something else than 7bit, 8bit, binary */
	bool broken;  /* lines that are no fields */
};

static bool type_is(struct sv type, const char *prefix) { return sv_istarts(type, sv_of(prefix)); }

static struct part read_head(const struct seven *s)
{
	struct sv head = buf_sv(&s->head);
	struct part p = { .type = SV("") };
	struct hdr_field f;
	size_t at = 0;
	while (hdr_next(head, &at, &f, &p.broken))
		;
	if (hdr_find(head, "Content-Type", &f))
		p.type = f.value;
	struct sv type = hdr_token(p.type);
	bool in_digest = s->depth > 0 && s->level[s->depth - 1].digest;
	p.multipart = type_is(type, "multipart/");
	p.message = type_is(type, "message/rfc822") || type_is(type, "message/global") || (type.n == 0 && in_digest && !s->whole);
	p.locked = type_is(type, "multipart/signed") || type_is(type, "multipart/encrypted");
	p.digest = type_is(type, "multipart/digest");
	p.mime = !s->whole || p.type.n > 0 || hdr_find(head, "MIME-Version", &f) || hdr_find(head, "Content-Transfer-Encoding", &f);
	if (hdr_find(head, "Content-Transfer-Encoding", &f)) {
		struct sv how = hdr_token(f.value);
		p.eight = sv_ieqs(how, "8bit") || sv_ieqs(how, "binary");
		p.encoded = !p.eight && !sv_ieqs(how, "7bit") && how.n > 0;
	}
	return p;
}

static bool push(struct seven *s, const struct part *p)
{
	struct buf boundary = BUF_INIT(BOUNDARY_MAX);
	bool ok = s->depth < DEPTH_MAX && hdr_param(p->type, "boundary", &boundary) && boundary.len > 0 &&
		  sv_copy(buf_sv(&boundary), s->level[s->depth].boundary, sizeof s->level->boundary);
	buf_free(&boundary);
	if (!ok)
		return false;
	s->level[s->depth++].digest = p->digest;
	if (p->locked && s->locked == 0)
		s->locked = s->depth;
	return true;
}

static void begin_leaf(struct seven *s, const struct part *p)
{
	s->place = IN_LEAF;
	s->is_encoded = p->encoded;
	if (!s->out) {
		buf_putc(&s->leaves, 0);
		if (!buf_ok(&s->leaves))
			cannot(s, "it has too many parts");
	}
	s->encode = s->out && s->leaf < s->leaves.len && s->leaves.data[s->leaf];
	s->leaf++;
}

/* `body`: an empty line follows. Without it the part is its head alone. */
static void end_head(struct seven *s, bool body)
{
	struct part p = read_head(s);
	bool free = s->locked == 0;
	if (!buf_ok(&s->head))
		cannot(s, "a part's header is too long");
	if (!sv_is_ascii(buf_sv(&s->head)))
		cannot(s, "a header has bytes above 127");
	if (p.broken)
		cannot(s, "a header is broken");
	p.message = p.message && !p.encoded; /* against RFC 2046 5.2.1, but seen: its lines are not a message's */
	bool container = (p.multipart && push(s, &p)) || p.message;
	if (!container)
		begin_leaf(s, &p);
	if (free && container && p.eight)
		put_head(s, "7bit", true);
	else if (!container && s->encode)
		put_head(s, "quoted-printable", p.mime);
	else
		put(s, buf_sv(&s->head));
	if (body)
		put(s, SV("\n"));
	buf_reset(&s->head);
	s->whole = container && p.message;
	if (container)
		s->place = p.multipart ? BETWEEN : IN_HEAD;
}

/* --- lines ------------------------------------------------------------------------------------------------------------------ */

/* RFC 2046 5.1.1: "--boundary", maybe "--" behind it, then blanks. *ret_level: whose. */
static bool is_delimiter(const struct seven *s, struct sv line, size_t *ret_level, bool *ret_close)
{
	if (!sv_starts(line, SV("--")))
		return false;
	for (size_t i = s->depth; i-- > 0;) {
		struct sv rest = sv_skip(line, 2), boundary = sv_of(s->level[i].boundary);
		if (!sv_starts(rest, boundary))
			continue;
		rest = sv_skip(rest, boundary.n);
		*ret_close = sv_starts(rest, SV("--"));
		if (sv_trim(sv_skip(rest, *ret_close ? 2 : 0)).n > 0)
			continue;
		*ret_level = i;
		return true;
	}
	return false;
}

static void take_delimiter(struct seven *s, struct sv line, size_t level, bool close)
{
	if (s->place == IN_HEAD)
		end_head(s, false);
	s->depth = close ? level : level + 1;
	if (s->depth < s->locked)
		s->locked = 0;
	s->place = close ? BETWEEN : IN_HEAD;
	put_line(s, line);
}

/* What stands between parts is for nobody to read (RFC 2046 5.1.1). */
static void put_between(struct seven *s, struct sv line)
{
	for (size_t i = 0; s->out && i < line.n; i++)
		buf_putc(s->out, line.p[i] & 0x80 ? '?' : line.p[i]);
	put(s, SV("\n"));
}

static void take_body(struct seven *s, struct sv line)
{
	bool eight = !sv_is_ascii(line);
	if (eight && s->locked > 0)
		cannot(s, "what a signature or an encryption covers has bytes above 127");
	if (s->place == BETWEEN) {
		put_between(s, line);
		return;
	}
	if (eight && s->is_encoded)
		cannot(s, "an encoded part has bytes above 127");
	if (eight && !s->out && s->leaves.len > 0)
		s->leaves.data[s->leaves.len - 1] = 1;
	if (s->encode)
		put_encoded(s, line);
	else
		put_line(s, line);
}

static void take_line(struct seven *s, struct sv line)
{
	size_t level;
	bool close;
	if (sv_ends(line, SV("\r")))
		line.n--;
	if (is_delimiter(s, line, &level, &close))
		take_delimiter(s, line, level, close);
	else if (s->place != IN_HEAD)
		take_body(s, line);
	else if (line.n == 0)
		end_head(s, true);
	else {
		buf_putsv(&s->head, line);
		buf_putc(&s->head, '\n');
	}
}

static void take(struct seven *s, struct sv piece)
{
	for (;;) {
		ptrdiff_t end = sv_chr(piece, '\n');
		buf_putsv(&s->line, end < 0 ? piece : sv_sub(piece, 0, (size_t)end));
		if (!buf_ok(&s->line))
			cannot(s, "a line is too long");
		if (end < 0)
			return;
		take_line(s, buf_sv(&s->line));
		buf_reset(&s->line);
		piece = sv_skip(piece, (size_t)end + 1);
	}
}

static void take_end(struct seven *s)
{
	if (s->line.len > 0)
		take_line(s, buf_sv(&s->line));
	if (s->place == IN_HEAD)
		end_head(s, false);
}

void seven_scan(struct seven *s, struct sv piece) { take(s, piece); }

bool seven_scanned(struct seven *s, struct err *e)
{
	take_end(s);
	if (s->why)
		return err_dsn(e, ERR_PERM, "5.6.3", "the host takes mail of 7 bits only, and the message cannot be converted: %s",
			s->why);
	begin(s);
	return true;
}

void seven_write(struct seven *s, struct sv piece, struct buf *out)
{
	s->out = out;
	take(s, piece);
}

void seven_written(struct seven *s, struct buf *out)
{
	s->out = out;
	take_end(s);
	begin(s);
}
