/* index - what queue-mgr remembers of every queued file: 32 bytes, all from its name (DESIGN section 3), and the heap of due times.
 *
 * Entries are named by slot, a number that stays theirs until index_del(); pointers die at the next index_add(). No I/O. */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include "spool/spool.h"

#define INDEX_NONE UINT32_MAX

enum where { IN_NEW, IN_CUR, IN_HOLD }; /* directory that holds the file */

/* What `link` means. An entry is in one of these places. */
enum entry_state {
	ENTRY_FREE,
	ENTRY_IDLE,    /* in none of the others: held, or about to go into one */
	ENTRY_BUSY,    /* its lock is another's, or an io helper has it */
	ENTRY_DUE,     /* in the heap: link is its place */
	ENTRY_WAITING, /* in the scheduler, its file closed: link is the next of its flow */
	ENTRY_OPEN,    /* in delivery: link is its place among the open messages */
};

enum {
	ENTRY_WARNED = 1,       /* the sender was told of the delay */
	ENTRY_LOOK = 2,         /* may have been delivered before: the agent looks first */
	ENTRY_CHECK = 4,        /* found at a start: its checksum is taken before it is delivered */
	ENTRY_DELETED = 8,      /* its file is gone; to be forgotten when the scheduler gives it back */
	ENTRY_WANT_DELETE = 16, /* acts of the admin while others had the file */
	ENTRY_WANT_HOLD = 32,
	ENTRY_OWNER = 64,       /* its own sender holds it; in hold/ alone */
	ENTRY_WANT_OWNER = 128, /* its own sender asked for WANT_HOLD */
};

enum entry_urgency { ENTRY_USUAL, ENTRY_URGENT, ENTRY_BULK }; /* its sender's MT-PRIORITY, once it was opened */

struct entry {
	uint64_t id_high; /* 12 of the id's 16 characters, 5 bits each */
	uint32_t id_low;  /* the other 4 */
	uint32_t due;     /* Unix time, as in the name of its file */
	uint32_t dest, sender;
	uint32_t link;
	uint16_t tries;
	uint8_t flags;
	uint8_t where : 2, state : 3, urgency : 2; /* enum where, enum entry_state, enum entry_urgency */
};
_Static_assert(sizeof(struct entry) == 32, "a million queued files take 32 MB");

struct index;
struct index *index_new(uint32_t max);
void index_free(struct index *ix);

/* INDEX_NONE: the id is there already, or the index is full. The entry is IDLE, below new/, its other fields zero. */
uint32_t index_add(struct index *ix, const struct spool_id *id);
uint32_t index_find(const struct index *ix, const struct spool_id *id);
void index_del(struct index *ix, uint32_t slot); /* taken out of the heap first; not while WAITING or OPEN */
struct entry *index_at(const struct index *ix, uint32_t slot);
void index_id(const struct index *ix, uint32_t slot, struct spool_id *ret);
void index_name(const struct index *ix, uint32_t slot, char dst[SPOOL_NAME_MAX]); /* of its file, in its directory */
size_t index_len(const struct index *ix);
uint32_t index_end(const struct index *ix); /* slots to walk are below this; those with state FREE are unused */

bool index_used(const struct index *ix, uint32_t slot);

/* IDLE or DUE becomes DUE at this time, which need not be that of the name: the entry's own `due` stays. */
void index_due_set(struct index *ix, uint32_t slot, uint32_t due);
void index_due_clear(struct index *ix, uint32_t slot);                               /* DUE becomes IDLE */
uint32_t index_due_at(const struct index *ix, uint32_t slot);                        /* of one that is DUE */
void index_due_shift(struct index *ix, uint32_t secs);                               /* all of the heap, so much earlier */
bool index_due_first(const struct index *ix, uint32_t *ret_due, uint32_t *ret_slot); /* false: the heap is empty */

#endif
