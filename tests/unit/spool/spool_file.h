/* spool_file - a queue file for tests, composed as smtpd does it, and a place for it. */
#ifndef UNIT_SPOOL_FILE_H
#define UNIT_SPOOL_FILE_H

#include "spool/spool.h"

struct spool_sample {
	const char *id;       /* NULL: made up */
	const char *sender;   /* "": null */
	const char *rcpts[8]; /* final addresses; one local and nothing else is the plain form */
	const char *orig;     /* of the first; NULL: the same */
	uint8_t cls;          /* of all; 0: local */
	uint8_t notify[8];    /* of each: SPOOL_NOTIFY_* */
	const char *orcpt[8];
	char status[8]; /* 0: to do */
	const char *postern;
	char trust; /* 0: stranger */
	const char *body;
	bool room;
};
/* The whole file, sealed. `marks` may be NULL. */
void spool_sample_make(const struct spool_sample *s, struct buf *out, struct spool_marks *ret_marks);
struct spool_id sample_id(const char *text);

struct temp_dir { /* a directory that goes with everything in it */
	char path[64];
};
void temp_dir_make(struct temp_dir *d);
void temp_dir_remove(struct temp_dir *d);
void put_file(int dir, const char *name, struct sv content);
bool has_file(int dir, const char *name);

#endif
