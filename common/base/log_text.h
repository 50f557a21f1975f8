/* log_text - the making of a log packet, apart from the process's log target: the same input gives the same bytes. */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include "base/log.h"

#define LOG_ID_SIZE 32 /* of a session or queue id, with its NUL */

struct log_who {
	char daemon[32];
	unsigned pid;
	char sid[LOG_ID_SIZE]; /* default session id; empty: none */
};

/* Replaces what is in out, whose limit must be LOG_PACKET_MAX at least. */
void log_packet_as(struct buf *out, const struct log_who *who, enum log_level level, uint64_t real_ms, const char *event,
	const struct log_kv *kv);

#endif
