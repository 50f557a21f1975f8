/* Addresses: parsing, text, comparison. The grammar is RFC 5321 4.1.2 with RFC 6531 3.3; a Mailbox is read in place, and what
 * is not strictly that is refused: whatever we accepted here ends up in headers, queue files and other hosts' sessions. */
#include "mail/maddr.h"

#define ROUTE_HOPS_MAX 100 /* a source route is only skipped, but not without end */

/* What the errors are about: a sender (RFC 3463 X.1.7) or a recipient (X.1.3). */
static const char *syntax_dsn(unsigned flags) { return flags & MADDR_NULL_OK ? "5.1.7" : "5.1.3"; }

static bool bad(struct err *e, unsigned flags, const char *what)
{
	return err_dsn(e, ERR_PERM, syntax_dsn(flags), "bad address syntax: %s", what);
}

static bool is_atext(char c) { return ascii_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)); } /* RFC 5322 3.2.3 */

/* Bytes of the character at the front that may stand in a local part beside the ASCII ones of the grammar; 0: none, or refused. */
static size_t utf8_char(struct sv in) { return (unsigned char)in.p[0] < 0x80 ? 0 : sv_print_len(in); }

static bool put(struct maddr *a, struct sv bytes)
{
	if (bytes.n >= sizeof(a->local) - a->local_len)
		return false;
	memcpy(a->local + a->local_len, bytes.p, bytes.n);
	a->local_len += bytes.n;
	a->local[a->local_len] = '\0';
	return true;
}

static bool too_long(struct err *e, unsigned flags) { return bad(e, flags, "the part before @ is too long"); }

/* One character, ASCII if `ascii_ok` says so for it, into the local part. */
static bool take_char(struct sv *in, bool ascii_ok, unsigned flags, struct maddr *a, struct err *e)
{
	size_t n = ascii_ok ? 1 : utf8_char(*in);

	if (n == 0)
		return bad(e, flags, "a character that is not allowed before @");
	a->utf8 |= !ascii_ok;
	if (!put(a, sv_sub(*in, 0, n)))
		return too_long(e, flags);
	*in = sv_skip(*in, n);
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; only its content is kept. */
static bool parse_quoted(struct sv *in, unsigned flags, struct maddr *a, struct err *e)
{
	*in = sv_skip(*in, 1);
	while (in->n && in->p[0] != '"') {
		bool pair = in->p[0] == '\\';
		if (pair)
			*in = sv_skip(*in, 1);
		if (in->n == 0)
			break;
		bool ascii = in->p[0] >= ' ' && in->p[0] <= '~'; /* qtextSMTP and quoted-pairSMTP: no control bytes */
		if (pair && !ascii)
			return bad(e, flags, "a backslash before something else than printable ASCII");
		if (!take_char(in, ascii, flags, a, e))
			return false;
	}
	if (in->n == 0)
		return bad(e, flags, "a quote is not closed");
	*in = sv_skip(*in, 1);
	return true;
}

static bool ends_local(struct sv in) { return in.n == 0 || in.p[0] == '@' || in.p[0] == '>' || in.p[0] == ' '; }

/* Dot-string = Atom *("." Atom) */
static bool parse_dot_string(struct sv *in, unsigned flags, struct maddr *a, struct err *e)
{
	bool dot = true; /* as if one came before: none may stand first, last or beside another */

	while (!ends_local(*in)) {
		bool is_dot = in->p[0] == '.';
		if (is_dot && dot)
			return bad(e, flags, "a dot at the beginning, or two in a row");
		if (!take_char(in, is_dot || is_atext(in->p[0]), flags, a, e))
			return false;
		dot = is_dot;
	}
	if (a->local_len == 0)
		return bad(e, flags, "nothing before @");
	return !dot || bad(e, flags, "a dot right before @");
}

static struct sv domain_span(struct sv in)
{
	size_t n = 0;
	bool literal = in.n && in.p[0] == '[';

	while (n < in.n && in.p[n] != ' ' && in.p[n] != '>' && (literal || (in.p[n] != ',' && in.p[n] != ':'))) {
		n++;
		if (literal && in.p[n - 1] == ']')
			break;
	}
	return sv_sub(in, 0, n);
}

/* Checks the domain at the front of *in, and stores it when `a` is not NULL (in a source route nobody needs it). */
static bool parse_domain(struct sv *in, unsigned flags, struct maddr *a, struct err *e)
{
	struct sv d = domain_span(*in);

	*in = sv_skip(*in, d.n);
	if (d.n > 1 && d.p[d.n - 1] == '.')
		d.n--; /* "example.org.": the absolute form of DNS, seen in the wild */
	bool literal = d.n && d.p[0] == '[';
	if (d.n == 0)
		return bad(e, flags, "nothing after @");
	if (!sv_is_ascii(d) && !(flags & MADDR_UTF8_OK))
		return err_dsn(e, ERR_PERM, "5.6.7", "the address needs SMTPUTF8"); /* RFC 6531 3.5 */
	if (d.n > MADDR_DOMAIN_MAX)
		return bad(e, flags, "the domain is too long");
	if (literal ? !maddr_literal_ok(d) : !maddr_domain_ok(d, true))
		return bad(e, flags, literal ? "no IP address between the brackets" : "what follows @ is no domain name");
	if (!a)
		return true;
	for (size_t i = 0; i < d.n; i++)
		a->domain[i] = ascii_lower(d.p[i]);
	a->domain[d.n] = '\0';
	a->literal = literal;
	a->utf8 |= !sv_is_ascii(d);
	return true;
}

static bool is_dot_string(struct sv s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? dot : !is_atext(s.p[i]) && (unsigned char)s.p[i] < 0x80)
			return false;
		dot = s.p[i] == '.';
	}
	return !dot;
}

static size_t local_text_len(struct sv local)
{
	size_t n = local.n + 2;

	if (is_dot_string(local))
		return local.n;
	for (size_t i = 0; i < local.n; i++)
		n += local.p[i] == '"' || local.p[i] == '\\';
	return n;
}

/* Local-part [ "@" Domain ] off the front of *in. */
static bool parse_mailbox(struct sv *in, unsigned flags, struct maddr *ret, struct err *e)
{
	struct maddr a = { .local_len = 0 };
	bool quoted = in->n && in->p[0] == '"';

	if (!(quoted ? parse_quoted(in, flags, &a, e) : parse_dot_string(in, flags, &a, e)))
		return false;
	if (a.utf8 && !(flags & MADDR_UTF8_OK))
		return err_dsn(e, ERR_PERM, "5.6.7", "the address needs SMTPUTF8");
	if (in->n && in->p[0] == '@') {
		*in = sv_skip(*in, 1);
		if (!parse_domain(in, flags, &a, e))
			return false;
	} else if (!(flags & MADDR_NO_DOMAIN_OK)) {
		return bad(e, flags, "no @ and domain after the name");
	}
	size_t local_len = local_text_len(maddr_local(&a));
	if (local_len > MADDR_LOCAL_MAX)
		return too_long(e, flags);
	if (local_len + 1 + strlen(a.domain) > MADDR_TEXT_MAX)
		return bad(e, flags, "it is too long");
	*ret = a;
	return true;
}

/* A-d-l ":" -- "@a.example,@b.example:", to be accepted and ignored (RFC 5321 4.1.2, appendix C). */
static bool skip_route(struct sv *in, unsigned flags, struct err *e)
{
	for (size_t hops = 0; hops < ROUTE_HOPS_MAX; hops++) {
		*in = sv_skip(*in, 1);
		if (!parse_domain(in, flags, NULL, e))
			return false;
		bool more = sv_starts(*in, SV(",@"));
		if (!more && !sv_starts(*in, SV(":")))
			return bad(e, flags, "a source route does not end with ':'");
		*in = sv_skip(*in, 1);
		if (!more)
			return true;
	}
	return bad(e, flags, "the source route is too long");
}

bool maddr_parse_path(struct sv *in, unsigned flags, struct maddr *ret, struct err *e)
{
	struct sv s = *in;
	struct maddr a = { .null = true };

	if (!sv_starts(s, SV("<")))
		return bad(e, flags, "the address must stand in <>");
	s = sv_skip(s, 1);
	if (sv_starts(s, SV("@")) && !skip_route(&s, flags, e))
		return false;
	bool empty = sv_starts(s, SV(">")) && sv_eqs(sv_sub(*in, 0, 2), "<>");
	if (empty && !(flags & MADDR_NULL_OK))
		return bad(e, flags, "the address is empty");
	if (!empty && !parse_mailbox(&s, flags, &a, e))
		return false;
	if (!sv_starts(s, SV(">")))
		return bad(e, flags, "no '>' after the address");
	*in = sv_skip(s, 1);
	*ret = a;
	return true;
}

bool maddr_scan(struct sv *in, unsigned flags, struct maddr *ret, struct err *e)
{
	struct sv s = *in;
	struct maddr a = { .null = true };

	while (sv_starts(s, SV(" ")) || sv_starts(s, SV("\t")))
		s = sv_skip(s, 1);
	bool null = s.n == 0 || sv_starts(s, SV("<>"));
	if (null && !(flags & MADDR_NULL_OK))
		return bad(e, flags, "the address is empty");
	if (null)
		s = sv_skip(s, 2);
	else if (!parse_mailbox(&s, flags, &a, e))
		return false;
	if (s.n && s.p[0] != ' ' && s.p[0] != '\t')
		return bad(e, flags, "something follows the address");
	*in = s;
	*ret = a;
	return true;
}

bool maddr_parse(struct sv in, unsigned flags, struct maddr *ret, struct err *e)
{
	struct maddr a;

	if (in.n && (in.p[0] == ' ' || in.p[0] == '\t'))
		return bad(e, flags, "a blank in front of it");
	if (!maddr_scan(&in, flags, &a, e))
		return false;
	if (in.n)
		return bad(e, flags, "something follows the address");
	*ret = a;
	return true;
}

const char *maddr_text(const struct maddr *a, char dst[MADDR_TEXT_MAX + 1])
{
	struct sv local = maddr_local(a);
	bool plain = is_dot_string(local);
	size_t n = 0;

	BUG_IF(local_text_len(local) + 1 + strlen(a->domain) > MADDR_TEXT_MAX);
	if (!plain && !a->null)
		dst[n++] = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (!plain && (local.p[i] == '"' || local.p[i] == '\\'))
			dst[n++] = '\\';
		dst[n++] = local.p[i];
	}
	if (!plain && !a->null)
		dst[n++] = '"';
	if (a->domain[0])
		dst[n++] = '@';
	for (const char *d = a->domain; *d; d++)
		dst[n++] = *d;
	dst[n] = '\0';
	return dst;
}

struct sv maddr_local(const struct maddr *a) { return (struct sv){ a->local, a->local_len }; }

bool maddr_same(const struct maddr *a, const struct maddr *b)
{
	char a_ascii[MADDR_DOMAIN_MAX + 1], b_ascii[MADDR_DOMAIN_MAX + 1];

	if (a->null != b->null || !sv_ieq(maddr_local(a), maddr_local(b)))
		return false;
	if (strcmp(a->domain, b->domain) == 0)
		return true;
	return maddr_domain_ascii(sv_of(a->domain), a_ascii, NULL) && maddr_domain_ascii(sv_of(b->domain), b_ascii, NULL) &&
	       strcmp(a_ascii, b_ascii) == 0;
}

bool maddr_split_detail(struct sv local, const char *delimiter, struct sv *ret_user, struct sv *ret_detail)
{
	for (size_t i = 1; i < local.n; i++) {
		if (!local.p[i] || !strchr(delimiter, local.p[i]))
			continue;
		*ret_user = sv_sub(local, 0, i);
		*ret_detail = sv_skip(local, i + 1);
		return true;
	}
	return false;
}

bool maddr_join(struct sv local, struct sv domain, struct maddr *ret)
{
	struct maddr a = { .local_len = local.n };
	char text[MADDR_TEXT_MAX + 1];
	if (local.n > MADDR_LOCAL_MAX || !sv_copy(local, a.local, sizeof(a.local)) || !sv_copy(domain, a.domain, sizeof(a.domain)))
		return false;
	return maddr_parse(sv_of(maddr_text(&a, text)), MADDR_UTF8_OK, ret, NULL);
}
