/* Parameters of RCPT: NOTIFY and ORCPT (RFC 3461 4.1 and 4.2, RFC 6533 3). */
#include "extensions.h"
#include "params.h"

#include "base/num.h"
#include "mail/xtext.h"

static uint8_t notify_bit(struct sv name)
{
	for (unsigned i = 0; i < COUNT(spool_notify_names); i++)
		if (sv_ieqs(name, spool_notify_names[i]))
			return (uint8_t)(1u << i);
	return 0;
}

static const char *take_notify(const struct session *s, struct sv value, void *into)
{
	static const char wrong[] = "is NEVER, or some of SUCCESS,FAILURE,DELAY";
	struct rcpt_params *p = into;
	struct sv name;
	(void)s;
	while (sv_cut(&value, ',', &name)) {
		uint8_t bit = notify_bit(name);
		if (bit == 0)
			return wrong;
		p->notify |= bit;
	}
	if (p->notify == 0 || ((p->notify & SPOOL_NOTIFY_NEVER) && p->notify != SPOOL_NOTIFY_NEVER))
		return wrong;
	return NULL;
}

/* RFC 6533 3: \x{10FFFF}, in the shortest form, for a character that xtext or ASCII cannot hold. Returns its length, 0: it is
 * none. */
static size_t embedded_len(struct sv s)
{
	uint64_t c;
	ptrdiff_t end = sv_chr(s, '}');
	if (!sv_starts(s, SV("\\x{")) || end < 5 || end > 9)
		return 0;
	struct sv hex = sv_sub(s, 3, (size_t)end - 3);
	bool padded = hex.n > 2 && hex.p[0] == '0';
	for (size_t i = 0; i < hex.n; i++)
		if (hex.p[i] >= 'a')
			return 0;
	if (padded || !num_hex(hex, 0x10ffff, &c) || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* of ASCII only what has to be written so */
	return c >= 0x80 || c <= ' ' || c == '+' || c == '=' || c == '\\' || c == 0x7f ? (size_t)end + 1 : 0;
}

static bool is_utf8_address(struct sv s, bool smtputf8)
{
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = c == '\\' ? embedded_len(s) : c >= 0x80 ? (smtputf8 ? sv_print_len(s) : 0) : 1;
		if (n == 0 || c <= ' ' || c == '+' || c == '=' || c == 0x7f)
			return false;
		s = sv_skip(s, n);
	}
	return true;
}

static bool is_xtext(struct sv s)
{
	struct buf text = BUF_INIT(SPOOL_ORCPT_MAX);
	bool ok = xtext_decode(s, &text) && sv_is_ascii(buf_sv(&text));
	buf_free(&text);
	return ok;
}

/* RFC 3461 4.2: addr-type is an atom (RFC 5322 3.2.3). */
static bool is_type(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alnum(s.p[i]) && !strchr("!#$%&'*+-/=?^_`{|}~", s.p[i]))
			return false;
	return s.n > 0;
}

/* Kept as it was given: reports and the next server get it back unchanged. */
static const char *take_orcpt(const struct session *s, struct sv value, void *into)
{
	static const char wrong[] = "is rfc822;address (or utf-8;address), as xtext of at most 500 bytes";
	struct rcpt_params *p = into;
	struct sv rest = value, type;
	if (value.n > SPOOL_ORCPT_MAX || !sv_cut(&rest, ';', &type) || !is_type(type) || rest.n == 0)
		return wrong;
	bool ok = sv_ieqs(type, "utf-8") ? is_utf8_address(rest, s->txn.options.smtputf8) : is_xtext(rest);
	return ok && sv_copy(value, p->orcpt, sizeof p->orcpt) ? NULL : wrong;
}

/* clang-format off */
static const struct param table[] = {
	{ "NOTIFY", "=NEVER|SUCCESS,FAILURE,DELAY", EXT_DSN, take_notify },
	{ "ORCPT",  "=rfc822;xtext",                EXT_DSN, take_orcpt },
};
/* clang-format on */

bool rcpt_params(struct session *s, struct sv rest, struct rcpt_params *ret, struct buf *reply)
{
	return params_take(s, "RCPT", table, COUNT(table), rest, ret, reply);
}

void rcpt_params_help(const struct session *s, struct buf *out) { params_help(s, table, COUNT(table), out); }
