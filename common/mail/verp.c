#include "mail/verp.h"

#include "base/buf.h"

bool verp_delimiters_ok(struct sv delimiters)
{
	return delimiters.n == 2 && memchr("-+=", delimiters.p[0], 3) != NULL && memchr("-+=", delimiters.p[1], 3) != NULL;
}

bool verp_sender(const struct maddr *sender, const struct maddr *rcpt, const char *delimiters, struct maddr *ret)
{
	struct buf local = BUF_INIT(MADDR_LOCAL_MAX);
	if (sender->null || sender->domain[0] == '\0' || rcpt->null || rcpt->domain[0] == '\0')
		return false;
	buf_putsv(&local, maddr_local(sender));
	buf_putf(&local, "%c", delimiters[0]);
	buf_putsv(&local, maddr_local(rcpt));
	buf_putf(&local, "%c%s", delimiters[1], rcpt->domain);
	bool ok = buf_ok(&local) && maddr_join(buf_sv(&local), sv_of(sender->domain), ret);
	buf_free(&local);
	return ok;
}
