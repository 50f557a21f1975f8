#include "verdict.h"

#define FOLD_AT 76 /* RFC 5322 2.1.1: 78 without the line end, less the comma */

static const char *fixed(int64_t hundredths, char dst[SCORE_TEXT_MAX]) { return score_text((int)hundredths, dst); }

/* "tests=A=1,B=2" after a fold, folded again at commas. */
static void put_tests(const struct findings *f, struct buf *out)
{
	struct buf text = BUF_INIT(FINDINGS_TEXT_MAX);
	struct sv rest, one;
	findings_text(f, ',', &text);
	if (text.len == 0)
		buf_puts(&text, "none");
	rest = buf_sv(&text);
	size_t column = 8 + strlen("tests=");
	buf_puts(out, "\n\ttests=");
	for (bool first = true; sv_cut(&rest, ',', &one); first = false) {
		if (!first)
			buf_putc(out, ',');
		if (!first && column + one.n > FOLD_AT) {
			buf_puts(out, "\n\t");
			column = 8;
		}
		buf_putsv(out, one);
		column += one.n + 1;
	}
	buf_putc(out, '\n');
	buf_free(&text);
}

static void put_headers(const struct cfg_spam *cfg, const struct findings *f, int score, struct buf *out)
{
	char a[SCORE_TEXT_MAX], b[SCORE_TEXT_MAX];
	bool spam = score >= cfg->spam_mark_score;
	if (spam)
		buf_puts(out, "X-Spam-Flag: YES\n");
	buf_putf(out, "X-Spam-Status: %s, score=%s required=%s", spam ? "Yes" : "No", fixed(score, a),
		fixed(cfg->spam_mark_score, b));
	put_tests(f, out);
}

static enum spam_verdict judge(const struct cfg_spam *cfg, int score)
{
	if (cfg->spam_action == CFG_SPAM_REJECT && score >= cfg->spam_reject_score)
		return SPAM_REJECT;
	return score >= cfg->spam_mark_score ? SPAM_MARK : SPAM_ACCEPT;
}

/* The log's line may be cut; a name is not. */
static void put_reasons(const struct findings *f, char *dst, size_t size)
{
	struct buf text = BUF_INIT(FINDINGS_TEXT_MAX);
	findings_text(f, ' ', &text);
	size_t n = MIN(text.len, size - 1);
	while (n < text.len && n > 0 && text.data[n] != ' ')
		n--;
	if (n > 0)
		memcpy(dst, text.data, n);
	dst[n] = '\0';
	buf_free(&text);
}

void verdict_make(const struct cfg_spam *cfg, const struct findings *f, struct spam_res *ret)
{
	struct buf headers = BUF_INIT(SPAM_HEADERS_MAX);
	char a[SCORE_TEXT_MAX], b[SCORE_TEXT_MAX];
	int score = findings_score(f);
	memset(ret, 0, sizeof(*ret));
	ret->score = SPAM_SCORE_ZERO;
	if (cfg->spam_action == CFG_SPAM_OFF)
		return;
	ret->verdict = judge(cfg, score);
	ret->score = (uint64_t)(SPAM_SCORE_ZERO + MAX(-SPAM_SCORE_ZERO, MIN(score, SPAM_SCORE_ZERO)));
	put_headers(cfg, f, score, &headers);
	BUG_IF(!buf_ok(&headers)); /* our own words alone: FINDINGS_TEXT_MAX fits */
	snprintf(ret->headers, sizeof(ret->headers), "%s", buf_str(&headers));
	put_reasons(f, ret->reasons, sizeof(ret->reasons));
	if (ret->verdict == SPAM_REJECT)
		snprintf(ret->text, sizeof(ret->text), "This message looks like spam (score %s, limit %s)", fixed(score, a),
			fixed(cfg->spam_reject_score, b));
	buf_free(&headers);
}

void verdict_failed(const struct cfg_spam *cfg, struct spam_res *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->score = SPAM_SCORE_ZERO;
	ret->verdict = cfg->spam_failure == CFG_SPAMFAIL_ACCEPT ? SPAM_ACCEPT : SPAM_TEMPFAIL;
	snprintf(ret->text, sizeof(ret->text), "The content check is not available, please try again later");
}
