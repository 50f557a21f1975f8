/* decide - who a recipient is. No I/O: what must be looked up comes through `struct lookups`, so that tests give their own.
 *
 * A look-up may be pending; the decision is then made anew, from the start, when the answers are there. Each pass asks for all
 * that it will need as far as it can see. */
#ifndef RESOLVE_DECIDE_H
#define RESOLVE_DECIDE_H

#include "base/vec.h"
#include "mailbox.h"

struct final {             /* one final recipient */
	struct maddr addr; /* always with a domain */
	enum rcpt_class class;
	bool relayed, aliased;
	const char *route; /* remote: the configured next hop, or "" */
};

struct decision {
	enum resolve_status status;
	struct err why;    /* of a status other than RESOLVE_OK */
	bool reports;      /* a rewritten sender (SRS): for reports about mail alone */
	struct vec finals; /* of struct final; with RESOLVE_OK at least one, without doubles */
	char note[300];    /* what the admin should do about it, though the mail is taken; "" for nothing */
};

/* The final recipients of an address (RESOLVE_REQ). `ret` may be used again and again; decision_free() at the end.
 * false: look-ups are pending. */
void decision_init(struct decision *ret, const struct rules *r);
void decision_free(struct decision *d);
bool decide_rcpt(
	const struct rules *r, const struct lookups *l, struct sv address, bool local_client, struct decision *ret) MUST_CHECK;

/* Where a final address lives (RESOLVE_BOX_REQ). Aliases are not expanded again, with one exception: an address without a mailbox
 * whose alias has become one local recipient. What an alias wants that is not supported yet is BOX_UNSUPPORTED. */
bool decide_box(const struct rules *r, const struct lookups *l, struct sv address, struct resolve_box *ret) MUST_CHECK;

#endif
