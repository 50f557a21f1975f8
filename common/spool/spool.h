/* spool - queue files: ids, names, the envelope, the commit record. docs/QUEUE.md is the specification.
 *
 * A queue file is one message that is ready to be delivered; our own first Received line is its commit record (DESIGN D4). All
 * queue I/O goes through this module and mailbox/. Used by smtpd (composing), queue-mgr (everything), tools (showing). */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/msg_queue.h"
#include "mail/maddr.h"

#define SPOOL_SHARDS 16
#define SPOOL_NAME_MAX 120

/* Id: 7 characters of seconds, 4 of a counter, 5 random, base 32 (0-9 a-v): sorts by time, never reused, also the Maildir
 * name. The shard is the counter's low 4 bits. */
#define SPOOL_ID_LEN 16
struct spool_id {
	char text[SPOOL_ID_LEN + 1];
};
void spool_id_make(uint64_t unix_secs, uint32_t counter, uint32_t random, struct spool_id *ret);
bool spool_id_parse(struct sv text, struct spool_id *ret) MUST_CHECK;
unsigned spool_id_shard(const struct spool_id *id);
uint64_t spool_id_secs(const struct spool_id *id);

/* A name in cur/ or hold/: <id>:<due>,<tries>,<dest>,<sender>,<flags>  (due: Unix secs, 32 bits; tries: 16; dest, sender: 8 hex
 * digits of a hash, `*` for several destinations; flags: 'w' delay warning sent, 'o' held by its own sender (in hold/ alone), in
 * this order, or '-'). */
struct spool_name {
	struct spool_id id;
	uint64_t due;
	uint32_t tries;
	uint32_t dest, sender; /* dest 0: several */
	bool warned, owner;
};
bool spool_name_parse(struct sv text, struct spool_name *ret) MUST_CHECK;
const char *spool_name_text(const struct spool_name *n, char dst[SPOOL_NAME_MAX]);

/* --- envelope ------------------------------------------------------------------------------------------------------------- */
enum spool_status {
	SPOOL_TODO = '.',
	SPOOL_DONE = '+',
	SPOOL_FAILED = '-',
	SPOOL_SPLIT = 's',
	/* Done, and its sender is still to be told of it (RFC 3461, NOTIFY=SUCCESS); then SPOOL_DONE. EXPANDED is the line of an
	 * address that led to several others, which have lines of their own: composed so, never delivered. */
	SPOOL_OWED_DELIVERED = 'd',
	SPOOL_OWED_RELAYED = 'r',
	SPOOL_OWED_EXPANDED = 'e',
};
#define SPOOL_STATUSES ".+-sdre"
enum spool_trust { SPOOL_LOCAL = 'l', SPOOL_AUTHENTICATED = 'a', SPOOL_PASSED = 'p', SPOOL_STRANGER = 's' };

struct spool_rcpt {
	struct maddr addr; /* final */
	struct maddr orig; /* orig.null: the same */
	uint8_t cls;       /* enum rcpt_class */
	char status;       /* enum spool_status; composing: 0 is SPOOL_TODO */
	uint32_t number;
	uint64_t status_at; /* file offset of the status byte; 0 in a plain file */
	uint8_t notify;     /* SPOOL_NOTIFY_*; 0: NOTIFY was not given (RFC 3461 4.1: FAILURE, and DELAY as we like) */
	char *orcpt;        /* ORCPT as given, "rfc822;xtext", malloc'd; NULL: not given */
};
extern const char *const spool_notify_names[4]; /* of the bits below, lowest first */
enum { SPOOL_NOTIFY_NEVER = 1, SPOOL_NOTIFY_SUCCESS = 2, SPOOL_NOTIFY_FAILURE = 4, SPOOL_NOTIFY_DELAY = 8 };
#define SPOOL_ORCPT_MAX 500 /* RFC 3461 5.1 */

/* The X-Postern line: what an envelope needs for its own delivery, `key=value` (xtext) between blanks. Unknown keys are kept. */
struct spool_options {
	enum { SPOOL_BODY_7BIT, SPOOL_BODY_8BITMIME, SPOOL_BODY_BINARYMIME } body; /* body= */
	bool smtputf8;                                                             /* smtputf8=yes */
	bool requiretls;                                                           /* requiretls=yes (RFC 8689) */
	enum { SPOOL_RET_NONE, SPOOL_RET_FULL, SPOOL_RET_HDRS } ret;               /* ret=FULL|HDRS (RFC 3461 4.3) */
	char envid[101];                                                           /* envid=, decoded; "" none (RFC 3461 4.4) */
	char auth[129];      /* auth=: the account that submitted it; "" none */
	uint64_t hold_until; /* hold=: Unix time; 0 none (RFC 4865) */
	int priority;        /* prio=-9..9 (RFC 6710); 0 none */
	uint64_t deliver_by; /* by=: Unix time; 0 none (RFC 2852) */
	char by_mode;        /* 'N' or 'R' with deliver_by */
	bool by_trace;       /* byt=yes */
	char verp[3];        /* verp=: two delimiters (mail/verp.h): each recipient's copy has a sender of its own; "" no */
	bool held;           /* held=yes: a rule wants an admin to see it before it is delivered at all */
};
#define SPOOL_OPTIONS_MAX 1000                                          /* of the line's content */
void spool_options_put(const struct spool_options *o, struct buf *out); /* appends what differs from nothing; none: nothing */
bool spool_options_parse(struct sv text, struct spool_options *ret, struct err *e) MUST_CHECK;

/* Composing, by smtpd. Writes everything before the message: Return-Path, recipients, Received with s and c as zeros of fixed
 * width, then `verdict` (whole header lines), and for a streamed message an X-Postern-Room header that pads to SPOOL_ROOM bytes. */
#define SPOOL_ROOM 4096
struct spool_compose {
	const struct maddr *sender;
	const struct spool_rcpt *rcpt;
	size_t n_rcpt;
	struct sv received; /* "from ... with ESMTP": what stands between "Received: " and " id " ; folded with "\n\t" as wanted */
	struct sv for_text; /* "" or address for the `for` clause */
	struct spool_id id;
	enum spool_trust trust;
	uint64_t unix_secs;
	struct sv postern; /* content of an X-Postern line, "" for none: "key=xtext key=xtext" */
};
struct spool_marks {        /* where to fill in later, offsets in the composed header */
	size_t received_at; /* of "Received:": agents send from here */
	size_t s_at, c_at;  /* of the digits */
	size_t room_at;     /* of X-Postern-Room; 0 when none was asked */
	size_t header_len;  /* all of it */
	bool plain;         /* one local recipient and nothing else: Delivered-To form */
};
#define SPOOL_HEADER_MAX (8u << 20) /* bounds recipients_max x the longest line */
bool spool_compose(const struct spool_compose *c, struct sv verdict, bool room, struct buf *out, struct spool_marks *ret,
	struct err *e) MUST_CHECK;
/* The verdict's headers into the room; what does not fit is left out from the last line on. */
void spool_fill_room(struct buf *header, const struct spool_marks *m, struct sv verdict);
/* Fills in s and c, given the CRC-32C and length of the message that follows the header. */
void spool_seal(struct buf *header, const struct spool_marks *m, uint32_t body_crc, uint64_t body_len);

/* Reading. The envelope is everything before our first Received line, at most SPOOL_HEADER_MAX. */
struct spool_envelope {
	struct maddr sender;
	struct spool_rcpt *rcpt; /* malloc'd; spool_envelope_free */
	size_t n_rcpt;
	char trust;
	bool plain;
	char postern[1000];   /* X-Postern content, "" for none */
	uint64_t received_at; /* offset of Received: */
	uint64_t size;        /* s */
	uint32_t crc;         /* c */
	uint64_t crc_at;      /* offset of its 8 digits */
	uint64_t arrived;     /* the date of our Received line: an id may be older, when its file was made ahead */
	struct spool_id id;
};
/* From a descriptor, by pread. ERR_PERM: not a queue file (corrupt); ERR_LIMIT: the file ends within its envelope, which was good
 * so far; ERR_TEMP: cannot be read now. Checks the form, not the CRC. */
bool spool_envelope_read(int fd, struct spool_envelope *ret, struct err *e) MUST_CHECK;
bool spool_envelope_parse(struct sv head, struct spool_envelope *ret,
	struct err *e) MUST_CHECK; /* the same from memory; ERR_LIMIT: more bytes needed */
void spool_envelope_free(struct spool_envelope *env);
/* Complete: at least s bytes and the CRC matches (digits of c and status bytes taken as '0'). Reads the whole file: helpers only.
 */
bool spool_verify(int fd, const struct spool_envelope *env, struct err *e) MUST_CHECK;

/* --- smtpd's write of a lent file ------------------------------------------------------------------------------------------- */
/* One pwritev at 0, one fsync. On any failure the file is truncated to 0 and never synced again: answer 451. */
bool spool_commit(int fd, struct sv header, struct sv body, struct err *e) MUST_CHECK;
/* Streamed: body pieces at their offset while they come, then header at 0 and one fsync. */
bool spool_stream(int fd, struct sv piece, uint64_t at, struct err *e) MUST_CHECK;
bool spool_commit_header(int fd, struct sv header, struct err *e) MUST_CHECK;
void spool_abandon(int fd); /* ftruncate(0): nothing was accepted */

/* --- the directory, for queue-mgr ------------------------------------------------------------------------------------------- */
struct spool_dir {
	int root; /* queue_directory */
	int new_fd[SPOOL_SHARDS], cur_fd[SPOOL_SHARDS], tmp_fd[SPOOL_SHARDS];
	int hold_fd, corrupt_fd;
	int lock_fd;     /* flocked: one queue-mgr at a time */
	bool strict;     /* the file system needs an fsync of the directory before a file is lent */
	bool no_journal; /* ext4 without one: a rename may lose both names, so deliver by copy (spool_dir_probe) */
};
/* Makes what is missing, checks VERSION, owner and modes. */
bool spool_dir_open(const char *path, bool create, struct spool_dir *ret, struct err *e) MUST_CHECK;
bool spool_dir_lock(struct spool_dir *d, bool wait, struct err *e) MUST_CHECK;
void spool_dir_close(struct spool_dir *d);
/* "name-first" or "strict" by file system, and a warning in ret_note when no promise holds (ext4 without journal); ERR_PERM:
 * refused (fast_commit). */
bool spool_dir_probe(struct spool_dir *d, char *ret_note, size_t note_size, struct err *e) MUST_CHECK;

#endif
