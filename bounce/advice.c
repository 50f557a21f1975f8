/* Enhanced status codes (RFC 3463, the IANA registry) in words for those who never heard of them. */
#include "report.h"

static const struct {
	const char *detail; /* subject.detail; a lone subject with its dot: all others of that subject */
	const char *advice;
} table[] = {
	{ "1.1", "There is no such mailbox. Check the address for typing errors, or ask the recipient in another way." },
	{ "1.2", "The part after the @ is not a place that takes mail. Check it for typing errors." },
	{ "1.3", "The address is not written as an address must be. Check it for typing errors." },
	{ "1.6", "The recipient has moved and left no new address." },
	{ "1.10", "The domain says that it takes no mail at all." },
	{ "1.", "Something is wrong with the address. Check it for typing errors." },
	{ "2.1", "The mailbox cannot be used at present. Its owner or the administrator there must put that right." },
	{ "2.2", "The mailbox is full. The recipient must make room; please tell him in another way." },
	{ "2.3", "The message is too large for this mailbox. Send less at once, or a link." },
	{ "2.", "Something is wrong with the mailbox. Its owner or the administrator there must put that right." },
	{ "3.4", "The message is too large. Send less at once, or a link." },
	{ "3.", "The mail system there has a fault or is not set up for this. Its administrator must put that right." },
	{ "4.1", "The recipient's mail server does not answer." },
	{ "4.4", "It is not known where mail for this address should go. Check the address for typing errors." },
	{ "4.6", "The message goes round in a loop. An administrator must put that right." },
	{ "4.7", "It could not be delivered in the time that is allowed. You may send it again." },
	{ "4.", "The recipient's mail server cannot be reached, or the connection broke." },
	{ "5.", "The two mail servers do not understand each other. An administrator must put that right." },
	{ "6.7", "The recipient's mail server does not know international addresses." },
	{ "6.", "The recipient's mail server cannot take a message of this form." },
	{ "7.", "The recipient's mail server does not want this message, by its own rules. The reason above may say why." },
};

const char *advice_for(const char *dsn)
{
	struct sv rest = sv_of(dsn), cls;
	bool known = sv_cut(&rest, '.', &cls) && rest.n > 0;
	for (size_t i = 0; known && i < COUNT(table); i++) {
		struct sv detail = sv_of(table[i].detail);
		if (sv_eq(rest, detail) || (sv_ends(detail, SV(".")) && sv_starts(rest, detail)))
			return table[i].advice;
	}
	return "The reason above is all that is known.";
}
