/* An address that is accepted holds no control byte, and its text is the same address. */
#include "mail/maddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_text(const struct maddr *a)
{
	char text[MADDR_TEXT_MAX + 1], again[MADDR_TEXT_MAX + 1];
	struct maddr b;
	struct sv rest, local = maddr_local(a);

	maddr_text(a, text);
	BUG_IF(sv_has_ctl(sv_of(text)) || !sv_is_utf8(sv_of(text)) || strlen(text) > MADDR_TEXT_MAX || local.n > MADDR_LOCAL_MAX);
	BUG_IF(a->null != (text[0] == '\0') || a->utf8 == sv_is_ascii(sv_of(text)));
	BUG_IF(!maddr_parse(sv_of(text), MADDR_NULL_OK | MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &b, NULL));
	BUG_IF(!maddr_same(a, &b) || !sv_eq(local, maddr_local(&b)) || strcmp(text, maddr_text(&b, again)) != 0);
	rest = sv_of(text);
	BUG_IF(!maddr_scan(&rest, MADDR_NULL_OK | MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &b, NULL) || rest.n || !maddr_same(a, &b));
	char ascii[MADDR_DOMAIN_MAX + 1];
	BUG_IF(a->domain[0] && (!maddr_domain_ascii(sv_of(a->domain), ascii, NULL) || !sv_is_ascii(sv_of(ascii))));
}

static void check_error(const struct err *e)
{
	BUG_IF(e->kind != ERR_PERM || !e->dsn[0] || !e->text[0] || sv_has_ctl(sv_of(e->text)));
}

/* The first byte is the flags. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct maddr a;
	struct err e = { .kind = ERR_NONE };

	if (n == 0)
		return 0;
	unsigned flags = p[0] & 7;
	struct sv in = { (const char *)p + 1, n - 1 }, rest = in;
	if (maddr_parse_path(&rest, flags, &a, &e)) {
		BUG_IF(rest.n >= in.n || (a.null && !(flags & MADDR_NULL_OK)) ||
			(!a.null && !a.domain[0] && !(flags & MADDR_NO_DOMAIN_OK)) || (a.utf8 && !(flags & MADDR_UTF8_OK)));
		check_text(&a);
	} else {
		BUG_IF(rest.p != in.p || rest.n != in.n); /* untouched on failure */
		check_error(&e);
	}
	if (maddr_parse(in, flags, &a, &e))
		check_text(&a);
	else
		check_error(&e);
	return 0;
}
