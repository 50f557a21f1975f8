/* hmap - hash map from bytes to a pointer. Keyed (SipHash with a random key), so that peers cannot make it slow.
 *
 * Keys are copied; values are the caller's. Bounded: a put beyond `max` entries is refused. */
#ifndef BASE_HMAP_H
#define BASE_HMAP_H

#include "base/sv.h"

struct hmap;

struct hmap *hmap_new(size_t max);
void *hmap_get(const struct hmap *m, struct sv key);                  /* NULL: not there */
bool hmap_put(struct hmap *m, struct sv key, void *value) MUST_CHECK; /* replaces; false: full. value != NULL */
void *hmap_del(struct hmap *m, struct sv key);                        /* the value it had, or NULL */
size_t hmap_len(const struct hmap *m);
/* Walks all entries: start with *cursor = 0; false at the end. The entry just returned may be deleted. */
bool hmap_next(const struct hmap *m, size_t *cursor, struct sv *ret_key, void **ret_value);
void hmap_clear(struct hmap *m, void (*free_value)(void *)); /* free_value may be NULL */
void hmap_free(struct hmap *m, void (*free_value)(void *));

uint64_t hash_bytes(struct sv s); /* FNV-1a 64, unkeyed and stable over restarts: for hints in file names */

#endif
