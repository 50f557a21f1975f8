/* bdb - the little that we need of Berkeley DB: one open file, read only. Private to maps/; bdb.c alone includes <db.h>. */
#ifndef MAPS_BDB_H
#define MAPS_BDB_H

#include "maps/driver.h"

struct bdb;

/* Hash or btree; verified as a whole first, by a child process. NULL on failure. */
struct bdb *bdb_open(const char *path, struct err *e);
void bdb_close(struct bdb *b);
/* The view is valid until the next call. A NUL that ends a value is not part of it. */
enum map_result bdb_get(struct bdb *b, struct sv key, struct sv *ret_value, struct err *e);
bool bdb_each(struct bdb *b, map_visit *on, void *arg, struct err *e) MUST_CHECK;
/* A new file at `path`, which must not exist. */
bool bdb_write(const char *path, const struct map_table *t, uint64_t *ret_entries, struct err *e) MUST_CHECK;

#endif
