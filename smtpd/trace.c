#include "trace.h"

#include "rules.h"

#include "mail/date.h"
#include "mail/hdr.h"

static void put_client(const struct session *s, struct buf *out)
{
	const char *tag = s->client.addr.family == AF_INET6 ? "IPv6:" : ""; /* RFC 5321 4.1.3 */
	if (s->client.kind == CLIENT_LMTP) {
		buf_putf(out, "from %s (local)\n\t", *s->helo ? s->helo : "unknown");
		return;
	}
	const char *name = s->ops->client_name(s->env);
	if (!name)
		name = "";
	buf_putf(out, "from %s (%s%s[%s%s])\n\t", *s->helo ? s->helo : "unknown", name, *name ? " " : "", tag, s->client_text);
}

const char *trace_protocol(const struct session *s, char dst[TRACE_PROTOCOL_MAX])
{
	bool utf8 = s->txn.options.smtputf8;
	const char *base = utf8 ? "UTF8SMTP" : "ESMTP";
	if (session_is_ours(s))
		base = "local";
	else if (session_is_lmtp(s))
		base = utf8 ? "UTF8LMTP" : "LMTP";
	else if (!s->esmtp)
		base = "SMTP";
	bool plain = session_is_ours(s) || !s->esmtp; /* nothing is registered for these */
	snprintf(dst, TRACE_PROTOCOL_MAX, "%s%s%s", base, s->tls_active && !plain ? "S" : "", *s->account && !plain ? "A" : "");
	return dst;
}

static void put_tls(const struct session *s, struct buf *out)
{
	if (s->tls_active)
		buf_putf(out, "\n\t(version=%s cipher=%s)", s->tls.version, s->tls.cipher);
}

void trace_received(const struct session *s, struct buf *out)
{
	const char *host = s->cfg->global.hostname;
	char proto[TRACE_PROTOCOL_MAX];
	if (s->client.kind == CLIENT_NET || s->client.kind == CLIENT_LMTP) {
		if (!*s->account || !s->cfg->auth.hide_client)
			put_client(s, out);
		buf_putf(out, "by %s (Postern) with %s", host, trace_protocol(s, proto));
		put_tls(s, out);
	} else if (s->client.kind == CLIENT_SUBMIT) {
		buf_putf(out, "by %s (Postern, from userid %llu%s%s)\n\twith local", host, (unsigned long long)s->client.uid,
			*s->client.user ? " " : "", s->client.user);
	} else {
		buf_putf(out, "by %s (Postern) with local", host);
	}
}

void trace_postern(const struct session *s, struct buf *out)
{
	struct spool_options o = s->txn.options;
	o.held = rules_hold(s); /* the note may be lost with queue-mgr */
	if (!s->txn.remote) {   /* a Maildir takes any of these; of a binary message its readers must know */
		if (o.body == SPOOL_BODY_8BITMIME)
			o.body = SPOOL_BODY_7BIT;
		o.smtputf8 = false;
		o.auth[0] = '\0';
	} else if (o.body == SPOOL_BODY_7BIT && s->txn.body.dot.eight_bit > 0)
		o.body = SPOOL_BODY_8BITMIME;
	spool_options_put(&o, out);
}

bool trace_has_header(struct sv message)
{
	struct hdr_field f;
	size_t at = 0;
	return (message.n > 0 && message.p[0] == '\n') || hdr_next(message, &at, &f, NULL);
}

static bool lacks(struct sv message, const char *name)
{
	struct hdr_field f;
	return !hdr_find(message, name, &f);
}

void trace_complete(const struct session *s, uint64_t unix_secs, struct buf *out)
{
	char date[DATE_TEXT_MAX], from[MADDR_TEXT_MAX + 1];
	struct sv message = buf_sv(&s->txn.body.mem);
	if (lacks(message, "Date"))
		buf_putf(out, "Date: %s\n", date_text(unix_secs, date));
	if (lacks(message, "From") && s->txn.sender.null)
		buf_putf(out, "From: MAILER-DAEMON@%s\n", s->cfg->global.origin);
	else if (lacks(message, "From"))
		buf_putf(out, "From: %s\n", maddr_text(&s->txn.sender, from));
	if (lacks(message, "Message-ID"))
		buf_putf(out, "Message-ID: <%s@%s>\n", s->txn.id.text, s->cfg->global.hostname);
}
