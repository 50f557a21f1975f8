/* A rule's condition: words, or one table. */
#include "config/raw.h"

#define WORD_MAX 400
#define FINGERPRINT_HEX 64 /* SHA-256 */

/* As in maps/, which is above this layer: it opens them, and `postern check` says what is wrong with one. */
static const char *const table_types[] = { "cidr", "regexp", "pcre", "text", "bdb", "inline" };

static bool is_table(struct sv text)
{
	for (size_t i = 0; i < COUNT(table_types); i++) {
		struct sv type = sv_of(table_types[i]);
		if (sv_starts(text, type) && text.n > type.n && text.p[type.n] == ':')
			return true;
	}
	return false;
}

/* --- words of each subject: each sets kind and text, or says what is wrong --- */
static bool is_name(struct sv s) { return s.n > 0 && s.p[0] != '[' && cfg_domain_ok(s); }

static bool name_word(struct sv s, struct cfg_word *w)
{
	bool below = sv_starts(s, SV("."));
	w->kind = below ? CFG_WORD_BELOW : CFG_WORD_EXACT;
	return is_name(sv_skip(s, below));
}

static bool client_word(struct sv s, struct cfg_word *w, struct err *e)
{
	w->kind = sv_eqs(s, "local") ? CFG_WORD_LOCAL : CFG_WORD_NET;
	return w->kind == CFG_WORD_LOCAL || addr_net_parse(s, &w->net, e);
}

static bool ptr_word(struct sv s, struct cfg_word *w, struct err *e)
{
	if (sv_eqs(s, "unknown"))
		w->kind = CFG_WORD_NONE;
	else if (sv_eqs(s, "tempfail"))
		w->kind = CFG_WORD_TEMPFAIL;
	else if (!name_word(s, w))
		return err_set(e, ERR_PERM, "%.*s: write a host name, .example.org, unknown, or tempfail", (int)s.n, s.p);
	return true;
}

static bool helo_word(struct sv s, struct cfg_word *w, struct err *e)
{
	bool literal = sv_starts(s, SV("[")) && cfg_domain_ok(s);
	w->kind = CFG_WORD_EXACT;
	return literal || name_word(s, w) ||
	       err_set(e, ERR_PERM, "%.*s: write a host name, .example.org, or [192.0.2.1]", (int)s.n, s.p);
}

static bool address_word(struct sv s, struct cfg_word *w, struct err *e)
{
	ptrdiff_t at = sv_rchr(s, '@');
	struct sv domain = at < 0 ? s : sv_skip(s, (size_t)at + 1);
	bool ok = true;
	if (sv_eqs(s, "<>")) {
		w->kind = CFG_WORD_NULL;
	} else if (at > 0) {
		w->kind = domain.n == 0 ? CFG_WORD_USER : CFG_WORD_ADDRESS;
		ok = domain.n == 0 || cfg_domain_ok(domain);
	} else {
		ok = name_word(domain, w) && !(at == 0 && w->kind == CFG_WORD_BELOW);
		w->kind = w->kind == CFG_WORD_EXACT ? CFG_WORD_DOMAIN : w->kind;
		w->text += at == 0;
	}
	return ok || err_set(e, ERR_PERM, "%.*s: write user@example.org, example.org, .example.org, user@ or <>", (int)s.n, s.p);
}

static bool account_word(struct sv s, struct cfg_word *w, struct err *e UNUSED)
{
	w->kind = sv_eqs(s, "any") ? CFG_WORD_ANY : sv_eqs(s, "none") ? CFG_WORD_NONE : CFG_WORD_EXACT;
	return true;
}

/* fingerprint:AB:CD... as openssl prints it, or without colons. */
static bool fingerprint(struct sv hex, struct cfg_word *w)
{
	char *out = (char *)(uintptr_t)w->text;
	size_t n = 0;
	for (size_t i = 0; i < hex.n; i++) {
		char c = hex.p[i];
		if (c == ':' && n % 2 == 0 && n > 0)
			continue;
		if (n == FINGERPRINT_HEX || !strchr("0123456789abcdef", c))
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	w->kind = CFG_WORD_FINGERPRINT;
	return n == FINGERPRINT_HEX;
}

static bool tls_word(struct sv s, struct cfg_word *w, struct err *e)
{
	static const struct sv mark = { "fingerprint:", 12 };
	if (sv_starts(s, mark))
		return fingerprint(sv_skip(s, mark.n), w) ||
		       err_set(e, ERR_PERM, "a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits");
	w->kind = sv_eqs(s, "yes") ? CFG_WORD_YES : sv_eqs(s, "no") ? CFG_WORD_NO : CFG_WORD_VERIFIED;
	return w->kind != CFG_WORD_VERIFIED || sv_eqs(s, "verified") ||
	       err_set(e, ERR_PERM, "%.*s: write yes, no, verified or fingerprint:HEX", (int)s.n, s.p);
}

static bool listener_word(struct sv s UNUSED, struct cfg_word *w, struct err *e UNUSED)
{
	w->kind = CFG_WORD_EXACT;
	return true;
}

static bool (*const subjects[])(struct sv s, struct cfg_word *w, struct err *e) = {
	[CFG_ON_CLIENT] = client_word,
	[CFG_ON_PTR] = ptr_word,
	[CFG_ON_HELO] = helo_word,
	[CFG_ON_ADDRESS] = address_word,
	[CFG_ON_ACCOUNT] = account_word,
	[CFG_ON_TLS] = tls_word,
	[CFG_ON_LISTENER] = listener_word,
};

/* --- the whole --- */
static bool parse_word(const struct cfg_param *p, struct sv text, struct arena *a, struct cfg_word *w, struct err *e)
{
	w->not = sv_starts(text, SV("!"));
	text = sv_skip(text, w->not );
	if (text.n == 0 || text.n > WORD_MAX)
		return err_set(e, ERR_PERM, text.n ? "holds a word that is too long" : "holds a ! alone: write it before a word");
	if (is_table(text))
		return err_set(e, ERR_PERM, "a table stands alone: put the other words into a rule of their own");
	char *folded = cfg_arena_text(a, text);
	for (char *c = folded; *c; c++)
		*c = ascii_lower(*c);
	w->text = folded;
	return subjects[p->min](sv_of(folded), w, e);
}

static bool parse_table(const struct cfg_param *p, struct sv text, struct arena *a, struct cfg_match *m, struct err *e)
{
	struct sv spec = sv_trim(sv_skip(text, m->not_in_table));
	ptrdiff_t colon = sv_chr(spec, ':');
	if ((enum cfg_subject)p->min == CFG_ON_LISTENER)
		return err_set(e, ERR_PERM, "names of sections, not a table");
	if (spec.n > CFG_TABLE_MAX || (size_t)colon + 1 == spec.n)
		return err_set(e, ERR_PERM, "is not a table: write type:name, for example cidr:/etc/postern/friends");
	if (!sv_starts(spec, SV("inline:")) && (spec.p[colon + 1] != '/' || sv_chr(spec, ',') >= 0 || sv_chr(spec, ' ') >= 0))
		return err_set(e, ERR_PERM, "a table is one absolute path, without blanks and commas, and stands alone");
	m->table = cfg_arena_text(a, spec);
	return true;
}

bool cfg_match_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	struct cfg_match m = { .not_in_table = sv_starts(text, SV("!")) };
	struct sv item, rest = text;
	size_t n;
	m.text = cfg_arena_text(a, text);
	if (is_table(sv_trim(sv_skip(text, m.not_in_table)))) {
		if (!parse_table(p, text, a, &m, e))
			return false;
	} else {
		if (!cfg_count_items(p, text, &n, e))
			return false;
		m.word = cfg_arena_room(a, n * sizeof *m.word + 1);
		for (; cfg_next_item(&rest, &item); m.n++) {
			m.word[m.n] = (struct cfg_word){ 0 };
			if (!parse_word(p, item, a, &m.word[m.n], e))
				return false;
		}
	}
	*(struct cfg_match *)member = m;
	return true;
}

void cfg_match_print(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	buf_puts(out, ((const struct cfg_match *)member)->text);
}
