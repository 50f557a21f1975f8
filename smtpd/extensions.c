#include "extensions.h"

#include "auth.h"

#include "mail/date.h"

static bool always(const struct session *s)
{
	(void)s;
	return true;
}

/* RFC 8689 4.1: offered under TLS alone. A report about such a message stays protected as that was (section 5), and so does what is
 * forwarded: they came by no wire. */
static bool under_tls(const struct session *s) { return s->tls_active || session_is_daemon(s); }

/* RFC 4865 4: a service of submission. */
static bool can_hold(const struct session *s) { return session_may_relay(s) && s->cfg->smtpd.future_release_max > 0; }

static bool is_forward(const struct session *s) { return s->client.kind == CLIENT_FORWARD; }

static bool may_xclient(const struct session *s) { return s->client.may_xclient; }

static void xclient_args(const struct session *s, struct buf *out)
{
	(void)s;
	buf_puts(out, " NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
}

/* RFC 3207 4.2: not once TLS is in use. */
static bool can_start_tls(const struct session *s) { return s->client.tls_ready && !s->tls_active; }

static void size_args(const struct session *s, struct buf *out)
{
	buf_putf(out, " %llu", (unsigned long long)s->cfg->global.message_max_size);
}

/* The longest time in seconds, and the last moment. */
static void hold_args(const struct session *s, struct buf *out)
{
	char date[DATE_TEXT_MAX];
	uint64_t max = s->cfg->smtpd.future_release_max;
	date_iso((s->ops->now(s->env) + max) * 1000, date);
	buf_putf(out, " %llu %.19sZ", (unsigned long long)max, date);
}

/* RFC 9422 4: what is said here is true. Messages in one session, and domains in one message, have no limit. */
static void limits_args(const struct session *s, struct buf *out)
{
	buf_putf(out, " RCPTMAX=%llu", (unsigned long long)s->cfg->smtpd.recipients_max);
}

/* clang-format off */
static const struct {
	const char *keyword;
	bool (*works)(const struct session *s);
	void (*args)(const struct session *s, struct buf *out); /* NULL: it has none */
} extensions[EXT_COUNT] = {
	[EXT_PIPELINING]          = { "PIPELINING",          always,    NULL },
	[EXT_SIZE]                = { "SIZE",                always,    size_args },
	[EXT_8BITMIME]            = { "8BITMIME",            always,    NULL },
	[EXT_CHUNKING]            = { "CHUNKING",            always,    NULL },
	[EXT_BINARYMIME]          = { "BINARYMIME",          always,    NULL },
	[EXT_ENHANCEDSTATUSCODES] = { "ENHANCEDSTATUSCODES", always,    NULL },
	[EXT_SMTPUTF8]            = { "SMTPUTF8",            always,    NULL },
	[EXT_STARTTLS]            = { "STARTTLS",            can_start_tls, NULL },
	[EXT_AUTH]                = { "AUTH",                auth_works, auth_mechanisms },
	[EXT_DSN]                 = { "DSN",                 always,    NULL },
	[EXT_REQUIRETLS]          = { "REQUIRETLS",          under_tls, NULL },
	[EXT_FUTURERELEASE]       = { "FUTURERELEASE",       can_hold,  hold_args },
	[EXT_MT_PRIORITY]         = { "MT-PRIORITY",         always,    NULL },
	[EXT_DELIVERBY]           = { "DELIVERBY",           always,    NULL },
	[EXT_LIMITS]              = { "LIMITS",              always,    limits_args },
	[EXT_XVERP]               = { "XVERP",               session_may_relay, NULL },
	[EXT_XCLIENT]             = { "XCLIENT",             may_xclient, xclient_args },
	[EXT_XFORWARDED]          = { "XFORWARDED",          is_forward, NULL },
	[EXT_HELP]                = { "HELP",                always,    NULL },
};
/* clang-format on */

bool extension_works(const struct session *s, enum extension x) { return extensions[x].works(s); }

void extensions_put(const struct session *s, struct buf *out)
{
	for (size_t i = 0; i < EXT_COUNT; i++) {
		if (!extensions[i].works(s))
			continue;
		buf_putf(out, "\n%s", extensions[i].keyword);
		if (extensions[i].args)
			extensions[i].args(s, out);
	}
}
