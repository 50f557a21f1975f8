/* Whatever a message holds: its parts lie within it and within their bounds, the answer fits, its header lines are ours alone, and
 * GTUBE in plain sight is found. */
#include "scan.h"

#include "parts.h"
#include "verdict.h"

#define NOW_SECS 1795464636u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_part(const struct part *part, void *arg)
{
	const struct sv *msg = arg;
	BUG_IF(part->body.n > 0 && (part->body.p < msg->p || part->body.p + part->body.n > msg->p + msg->n));
	BUG_IF(part->depth > PARTS_DEPTH_MAX);
}

static void check_answer(const struct findings *f)
{
	const struct cfg_spam cfg = { .spam_action = CFG_SPAM_REJECT, .spam_mark_score = 500, .spam_reject_score = 1500 };
	struct spam_res res;
	verdict_make(&cfg, f, &res);
	BUG_IF(res.verdict == SPAM_REJECT && !findings_has(f, RULE_GTUBE)); /* never for its form */
	struct sv rest = sv_of(res.headers), line;
	while (sv_cut(&rest, '\n', &line) && rest.n > 0)
		BUG_IF(!sv_starts(line, SV("X-Spam-")) && line.p[0] != '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct decoder *decoder; /* costs more than a message: made once */
	static struct scan *scan;
	if (!decoder) {
		decoder = decoder_new();
		scan = mem_new(sizeof(*scan));
		scan_init(scan, decoder);
		scan->want_tokens = true;
	}
	struct sv msg = sv_sub((struct sv){ (const char *)p, n }, 0, SCAN_MAX);
	struct scan_in in = { .msg = msg, .truncated = n & 1, .smtputf8 = n & 2, .now_secs = NOW_SECS };
	struct headers h;
	struct findings f = { 0 };
	headers_read(msg, false, &h, &f);
	BUG_IF(h.body > msg.n);
	parts_walk(msg, &h, false, check_part, &msg, &f);
	scan_message(scan, &in);
	uint64_t first = scan->findings.hit;
	size_t tokens = scan->tokens.n;
	scan_message(scan, &in);
	BUG_IF(scan->findings.hit != first || scan->tokens.n != tokens); /* nothing is left of the message before */
	check_answer(&scan->findings);
	return 0;
}
