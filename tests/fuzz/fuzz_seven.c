/* A message made one of 7 bits: refused, or all ASCII; what was so before stays as it was; pieces of any size give the same. */
#include "mail/seven.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool convert(struct sv in, size_t step, struct buf *out)
{
	struct seven *s = seven_new();
	struct err e;
	for (size_t i = 0; i < in.n; i += step)
		seven_scan(s, sv_sub(in, i, step));
	bool ok = seven_scanned(s, &e);
	for (size_t i = 0; ok && i < in.n; i += step)
		seven_write(s, sv_sub(in, i, step), out);
	if (ok)
		seven_written(s, out);
	size_t once = out->len;
	for (size_t i = 0; ok && i < in.n; i += step)
		seven_write(s, sv_sub(in, i, step), out);
	if (ok)
		seven_written(s, out);
	BUG_IF(ok && (out->len != 2 * once || (once > 0 && memcmp(out->data, out->data + once, once) != 0)));
	buf_cut(out, once);
	seven_free(s);
	return ok;
}

/* Line ends become LF, and the last line gets one. */
static bool same_text(struct sv a, struct sv b)
{
	size_t k = 0;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] == '\r' && (i + 1 == a.n || a.p[i + 1] == '\n'))
			continue;
		if (k == b.n || b.p[k++] != a.p[i])
			return false;
	}
	return b.n - k <= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv in = { (const char *)p, n };
	struct buf whole = BUF_INIT(1 << 24), pieces = BUF_INIT(1 << 24);
	if (n > 200000)
		return 0;
	bool ok = convert(in, MAX(n, 1), &whole);
	BUG_IF(convert(in, 1 + n / 7, &pieces) != ok);
	BUG_IF(!buf_ok(&whole) || !sv_eq(buf_sv(&whole), buf_sv(&pieces)) || !sv_is_ascii(buf_sv(&whole)));
	BUG_IF(ok && sv_is_ascii(in) && sv_find(in, SV("bit")) < 0 && sv_find(in, SV("inary")) < 0 &&
		!same_text(in, buf_sv(&whole)));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
