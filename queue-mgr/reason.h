/* reason - why a message was postponed, for mailq. In memory only, for the latest few thousand; the file knows nothing of it. */
#ifndef QUEUE_REASON_H
#define QUEUE_REASON_H

#include "spool/spool.h"

struct reasons;
struct reasons *reasons_new(size_t max);
void reasons_free(struct reasons *r);
void reasons_set(struct reasons *r, const struct spool_id *id, const char *text); /* replaces; the oldest goes when it is full */
const char *reasons_get(const struct reasons *r, const struct spool_id *id);      /* "" when not known */
void reasons_drop(struct reasons *r, const struct spool_id *id);

#endif
