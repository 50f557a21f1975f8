/* space - is there room for new mail? Asked before each file that is lent; the file system is asked at most once a second. */
#ifndef QUEUE_SPACE_H
#define QUEUE_SPACE_H

#include "qmgr.h"

bool space_init(struct qmgr *q, struct err *e);
void space_free(struct qmgr *q);
/* reserve: reports of our own may use the last of it, or a full queue could never drain. False: `ret` says what is short. */
bool space_ok(struct qmgr *q, bool reserve, const char **ret);
void space_failed(struct qmgr *q, const char *why); /* a file could not be made: full for a second */

#endif
