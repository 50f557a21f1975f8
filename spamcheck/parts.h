/* parts - the parts of a MIME message, found in one pass over its lines (RFC 2046 5.1), without recursion.
 *
 * Hostile nesting costs neither stack nor time here: depth and number are bounded, and what lies beyond the bounds is handed
 * out as it stands. Nothing is decoded; views point into the message. */
#ifndef SPAMCHECK_PARTS_H
#define SPAMCHECK_PARTS_H

#include "headers.h"

#define PARTS_DEPTH_MAX 50 /* mail readers give up earlier */
#define PARTS_MAX 1000
#define PART_BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */

struct part {                                          /* one that holds no other parts */
	struct sv content_type, encoding, disposition; /* field values as they stand; p NULL: no such field */
	struct sv type;                                /* "text/html"; p NULL: none or not of that form */
	struct sv body;
	unsigned depth; /* 0: the message itself */
	bool whole;     /* false: its end is not in what was read */
};

/* `truncated`: msg is the beginning of a longer message. Calls on_part() for each part in order, and adds the findings about
 * structure. `h` is headers_read()'s of the same msg. */
void parts_walk(struct sv msg, const struct headers *h, bool truncated, void (*on_part)(const struct part *, void *), void *arg,
	struct findings *f);

#endif
