/* postern_log - lines of the mail log, in either form, taken apart and judged. No I/O. */
#ifndef POSTERN_LOG_H
#define POSTERN_LOG_H

#include "base/buf.h"

struct log_line {                                            /* views into the line */
	struct sv time, daemon, pid, sid, qid, event, level; /* level: "info" when the line names none */
	struct sv pairs;                                     /* key=value ..., as written (text form) */
	struct sv whole;
};
/* The text form (base/log.h). false: not a line of ours. */
bool log_line_parse(struct sv line, struct log_line *ret) MUST_CHECK;
/* The next key=value; quotes are removed, escapes stay. */
bool log_line_pair(struct sv *pairs, struct sv *ret_key, struct sv *ret_value);
/* The same line as a JSON object with a final \n. */
void log_line_json(const struct log_line *l, struct buf *out);

struct log_filter { /* NULL: anything */
	const char *id, *session, *daemon, *event, *address, *level;
};
/* json: the line is in the JSON form. address: any value holds it, no case. level: this one or worse. */
bool log_line_matches(struct sv line, bool json, const struct log_filter *f);

#endif
