/* The text for people: what happened first, then why and what to do, the details last. */
#include "report.h"

#include "mail/date.h"

#define PEOPLE_SHOWN 50 /* recipients that the text names */
#define TEXT_WIDTH 76
#define LINE_MAX_BYTES 4096

/* Words of `text`, each line indented, at most TEXT_WIDTH wide where the words allow it. */
static void put_wrapped(struct buf *out, const char *indent, const char *text)
{
	struct buf clean = BUF_INIT(LINE_MAX_BYTES);
	size_t width = 0;
	struct sv rest, word;
	report_put_clean(&clean, text, false);
	rest = buf_sv(&clean);
	while (sv_word(&rest, &word)) {
		bool first = width == 0;
		if (!first && width + 1 + word.n > TEXT_WIDTH) {
			buf_putc(out, '\n');
			width = 0;
		}
		buf_puts(out, width == 0 ? indent : " ");
		width += (width == 0 ? strlen(indent) : 1) + word.n;
		buf_putsv(out, word);
	}
	if (width > 0)
		buf_putc(out, '\n');
	buf_free(&clean);
}

static void put_filled(struct buf *out, const char *indent, const char *words, const struct language_fill *fill)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	language_fill(words, fill, &line);
	put_wrapped(out, indent, buf_str(&line));
	buf_free(&line);
}

/* Why, in the words of whoever said it. */
static void put_reason(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn)
{
	const struct language *l = r->language;
	struct language_fill fill[] = { { "where", rcpt->where }, { NULL, NULL } };
	struct buf line = BUF_INIT(LINE_MAX_BYTES);
	if (*rcpt->where) {
		language_fill(l->said, fill, &line);
		buf_putc(&line, ' ');
	}
	buf_putf(&line, "%s (%s)", *rcpt->text ? rcpt->text : l->no_reason, dsn);
	put_wrapped(&r->people, "    ", buf_str(&line));
	put_wrapped(&r->people, "    ", l->advice[advice_for(dsn)]);
	buf_free(&line);
}

void people_add(struct report *r, const struct bounce_rcpt *rcpt, const char *dsn)
{
	const struct language *l = r->language;
	bool renamed = *rcpt->orig && strcmp(rcpt->orig, rcpt->rcpt) != 0;
	struct language_fill fill[] = { { "to", rcpt->rcpt }, { "where", *rcpt->where ? rcpt->where : "?" }, { NULL, NULL } };
	if (r->recipients++ >= PEOPLE_SHOWN)
		return;
	buf_puts(&r->people, "\n  <");
	report_put_clean(&r->people, renamed ? rcpt->orig : rcpt->rcpt, false);
	buf_puts(&r->people, ">\n");
	if (renamed)
		put_filled(&r->people, "    ", l->leads_to, fill);
	switch ((enum bounce_action)rcpt->action) {
	case BOUNCE_ACTION_FAILED:
	case BOUNCE_ACTION_DELAYED:
		put_reason(r, rcpt, dsn);
		break;
	case BOUNCE_ACTION_DELIVERED:
		put_filled(&r->people, "    ", l->delivered, fill);
		break;
	case BOUNCE_ACTION_RELAYED:
		put_filled(&r->people, "    ", l->relayed, fill);
		break;
	case BOUNCE_ACTION_EXPANDED:
		put_filled(&r->people, "    ", l->expanded, fill);
		break;
	}
}

void people_put(const struct report *r, const struct original *o, struct buf *out)
{
	const struct language *l = r->language;
	char arrived[DATE_TEXT_MAX], until[DATE_TEXT_MAX], more[24];
	struct language_fill fill[] = { { "host", r->hostname }, { "date", date_text(r->req.arrived, arrived) },
		{ "until", r->req.expires ? date_text(r->req.expires, until) : l->until_expiry }, { "n", more }, { NULL, NULL } };
	snprintf(more, sizeof more, "%zu", r->recipients > PEOPLE_SHOWN ? r->recipients - PEOPLE_SHOWN : 0);
	put_filled(out, "", l->hello, fill);
	buf_putc(out, '\n');
	put_filled(out, "", l->intro[r->req.kind], fill);
	buf_putsv(out, buf_sv(&r->people));
	if (r->recipients > PEOPLE_SHOWN) {
		buf_putc(out, '\n');
		put_filled(out, "  ", l->more, fill);
	}
	buf_putc(out, '\n');
	put_filled(out, "", l->end[r->req.kind], fill);
	put_filled(out, "", o->whole ? l->whole : l->header, fill);
}
