/* A ~/.forward of any bytes: refused with a reason of one line, or targets that are addresses, each once and none the user's own.
 */
#include "mailbox/dotforward.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_target(const struct dotforward *f, size_t at, const struct dotforward_self *self)
{
	const struct maddr *a = VEC_AT(&f->targets, struct maddr, at);
	struct maddr again;
	char text[MADDR_TEXT_MAX + 1];
	BUG_IF(sv_has_ctl(sv_of(maddr_text(a, text))));
	BUG_IF(!maddr_parse(sv_of(text), MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &again, NULL) || !maddr_same(a, &again));
	BUG_IF(maddr_same(a, &self->rcpt));
	BUG_IF(!*a->domain && sv_ieqs(maddr_local(a), self->user));
	for (size_t i = 0; i < at; i++)
		BUG_IF(maddr_same(a, VEC_AT(&f->targets, struct maddr, i)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dotforward_self self = { .user = "al", .delimiter = "+" };
	struct dotforward f;
	struct err e = { .kind = ERR_NONE };
	BUG_IF(!maddr_parse(SV("al+x@c.example"), 0, &self.rcpt, NULL));
	if (!dotforward_parse((struct sv){ (const char *)p, n }, &self, &f, &e)) {
		BUG_IF(e.kind != ERR_TEMP || strcmp(e.dsn, "4.3.5") != 0 || sv_has_ctl(sv_of(e.text)));
		BUG_IF(strncmp(e.text, "~/.forward, line ", 17) != 0);
		return 0;
	}
	BUG_IF(f.targets.len > DOTFORWARD_TARGETS_MAX || (f.targets.len == 0 && !f.own));
	for (size_t i = 0; i < f.targets.len; i++)
		check_target(&f, i, &self);
	dotforward_free(&f);
	return 0;
}
