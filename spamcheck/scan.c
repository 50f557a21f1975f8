#include "scan.h"

#include "html.h"
#include "mail/hdr.h"
#include "parts.h"

#define HEADER_TEXT_MAX 4096                   /* of one field's value, for the classifier */
#define HTML_TEXT_MAX (2 * DECODE_MESSAGE_MAX) /* links stand twice */
#define KEEP_MAX (128 * 1024)

static const struct sv gtube = { "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", 68 };

/* Fields whose words tell spam from ham wherever they come from. None that hosts on the way add: they are there when a message is
 * trained, but not yet when it is checked. */
static const struct {
	enum header_id id;
	const char *prefix;
} token_fields[] = {
	{ HEADER_SUBJECT, "subject:" },
	{ HEADER_FROM, "from:" },
	{ HEADER_SENDER, "from:" },
	{ HEADER_REPLY_TO, "reply:" },
	{ HEADER_TO, "to:" },
	{ HEADER_X_MAILER, "mailer:" },
	{ HEADER_USER_AGENT, "mailer:" },
	{ HEADER_LIST_ID, "list:" },
	{ HEADER_CONTENT_TYPE, "type:" },
	{ HEADER_CONTENT_ENCODING, "encoding:" },
};

static const char *const program_endings[] = { ".exe", ".scr", ".pif", ".com", ".bat", ".cmd", ".vbs", ".vbe", ".js", ".jse",
	".wsf", ".hta", ".lnk", ".cpl", ".msi", ".jar", ".ps1" };

void scan_init(struct scan *s, struct decoder *d)
{
	memset(s, 0, sizeof(*s));
	s->decoder = d;
	buf_init(&s->text, HTML_TEXT_MAX);
}

void scan_free(struct scan *s) { buf_free(&s->text); }

static void header_tokens(struct scan *s, const struct headers *h)
{
	for (size_t i = 0; i < COUNT(token_fields); i++) {
		struct sv value = sv_sub(h->value[token_fields[i].id], 0, HEADER_TEXT_MAX);
		if (value.n == 0)
			continue;
		if (sv_find(value, SV("=?")) >= 0) {
			buf_reset(&s->text);
			decode_words(s->decoder, value, &s->text);
			value = buf_sv(&s->text);
		}
		tokens_add_text(&s->tokens, token_fields[i].prefix, value);
	}
}

/* Which findings there were is itself a sign: the classifier learns what they mean here. */
static void finding_tokens(struct scan *s)
{
	for (unsigned i = RULE_MISSING_FROM; i < RULE_COUNT; i++)
		if (findings_has(&s->findings, i) && spam_rules[i].kind == RULE_KIND_FORM && i != RULE_DATE_IN_PAST)
			tokens_add(&s->tokens, "rule:", sv_of(spam_rules[i].name));
}

static void check_encoding(const struct part *p, bool is_text, struct findings *f)
{
	struct sv e = p->encoding.p ? hdr_token(p->encoding) : SV("7bit");
	if (is_text && sv_ieqs(e, "7bit") && !sv_is_ascii(p->body))
		findings_add(f, RULE_MIME_8BIT_AS_7BIT);
}

static void check_name(struct scan *s, struct sv value, const char *parameter)
{
	struct buf name = BUF_INIT(1024);
	if (value.p && hdr_param(value, parameter, &name)) {
		struct sv n = sv_trim(buf_sv(&name));
		for (size_t i = 0; i < COUNT(program_endings); i++)
			if (sv_iends(n, sv_of(program_endings[i])))
				findings_add(&s->findings, RULE_PROGRAM_ATTACHED);
		ptrdiff_t dot = sv_rchr(n, '.');
		if (dot >= 0 && s->want_tokens)
			tokens_add(&s->tokens, "file:", sv_skip(n, (size_t)dot));
	}
	buf_free(&name);
}

static struct sv part_text(struct scan *s, const struct part *p)
{
	struct sv text;
	struct buf charset = BUF_INIT(64);
	struct sv encoding = p->encoding.p ? hdr_token(p->encoding) : SV("");
	if (!p->content_type.p || !hdr_param(p->content_type, "charset", &charset))
		buf_reset(&charset);
	switch (decode_text(s->decoder, p->body, encoding, sv_trim(buf_sv(&charset)), &text)) {
	case DECODE_UNKNOWN_ENCODING:
		findings_add(&s->findings, RULE_MIME_BAD_ENCODING);
		break;
	case DECODE_UNKNOWN_CHARSET:
		findings_add(&s->findings, RULE_MIME_UNKNOWN_CHARSET);
		break;
	case DECODE_OK:
		break;
	}
	buf_free(&charset);
	return text;
}

static void on_part(const struct part *p, void *arg)
{
	struct scan *s = arg;
	bool html = sv_ieqs(p->type, "text/html");
	/* What has no type, or none that can be read, is shown as text (RFC 2045 5.2); so is a multipart that could not be taken
	 * apart. */
	bool text = html || !p->type.p || sv_istarts(p->type, SV("text/")) || sv_istarts(p->type, SV("multipart/")) ||
		    sv_istarts(p->type, SV("message/"));
	check_encoding(p, text, &s->findings);
	check_name(s, p->content_type, "name");
	check_name(s, p->disposition, "filename");
	if (s->want_tokens && p->type.p)
		tokens_add(&s->tokens, "part:", p->type);
	if (!text)
		return;
	s->html |= html;
	s->plain_text |= !html;
	struct sv shown = part_text(s, p);
	if (sv_find(shown, gtube) >= 0)
		findings_add(&s->findings, RULE_GTUBE);
	if (!s->want_tokens)
		return;
	if (html) {
		buf_reset(&s->text);
		html_text(shown, &s->text);
		shown = buf_sv(&s->text);
	}
	tokens_add_text(&s->tokens, "", shown);
}

/* RFC 2045 4: "1.0", comments allowed; and what MIME fields without it say. */
static void check_version(const struct headers *h, struct findings *f)
{
	struct sv v = sv_trim(h->value[HEADER_MIME_VERSION]);
	if (v.p && !sv_starts(v, SV("1.0")) && sv_find(v, SV("(")) < 0)
		findings_add(f, RULE_MIME_BAD_VERSION);
	if (!v.p && (h->value[HEADER_CONTENT_ENCODING].p || sv_istarts(sv_trim(h->value[HEADER_CONTENT_TYPE]), SV("multipart/"))))
		findings_add(f, RULE_MIME_NO_VERSION);
}

void scan_message(struct scan *s, const struct scan_in *in)
{
	struct headers h;
	struct findings *f = &s->findings;
	f->hit = 0;
	s->html = s->plain_text = false;
	if (s->text.cap > KEEP_MAX)
		buf_free(&s->text);
	tokens_reset(&s->tokens);
	decoder_begin(s->decoder);
	headers_read(in->msg, in->smtputf8, &h, f);
	headers_check(&h, in->now_secs, f);
	check_version(&h, f);
	if (s->want_tokens)
		header_tokens(s, &h);
	parts_walk(in->msg, &h, in->truncated, on_part, s, f);
	if (s->html && !s->plain_text)
		findings_add(f, RULE_HTML_ONLY);
	if (in->msg.n > 0 && memchr(in->msg.p, '\0', in->msg.n))
		findings_add(f, RULE_NUL_BYTE);
	/* As it stands too: between the parts, or in a part that a reader shows where we saw none. */
	if (sv_find(sv_skip(in->msg, h.body), gtube) >= 0)
		findings_add(f, RULE_GTUBE);
	if (in->truncated)
		findings_add(f, RULE_SCAN_LIMIT);
	if (s->want_tokens)
		finding_tokens(s);
}
