/* keyed - records of one size, found by a 32-bit key. For the many: a record costs its own size and a pointer, and never moves.
 *
 * A record begins with struct keyed. Several may have the same key: its user tells them apart. Their memory goes back when the last
 * is gone. Without limit: whoever adds has one. */
#ifndef QUEUE_KEYED_H
#define QUEUE_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct keyed {
	struct keyed *next; /* the table's own */
	uint32_t key;
};

struct keyed_table;
struct keyed_table *keyed_new(size_t size); /* of a record */
void keyed_free(struct keyed_table *t);     /* with all records */

void *keyed_add(struct keyed_table *t, uint32_t key);        /* a new record, zeros but for its head */
void *keyed_find(const struct keyed_table *t, uint32_t key); /* the first with this key, or NULL */
void *keyed_next(const void *record);                        /* the next with the same key, or NULL */
void keyed_del(struct keyed_table *t, void *record);
size_t keyed_len(const struct keyed_table *t);

#endif
