/* sink - where the mail log goes: a file, syslog or stderr. Records are gathered and written in batches.
 *
 * What a file does not take (full disk) goes to syslog, and the file is tried again with each batch. */
#ifndef LOGD_SINK_H
#define LOGD_SINK_H

#include "base/buf.h"
#include "config/cfg.h"

#include <limits.h>
#include <sys/types.h>

struct sink {
	enum { SINK_FILE, SINK_STDERR, SINK_SYSLOG } kind;
	bool json;
	int dir, fd; /* the file and its directory */
	char name[NAME_MAX + 1];
	struct buf out;     /* lines that are not yet written */
	struct buf packets; /* the same as packets, u32 length before each: for syslog when the file fails */
	bool failing;
	uint64_t lost; /* records that neither took */
};

/* As root the file becomes the property of uid and gid ((uid_t)-1: left alone); it must be nobody else's. */
bool sink_open(struct sink *s, const struct cfg_log *cfg, uid_t uid, gid_t gid, struct err *e) MUST_CHECK;
bool sink_add(struct sink *s, struct sv packet) MUST_CHECK; /* false: malformed */
bool sink_full(const struct sink *s);                       /* enough for one write */
bool sink_empty(const struct sink *s);
void sink_flush(struct sink *s);
bool sink_reopen(struct sink *s, struct err *e) MUST_CHECK; /* on failure the old file stays in use */
void sink_close(struct sink *s);

#endif
