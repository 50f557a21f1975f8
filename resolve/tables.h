/* tables - the daemon's tables: opened again while they cannot be, their faults logged once per change. */
#ifndef RESOLVE_TABLES_H
#define RESOLVE_TABLES_H

#include "base/hmap.h"
#include "config/cfg.h"
#include "maps/map.h"

struct table {
	const char *what; /* the parameter's name, for the log */
	const char *spec; /* "" for none */
	enum map_form form;
	struct map *map; /* NULL: could not be opened */
	uint64_t tried_ms;
	struct err fault;    /* what was logged last; kind ERR_NONE: all is well */
	bool may_be_missing; /* the default /etc/aliases: a system without it has no aliases */
};

void table_init(struct table *t, const char *what, const char *spec, enum map_form form, uint64_t now_ms);
void table_close(struct table *t);
/* As map_get(); FAILED: dsn 4.3.0. */
enum map_result table_get(struct table *t, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e);

/* The tables that smtpd may look into: those that the configuration names for it, and no other. A daemon that strangers have taken
 * over must not read passwords, or files of its own choice, through us. */
struct hmap *named_tables_new(const struct cfg *cfg, uint64_t now_ms); /* by specification */
void named_tables_free(struct hmap *tables);
/* As table_get(); a table that is not named: FAILED with ERR_PEER. */
enum map_result named_tables_get(
	struct hmap *tables, const char *spec, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e);

#endif
