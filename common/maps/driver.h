/* driver - what a kind of table provides, and what the kinds share. Private to maps/. */
#ifndef MAPS_DRIVER_H
#define MAPS_DRIVER_H

#include "base/vec.h"
#include "maps/map.h"

#include <sys/stat.h>

#define MAP_TEXT_MAX ((size_t)512 << 20) /* bytes of a text source: MAP_ENTRIES_MAX entries of 256 bytes */
#define MAP_CHECK_MS 1000                /* a source is looked at for a change no more often */

struct map;
typedef bool map_visit(struct sv key, struct sv value, unsigned line, void *arg);

struct map_driver {
	const char *type;
	/* Sets m->state, or leaves it NULL. `name` is what follows "type:", NUL-terminated. */
	bool (*open)(struct map *m, const char *name, struct err *e);
	void (*close)(struct map *m); /* takes a half-made state */
	/* Looks for a change of the source; sets or clears m->fault. NULL: it cannot change. */
	void (*refresh)(struct map *m);
	enum map_result (*get)(struct map *m, struct sv folded_key, struct buf *ret_value, struct err *e);
	bool (*each)(struct map *m, map_visit *on, void *arg, struct err *e);
};
extern const struct map_driver map_driver_text, map_driver_inline, map_driver_bdb, map_driver_cidr, map_driver_regexp,
	map_driver_pcre;

struct map {
	const struct map_driver *driver;
	char *spec;
	enum map_form form;
	void *state;         /* the driver's */
	uint64_t checked_ms; /* when the source was looked at last; 0: by map_open */
	struct err fault;    /* kind ERR_NONE: the content is the source's */
};

/* --- what a file looked like when it was read: a change of any of it is a change of content ------------------------------- */
struct map_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtim, ctim;
};
struct map_stamp map_stamp_of(const struct stat *st);
bool map_stamp_same(const struct map_stamp *a, const struct map_stamp *b);

/* --- a table that is made from a text file: a driver's functions for it --------------------------------------------------- */
struct map_file_kind {
	/* NULL: faulty. ERR_PERM with "PATH:LINE: what is wrong". */
	void *(*parse)(struct sv text, enum map_form form, const char *path, struct err *e);
	void (*free)(void *content);
};
bool map_file_open(struct map *m, const struct map_file_kind *kind, const char *path, struct err *e) MUST_CHECK;
void map_file_close(struct map *m);
void map_file_refresh(struct map *m);
void *map_file_content(const struct map *m); /* what parse() made of the last good version */
/* A regular file, no larger than MAP_TEXT_MAX. */
bool map_file_read(const char *path, struct buf *text, struct map_stamp *ret_stamp, struct err *e) MUST_CHECK;

/* --- entries in memory, sorted: few bytes each, and no key that a peer chooses makes it slow ------------------------------ */
struct map_table {
	struct buf store;   /* keys and values, one after the other */
	struct vec entries; /* of struct map_entry */
};
void map_table_init(struct map_table *t);
void map_table_free(struct map_table *t);
bool map_table_add(
	struct map_table *t, struct sv key, struct sv value, unsigned line, struct err *e) MUST_CHECK; /* folds the key */
void map_table_sort(struct map_table *t); /* once, after the last add. Of entries with one key the first added counts */
bool map_table_get(const struct map_table *t, struct sv folded_key, struct sv *ret_value);
size_t map_table_len(const struct map_table *t);
/* The i-th in order of keys; of several with one key the first added comes first. */
void map_table_at(const struct map_table *t, size_t i, struct sv *ret_key, struct sv *ret_value, unsigned *ret_line);

/* A driver's get() and each() over a table. */
enum map_result map_table_found(const struct map_table *t, struct sv folded_key, struct buf *ret_value, struct err *e);
void map_table_each(const struct map_table *t, map_visit *on, void *arg);

/* Parses a text source into t and sorts it. ERR_PERM with "PATH:LINE: what is wrong". */
bool map_source_parse(struct sv text, enum map_form form, const char *path, struct map_table *t, struct err *e) MUST_CHECK;
bool map_source_load(const char *path, enum map_form form, struct map_table *t, struct err *e) MUST_CHECK;

#endif
