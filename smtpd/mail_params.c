/* Parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), REQUIRETLS (RFC 8689),
 * HOLDFOR and HOLDUNTIL (RFC 4865), MT-PRIORITY (RFC 6710), BY (RFC 2852), AUTH (RFC 4954), XVERP,
 * and between our own daemons XFORWARDED. */
#include "extensions.h"
#include "params.h"

#include "base/num.h"
#include "mail/date.h"
#include "mail/verp.h"
#include "mail/xtext.h"

static const char *take_size(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	(void)s;
	if (value.n == 0 || value.n > 20) /* RFC 1870 3: 1*20DIGIT */
		return "is followed by = and a number of bytes";
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_digit(value.p[i]))
			return "is followed by = and a number of bytes";
	if (!num_u64(value, 0, UINT64_MAX, &p->size))
		p->size = UINT64_MAX; /* 20 digits may be more than 64 bits: too large in any case */
	return NULL;
}

static const char *take_body(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	(void)s;
	bool eight = sv_ieqs(value, "8BITMIME"), binary = sv_ieqs(value, "BINARYMIME");
	p->options.body = eight ? SPOOL_BODY_8BITMIME : binary ? SPOOL_BODY_BINARYMIME : SPOOL_BODY_7BIT;
	return eight || binary || sv_ieqs(value, "7BIT") ? NULL : "is 7BIT, 8BITMIME or BINARYMIME";
}

static const char *take_smtputf8(const struct session *s, struct sv value, void *into)
{
	(void)s;
	((struct mail_params *)into)->options.smtputf8 = true;
	return value.p ? "takes no value" : NULL;
}

static const char *take_requiretls(const struct session *s, struct sv value, void *into)
{
	(void)s;
	((struct mail_params *)into)->options.requiretls = true;
	return value.p ? "takes no value" : NULL;
}

/* RFC 3461 4.3 */
static const char *take_ret(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	(void)s;
	bool full = sv_ieqs(value, "FULL");
	p->options.ret = full ? SPOOL_RET_FULL : SPOOL_RET_HDRS;
	return full || sv_ieqs(value, "HDRS") ? NULL : "is FULL or HDRS";
}

/* RFC 3461 4.4: xtext of at most 100 bytes, of printable characters when decoded. It is kept decoded. */
static const char *take_envid(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	struct buf text = BUF_INIT(sizeof p->options.envid);
	(void)s;
	bool ok = value.n > 0 && value.n < sizeof p->options.envid && xtext_decode(value, &text) && sv_is_ascii(buf_sv(&text)) &&
		  sv_copy(buf_sv(&text), p->options.envid, sizeof p->options.envid);
	buf_free(&text);
	return ok ? NULL : "is xtext (RFC 3461) of at most 100 bytes";
}

/* RFC 4865 4: one of HOLDFOR and HOLDUNTIL, once. A moment that has passed means at once. */
static const char *hold(const struct session *s, struct mail_params *p, uint64_t until)
{
	uint64_t now = s->ops->now(s->env);
	if (p->options.hold_until != 0)
		return "is the second such time";
	if (until > now + s->cfg->smtpd.future_release_max)
		return "is later than this server holds messages; see its answer to EHLO";
	p->options.hold_until = until;
	return NULL;
}

static const char *take_holdfor(const struct session *s, struct sv value, void *into)
{
	uint64_t secs;
	if (value.n > 9 || sv_starts(value, SV("0")) || !num_u64(value, 1, UINT32_MAX, &secs))
		return "is followed by = and a number of seconds";
	return hold(s, into, s->ops->now(s->env) + secs);
}

static const char *take_holduntil(const struct session *s, struct sv value, void *into)
{
	uint64_t until;
	if (!date_iso_parse(value, &until))
		return "is followed by = and a time like 2030-12-31T23:59:59Z";
	return hold(s, into, until);
}

/* RFC 6710 5: anyone may ask for less haste. More is for those we know; from others it is 0, and they are told (X.3.6). */
static const char *take_priority(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	int64_t n;
	bool form = value.n == 1 || (value.n == 2 && value.p[0] == '-' && value.p[1] != '0');
	if (!form || !num_i64(value, -9, 9, &n))
		return "is a number from -9 to 9";
	p->priority_lowered = n > 0 && !session_may_relay(s);
	p->options.priority = p->priority_lowered ? 0 : (int)n;
	return NULL;
}

/* RFC 2852 4: BY=seconds;R (or return it) or N (or tell me), then T for a trace. */
static const char *take_by(const struct session *s, struct sv value, void *into)
{
	static const char wrong[] = "is seconds;R or seconds;N, then T for a trace";
	struct spool_options *o = &((struct mail_params *)into)->options;
	struct sv secs;
	int64_t n;
	bool plus = sv_starts(value, SV("+"));
	if (!sv_cut(&value, ';', &secs) || !num_i64(sv_skip(secs, plus), plus ? 0 : -999999999, 999999999, &n))
		return wrong;
	o->by_trace = value.n == 2 && ascii_lower(value.p[1]) == 't';
	o->by_mode = sv_istarts(value, SV("R")) ? 'R' : 'N';
	if (value.n != 1u + o->by_trace || (o->by_mode == 'N' && !sv_istarts(value, SV("N"))))
		return wrong;
	if (o->by_mode == 'R' && n <= 0)
		return "with R needs a time that is still to come";
	o->deliver_by = (uint64_t)((int64_t)s->ops->now(s->env) + n);
	return NULL;
}

/* As Postfix has it: two delimiters, "+=" when none are given. */
static const char *take_xverp(const struct session *s, struct sv value, void *into)
{
	struct spool_options *o = &((struct mail_params *)into)->options;
	(void)s;
	if (value.p == NULL)
		value = SV(VERP_DELIMITERS);
	return verp_delimiters_ok(value) && sv_copy(value, o->verp, sizeof o->verp) ? NULL : "takes two of the characters - + =";
}

/* RFC 4954 5: who sent it, as another server says. It is taken and not believed: nobody is trusted to tell. */
static const char *take_auth(const struct session *s, struct sv value, void *into)
{
	struct buf text = BUF_INIT(SPOOL_ORCPT_MAX);
	(void)s, (void)into;
	bool ok = value.n > 0 && value.n <= SPOOL_ORCPT_MAX && xtext_decode(value, &text); /* <> is xtext, too */
	buf_free(&text);
	return ok ? NULL : "is xtext (RFC 3461) of an address, or <>";
}

/* `stranger;` or `known;` and, in xtext, the address whose owner has it sent on. Offered to local-delivery alone. */
static const char *take_xforwarded(const struct session *s, struct sv value, void *into)
{
	struct mail_params *p = into;
	struct buf address = BUF_INIT(MADDR_TEXT_MAX);
	struct sv trust;
	(void)s;
	bool ok = sv_cut(&value, ';', &trust) && (sv_eqs(trust, "stranger") || sv_eqs(trust, "known")) &&
		  xtext_decode(value, &address) && maddr_parse(buf_sv(&address), MADDR_UTF8_OK, &p->forwarder, NULL);
	p->strange = sv_eqs(trust, "stranger");
	buf_free(&address);
	return ok ? NULL : "is stranger;address or known;address, in xtext";
}

/* clang-format off */
static const struct param table[] = {
	{ "SIZE",       "=bytes",         EXT_SIZE,       take_size },
	{ "BODY",       "=7BIT|8BITMIME|BINARYMIME", EXT_8BITMIME,   take_body },
	{ "SMTPUTF8",   "",               EXT_SMTPUTF8,   take_smtputf8 },
	{ "RET",        "=FULL|HDRS",     EXT_DSN,        take_ret },
	{ "ENVID",      "=xtext",         EXT_DSN,        take_envid },
	{ "REQUIRETLS", "",               EXT_REQUIRETLS, take_requiretls },
	{ "HOLDFOR",    "=seconds",       EXT_FUTURERELEASE, take_holdfor },
	{ "HOLDUNTIL",  "=YYYY-MM-DDThh:mm:ssZ", EXT_FUTURERELEASE, take_holduntil },
	{ "MT-PRIORITY", "=-9..9",        EXT_MT_PRIORITY, take_priority },
	{ "AUTH",       "=address",       EXT_AUTH,       take_auth },
	{ "XVERP",      "=delimiters",    EXT_XVERP,      take_xverp },
	{ "BY",         "=seconds;R|N[T]", EXT_DELIVERBY, take_by },
	{ "XFORWARDED", "=stranger|known;address", EXT_XFORWARDED, take_xforwarded },
};
/* clang-format on */

bool mail_params(struct session *s, struct sv rest, struct mail_params *ret, struct buf *reply)
{
	return params_take(s, "MAIL", table, COUNT(table), rest, ret, reply);
}

void mail_params_help(const struct session *s, struct buf *out) { params_help(s, table, COUNT(table), out); }
