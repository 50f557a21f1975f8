/* Parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), REQUIRETLS (RFC 8689).
 */
#include "extensions.h"
#include "params.h"

#include "base/num.h"
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

/* clang-format off */
static const struct param table[] = {
	{ "SIZE",       "=bytes",         EXT_SIZE,       take_size },
	{ "BODY",       "=7BIT|8BITMIME|BINARYMIME", EXT_8BITMIME,   take_body },
	{ "SMTPUTF8",   "",               EXT_SMTPUTF8,   take_smtputf8 },
	{ "RET",        "=FULL|HDRS",     EXT_DSN,        take_ret },
	{ "ENVID",      "=xtext",         EXT_DSN,        take_envid },
	{ "REQUIRETLS", "",               EXT_REQUIRETLS, take_requiretls },
};
/* clang-format on */

bool mail_params(struct session *s, struct sv rest, struct mail_params *ret, struct buf *reply)
{
	return params_take(s, "MAIL", table, COUNT(table), rest, ret, reply);
}

void mail_params_help(const struct session *s, struct buf *out) { params_help(s, table, COUNT(table), out); }
