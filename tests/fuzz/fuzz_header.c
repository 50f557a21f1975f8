/* Fields lie in order within the message and are all of its header; composed values never make a line of their own. */
#include "base/buf.h"
#include "mail/date.h"
#include "mail/hdr.h"
#include "mail/maddr.h"
#include "mail/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void on_address(struct sv spec, void *arg)
{
	struct sv *in = arg;
	struct maddr a;

	BUG_IF(spec.n == 0 || spec.n > in->n || sv_chr(spec, '\n') >= 0);
	if (maddr_parse(spec, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &a, NULL))
		BUG_IF(a.null);
}

static void check_field(struct sv msg, const struct hdr_field *f, size_t at)
{
	struct buf b = BUF_INIT(1 << 20);
	struct sv value = f->value;

	BUG_IF(f->whole.p != msg.p + at || f->whole.n < f->name.n + 1 + value.n || f->name.n == 0);
	hdr_unfold(value, &b);
	BUG_IF(sv_chr(buf_sv(&b), '\n') >= 0);
	buf_reset(&b);
	if (!hdr_param(value, "name", &b))
		BUG_IF(b.len);
	BUG_IF(hdr_token(value).n > value.n);
	if (hdr_addresses(value, on_address, &value))
		BUG_IF(value.p != f->value.p);
	uint64_t secs;
	char text[DATE_TEXT_MAX];
	if (date_parse(value, &secs)) {
		uint64_t again;
		BUG_IF(secs < 253402128000u && (!date_parse(sv_of(date_text(secs, text)), &again) || again != secs));
	}
	buf_free(&b);
}

/* Encoded words: ASCII, no line that a header parser would take for a field, decodable xtext. */
static void check_composing(struct sv in)
{
	struct buf b = BUF_INIT(1 << 20), x = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
	struct sv rest, line;

	hdr_encode_word(in, &b);
	BUG_IF(!buf_ok(&b));
	rest = buf_sv(&b);
	for (size_t i = 0; b.len && sv_cut(&rest, '\n', &line); i++)
		BUG_IF(sv_has_ctl(line) || !sv_is_ascii(line) || (i > 0 && (!sv_starts(line, SV(" ")) || line.n > 76)));
	xtext_encode(in, &x);
	BUG_IF(sv_has_ctl(buf_sv(&x)) || !sv_is_ascii(buf_sv(&x)));
	if (xtext_decode(buf_sv(&x), &back))
		BUG_IF(!sv_eq(buf_sv(&back), in));
	else
		BUG_IF(!sv_has_ctl(in) || back.len);
	buf_free(&b);
	buf_free(&x);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv msg = { (const char *)p, n };
	struct hdr_field f;
	size_t at = 0, before = 0;
	unsigned count = 0;
	bool broken;

	if (n > 100000)
		return 0;
	for (; hdr_next(msg, &at, &f, &broken); before = at, count++) {
		check_field(msg, &f, before);
		BUG_IF(at != before + f.whole.n);
	}
	BUG_IF(at < before || at > n || hdr_body(msg) != at);
	BUG_IF(count && hdr_count(msg, "Subject") > count);
	check_composing(msg);
	return 0;
}
