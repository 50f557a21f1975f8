/* log - one event, one line. Programs log, libraries return errors.
 *
 *   LOG(LOG_INFO, "accepted", KV_QID(id), KV_STR("from", sender), KV_U64("size", size));
 *   2026-11-23T20:10:36.123Z smtpd[812] 4kq9/0a1bk3f9xq accepted from=<a@b.example> size=4123
 *
 * Third comes session/queue id, `-` for one that is not known, a single `-` for neither. Errors and warnings begin their
 * values with level=. Values are escaped here, so no byte of a peer can forge a line: outside SP..~ (valid UTF-8 passes)
 * and for backslash and quote, \xHH; a value with a blank or an '=' is quoted. Events and keys are literals of ours and
 * are listed in docs/LOG.md. A record goes to logd as one packet that never blocks; without logd to syslog or, before a
 * daemon has its target, to stderr. What had to be dropped is counted and logged later as `dropped n=`. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG }; /* error: act now; warn: degraded */
enum log_kind { LOG_KV_END, LOG_KV_STR, LOG_KV_U64, LOG_KV_SID, LOG_KV_QID };

struct log_kv {
	enum log_kind kind;
	const char *key;
	struct sv str;
	uint64_t num;
};

/* clang-format off */
#define KV_SV(k, v)  { .kind = LOG_KV_STR, .key = (k), .str = (v) }
#define KV_STR(k, v) { .kind = LOG_KV_STR, .key = (k), .str = sv_of(v) }
#define KV_U64(k, v) { .kind = LOG_KV_U64, .key = (k), .num = (v) }
#define KV_ERR(e)    { .kind = LOG_KV_STR, .key = "reason", .str = sv_of((e)->text) }
#define KV_SID(v)    { .kind = LOG_KV_SID, .str = sv_of(v) } /* session id: goes before the slash */
#define KV_QID(v)    { .kind = LOG_KV_QID, .str = sv_of(v) } /* queue id: goes after it */
/* clang-format on */
#define LOG(level, event, ...) log_event(level, event, (const struct log_kv[]){ __VA_ARGS__ __VA_OPT__(, ){ .kind = LOG_KV_END } })
#define LOG_ERROR(event, ...) LOG(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_DEBUG(event, ...) LOG(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

void log_event(enum log_level level, const char *event, const struct log_kv *kv);

/* The process's log target: who we are, how much to say, where lines go. `connect` gives a connected SEQPACKET socket to
 * logd or -1; it is called again after the channel ended, and when that failed at most once a second. NULL: stderr. */
void log_open(const char *daemon, enum log_level max_level, int (*connect)(void *arg), void *arg);
void log_session(const char *sid); /* default session id of following events; NULL: none. Copied (up to 31 bytes) */
void log_stderr_too(bool on);

/* Against floods of lines that somebody else can cause: true for the first LOG_RATE_MAX of each minute. With the first of a later
 * minute it logs how many were not: `left-out event= n=`. All zero is ready; may lie in memory that processes share. */
#define LOG_RATE_MAX 10
#define LOG_RATE_MS 60000
struct log_rate {
	_Atomic uint64_t until_ms, n;
};
bool log_may(struct log_rate *r, const char *event, uint64_t now_ms) MUST_CHECK;

/* The packet as sent to logd: version (1 byte), level (1), time in ms (8, big-endian), then NUL-terminated daemon, pid, sid,
 * qid, event, and key and value in turn. A key that begins with '#' has a number. Values are escaped already and cut to
 * LOG_VALUE_MAX; key and value pairs that would pass LOG_PACKET_MAX are left out. The readers below are for logd: false
 * when the packet is not exactly of this form (a daemon may be taken over). */
#define LOG_PACKET_MAX 8192
#define LOG_VALUE_MAX 2048
void log_packet(struct buf *out, enum log_level level, uint64_t real_ms, const char *event, const struct log_kv *kv);
/* These append one record; false: malformed, nothing appended. As a line of text with \n: */
bool log_packet_text(struct sv packet, struct buf *out) MUST_CHECK;
bool log_packet_json(struct sv packet, struct buf *out) MUST_CHECK; /* as one JSON object and \n */
/* For /dev/log: "<PRI>daemon[pid]: sid/qid event ...", no \n: */
bool log_packet_syslog(struct sv packet, struct buf *out) MUST_CHECK;
bool log_to_syslog(struct sv packet); /* sends it there; never blocks; false: lost (no syslog, it is full, or malformed) */

#endif
