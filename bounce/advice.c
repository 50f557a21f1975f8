/* Enhanced status codes (RFC 3463, the IANA registry): which advice is for which. */
#include "language.h"

#include "base/sv.h"

static const struct {
	const char *detail; /* subject.detail; a lone subject with its dot: all others of that subject */
	enum advice advice;
} table[] = {
	{ "1.1", ADVICE_NO_MAILBOX },
	{ "1.2", ADVICE_NO_DOMAIN },
	{ "1.3", ADVICE_BAD_ADDRESS },
	{ "1.6", ADVICE_MOVED },
	{ "1.10", ADVICE_TAKES_NO_MAIL },
	{ "1.", ADVICE_ADDRESS },
	{ "2.1", ADVICE_MAILBOX_OFF },
	{ "2.2", ADVICE_MAILBOX_FULL },
	{ "2.3", ADVICE_MAILBOX_LIMIT },
	{ "2.", ADVICE_MAILBOX },
	{ "3.4", ADVICE_TOO_LARGE },
	{ "3.", ADVICE_SYSTEM },
	{ "4.1", ADVICE_NO_ANSWER },
	{ "4.4", ADVICE_NO_ROUTE },
	{ "4.6", ADVICE_LOOP },
	{ "4.7", ADVICE_TOO_LATE },
	{ "4.", ADVICE_NETWORK },
	{ "5.", ADVICE_PROTOCOL },
	{ "6.7", ADVICE_UTF8 },
	{ "6.", ADVICE_FORM },
	{ "7.", ADVICE_POLICY },
};

enum advice advice_for(const char *dsn)
{
	struct sv rest = sv_of(dsn), cls;
	bool known = sv_cut(&rest, '.', &cls) && rest.n > 0;
	for (size_t i = 0; known && i < COUNT(table); i++) {
		struct sv detail = sv_of(table[i].detail);
		if (sv_eq(rest, detail) || (sv_ends(detail, SV(".")) && sv_starts(rest, detail)))
			return table[i].advice;
	}
	return ADVICE_NONE;
}
