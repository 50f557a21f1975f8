/* map - lookup tables, `type:name`, behind one driver interface. Read only: nothing here changes a table in place.
 *
 * Types: cidr:/path (file of networks, `192.0.2.0/24 value`; the longest prefix counts; the value may be missing)
 * regexp:/path, also written pcre: (file of `/pattern/flags value`; the first match counts, $1 in the value; bounded work)
 * inline:{k=v; k2=v2}  text:/path (flat file, `key value`, re-read when it changes)  aliases form: text:/etc/aliases
 * (`name: value, value`; continuation lines; quoted names)  bdb:/path (Berkeley DB hash or btree, /path or /path.db, compiled by
 * `postern map compile`). A changed table is seen without a restart. Keys are folded to lower case. */
#ifndef MAPS_MAP_H
#define MAPS_MAP_H

#include "base/buf.h"
#include "base/err.h"

struct map;

enum map_form { MAP_PLAIN, MAP_ALIASES }; /* syntax of a text source */
#define MAP_KEY_MAX 512
#define MAP_VALUE_MAX 65536
#define MAP_ENTRIES_MAX 2000000

/* Opens by its specification. ERR_PERM: unknown type, syntax (file:line in the text); ERR_TEMP: cannot be read now. */
struct map *map_open(const char *spec, enum map_form form, struct err *e);
void map_close(struct map *m);
enum map_result { MAP_FOUND, MAP_NONE, MAP_FAILED };
/* Looks at the source for a change first (at most once a second; now_ms monotonic). FOUND: *ret_value is emptied and filled.
 * FAILED: e says why; the caller answers 4xx. A source that became faulty keeps serving its last good content, and map_fault()
 * tells. */
enum map_result map_get(struct map *m, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e);
bool map_fault(const struct map *m, struct err *e); /* true: serving old content, e says why */
const char *map_spec(const struct map *m);
/* Walks everything (check, dump). on() returns false to stop, and must not use the map. `line` is 0 where there are none. Text and
 * inline: in the order of the keys; of several entries with one key the first in the file counts, and comes first. */
bool map_each(
	struct map *m, bool (*on)(struct sv key, struct sv value, unsigned line, void *arg), void *arg, struct err *e) MUST_CHECK;

/* Compiles a text source into path_db (a btree with page checksums): built aside, fsynced, renamed over, directory fsynced. Mode
 * and group become the source's, so that who may read that may read this. */
bool map_compile_bdb(
	const char *source_path, enum map_form form, const char *path_db, uint64_t *ret_entries, struct err *e) MUST_CHECK;

/* The items of an alias value: `a@b, "|cmd x", /file, :include:/path, \user`. Calls on() per item, outer quotes removed, its mark
 * ('|', '/', ...) included; on() returns false to stop. ERR_PERM: a quote is open, or there is none. */
enum alias_kind { ALIAS_ADDRESS, ALIAS_COMMAND, ALIAS_FILE, ALIAS_INCLUDE };
bool map_alias_items(
	struct sv value, bool (*on)(enum alias_kind kind, struct sv item, void *arg), void *arg, struct err *e) MUST_CHECK;

/* A value of virtual_mailboxes: `path [uid:gid]`. The path is relative, without "." and "..". */
#define MAP_MAILBOX_PATH_MAX 1024
struct map_mailbox {
	char path[MAP_MAILBOX_PATH_MAX + 1];
	bool owned; /* uid and gid are named */
	uint64_t uid, gid;
};
bool map_mailbox_value(struct sv value, struct map_mailbox *ret, struct err *e) MUST_CHECK;

#endif
