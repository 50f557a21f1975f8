/* The X-Postern line: what an envelope needs for its own delivery (DESIGN D4). */
#include "spool/spool.h"

#include "base/num.h"
#include "mail/verp.h"
#include "mail/xtext.h"

static void put_key(struct buf *out, size_t start, const char *key) { buf_putf(out, "%s%s=", out->len > start ? " " : "", key); }

static void put_word(struct buf *out, size_t start, const char *key, const char *word)
{
	put_key(out, start, key);
	buf_puts(out, word);
}

static void put_text(struct buf *out, size_t start, const char *key, const char *text)
{
	if (*text == '\0')
		return;
	put_key(out, start, key);
	xtext_encode(sv_of(text), out);
}

static void put_number(struct buf *out, size_t start, const char *key, long long n)
{
	if (n == 0)
		return;
	put_key(out, start, key);
	buf_putf(out, "%lld", n);
}

void spool_options_put(const struct spool_options *o, struct buf *out)
{
	size_t start = out->len;
	if (o->body != SPOOL_BODY_7BIT)
		put_word(out, start, "body", o->body == SPOOL_BODY_8BITMIME ? "8BITMIME" : "BINARYMIME");
	if (o->smtputf8)
		put_word(out, start, "smtputf8", "yes");
	if (o->requiretls)
		put_word(out, start, "requiretls", "yes");
	if (o->ret != SPOOL_RET_NONE)
		put_word(out, start, "ret", o->ret == SPOOL_RET_FULL ? "FULL" : "HDRS");
	put_text(out, start, "envid", o->envid);
	put_text(out, start, "auth", o->auth);
	put_number(out, start, "hold", (long long)o->hold_until);
	put_number(out, start, "prio", o->priority);
	put_number(out, start, "by", (long long)o->deliver_by);
	if (o->deliver_by != 0)
		put_word(out, start, "bymode", o->by_mode == 'R' ? "R" : "N");
	if (o->by_trace)
		put_word(out, start, "byt", "yes");
	put_text(out, start, "verp", o->verp);
	if (o->held)
		put_word(out, start, "held", "yes");
}

static bool take_text(struct sv value, char *dst, size_t size)
{
	struct buf text = BUF_INIT(size);
	bool ok = xtext_decode(value, &text) && sv_copy(buf_sv(&text), dst, size);
	buf_free(&text);
	return ok;
}

static bool take_priority(struct sv value, int *ret)
{
	uint64_t n;
	bool minus = sv_starts(value, SV("-"));
	if (!num_u64(sv_skip(value, minus), 0, 9, &n))
		return false;
	*ret = minus ? -(int)n : (int)n;
	return true;
}

static bool take_body(struct sv value, struct spool_options *o)
{
	o->body = sv_eqs(value, "BINARYMIME") ? SPOOL_BODY_BINARYMIME : SPOOL_BODY_8BITMIME;
	return o->body == SPOOL_BODY_BINARYMIME || sv_eqs(value, "8BITMIME");
}

static bool take_ret(struct sv value, struct spool_options *o)
{
	o->ret = sv_eqs(value, "FULL") ? SPOOL_RET_FULL : SPOOL_RET_HDRS;
	return o->ret == SPOOL_RET_FULL || sv_eqs(value, "HDRS");
}

static bool take_mode(struct sv value, struct spool_options *o)
{
	o->by_mode = value.n == 1 ? value.p[0] : '\0';
	return o->by_mode == 'N' || o->by_mode == 'R';
}

static bool take_verp(struct sv value, struct spool_options *o)
{
	return take_text(value, o->verp, sizeof(o->verp)) && verp_delimiters_ok(sv_of(o->verp));
}

static bool take_yes(struct sv value, bool *ret)
{
	*ret = sv_eqs(value, "yes");
	return *ret;
}

static bool take(struct sv key, struct sv value, struct spool_options *o)
{
	if (sv_eqs(key, "body"))
		return take_body(value, o);
	if (sv_eqs(key, "smtputf8"))
		return take_yes(value, &o->smtputf8);
	if (sv_eqs(key, "requiretls"))
		return take_yes(value, &o->requiretls);
	if (sv_eqs(key, "ret"))
		return take_ret(value, o);
	if (sv_eqs(key, "envid"))
		return take_text(value, o->envid, sizeof(o->envid));
	if (sv_eqs(key, "auth"))
		return take_text(value, o->auth, sizeof(o->auth));
	if (sv_eqs(key, "hold"))
		return num_u64(value, 0, UINT32_MAX, &o->hold_until);
	if (sv_eqs(key, "prio"))
		return take_priority(value, &o->priority);
	if (sv_eqs(key, "by"))
		return num_u64(value, 0, UINT32_MAX, &o->deliver_by);
	if (sv_eqs(key, "bymode"))
		return take_mode(value, o);
	if (sv_eqs(key, "byt"))
		return take_yes(value, &o->by_trace);
	if (sv_eqs(key, "verp"))
		return take_verp(value, o);
	if (sv_eqs(key, "held"))
		return take_yes(value, &o->held);
	return true; /* of a later version */
}

bool spool_options_parse(struct sv text, struct spool_options *ret, struct err *e)
{
	struct sv word, key;
	*ret = (struct spool_options){ .body = SPOOL_BODY_7BIT };
	while (sv_word(&text, &word)) {
		struct sv value = word;
		if (!sv_cut(&value, '=', &key) || !take(key, value, ret))
			return err_set(e, ERR_PERM, "not a queue file: X-Postern");
	}
	return true;
}
