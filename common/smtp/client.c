/* The client's side of SMTP. Replies are bounded in lines and bytes; in time by the conn's deadline. */
#include "smtp/client.h"

#define REPLY_MAX 2000 /* four times what RFC 5321 allows for a reply line */
#define LINES_MAX 100  /* of one reply */
#define COMMAND_MAX 2000

/* Text that is too long is cut: it is for people. */
static void add_text(struct smtp_answer *a, struct sv text)
{
	size_t len = strlen(a->text), room = sizeof a->text - 1 - len;
	if (len > 0 && room > 0 && text.n > 0) {
		a->text[len++] = ' ';
		room--;
	}
	size_t n = MIN(text.n, room);
	for (size_t i = 0; i < n; i++)
		a->text[len + i] = (text.p[i] >= 0 && text.p[i] < ' ') || text.p[i] == 0x7f ? '?' : text.p[i];
	a->text[len + n] = '\0';
}

static void add_line(struct smtp_answer *a, struct sv text)
{
	char dsn[12];
	if (smtp_dsn(text, dsn)) {
		memcpy(a->dsn, dsn, sizeof dsn);
		text = sv_trim(sv_skip(text, strlen(dsn)));
	}
	add_text(a, text);
}

static bool cap_is(struct sv text, const char *keyword)
{
	struct sv word;
	return sv_word(&text, &word) && sv_ieqs(word, keyword);
}

static unsigned cap_of(struct sv text)
{
	static const struct {
		const char *keyword;
		unsigned cap;
	} caps[] = { { "8BITMIME", SMTP_CAP_8BITMIME }, { "SMTPUTF8", SMTP_CAP_SMTPUTF8 }, { "SIZE", SMTP_CAP_SIZE },
		{ "PIPELINING", SMTP_CAP_PIPELINING }, { "DSN", SMTP_CAP_DSN } };
	for (size_t i = 0; i < COUNT(caps); i++)
		if (cap_is(text, caps[i].keyword))
			return caps[i].cap;
	return 0;
}

static unsigned caps_of(struct sv lines)
{
	struct sv line;
	unsigned caps = 0;
	if (!sv_cut(&lines, '\n', &line)) /* the greeting: RFC 5321 4.1.1.1 */
		return 0;
	while (sv_cut(&lines, '\n', &line))
		caps |= cap_of(line);
	return caps;
}

bool smtp_client_lines(struct conn *c, struct smtp_answer *ret, struct buf *ret_lines, struct err *e)
{
	struct smtp_answer a = { 0 };
	bool more = true;
	for (int n = 0; more; n++) {
		struct sv line, text;
		int code;
		if (!conn_line(c, REPLY_MAX, &line, e))
			return false;
		if (n == LINES_MAX || !smtp_reply_line(line, &code, &more, &text) || (a.code && code != a.code))
			return err_set(e, ERR_PEER, "the server's answer is not SMTP");
		a.code = code;
		add_line(&a, text);
		if (ret_lines) {
			buf_putsv(ret_lines, text);
			buf_putc(ret_lines, '\n');
		}
		conn_take(c, line.n);
	}
	*ret = a;
	return true;
}

bool smtp_client_answer(struct conn *c, struct smtp_answer *ret, struct err *e) { return smtp_client_lines(c, ret, NULL, e); }

static bool send_line(struct conn *c, struct buf *line, struct err *e)
{
	struct sv text = buf_sv(line);
	BUG_IF(sv_chr(text, '\r') >= 0 || sv_chr(text, '\n') >= 0 || sv_chr(text, '\0') >= 0);
	buf_puts(line, "\r\n");
	BUG_IF(!buf_ok(line));
	bool ok = conn_put(c, buf_sv(line), e) && conn_flush(c, e);
	buf_free(line);
	return ok;
}

bool smtp_client_cmd(struct conn *c, struct smtp_answer *ret, struct err *e, const char *fmt, ...)
{
	struct buf line = BUF_INIT(COMMAND_MAX);
	va_list ap;
	va_start(ap, fmt);
	buf_putvf(&line, fmt, ap);
	va_end(ap);
	return send_line(c, &line, e) && smtp_client_answer(c, ret, e);
}

static bool expect(const struct smtp_answer *a, int want, const char *when, struct err *e)
{
	if (a->code == want)
		return true;
	return err_dsn(e, a->code >= 400 ? ERR_TEMP : ERR_PEER, a->dsn, "%s: %d %s%s%s", when, a->code, a->dsn, *a->dsn ? " " : "",
		a->text);
}

bool smtp_client_hello(struct conn *c, const char *name, unsigned *ret_caps, struct err *e)
{
	struct smtp_answer a;
	struct buf line = BUF_INIT(COMMAND_MAX), lines = BUF_INIT(LINES_MAX * REPLY_MAX);
	bool ok;
	if (!smtp_client_answer(c, &a, e) || !expect(&a, 220, "greeting", e))
		return false;
	buf_putf(&line, "EHLO %s", name);
	ok = send_line(c, &line, e) && smtp_client_lines(c, &a, &lines, e) && expect(&a, 250, "EHLO", e);
	if (ok)
		*ret_caps = caps_of(buf_sv(&lines));
	buf_free(&lines);
	return ok;
}
