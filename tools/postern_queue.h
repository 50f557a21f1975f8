/* postern_queue - how `postern queue` shows messages. */
#ifndef POSTERN_QUEUE_H
#define POSTERN_QUEUE_H

#include "queue_client.h"

/* Summary: envelope and header. Body: with the text too. Headers: the header alone. Raw: the message as it is. */
enum show_part { SHOW_SUMMARY, SHOW_HEADERS, SHOW_BODY, SHOW_RAW, SHOW_JSON };

/* All return an exit code. */
int queue_list(struct tool *t, const struct queue_filter *f, bool json);
int queue_dests(struct tool *t, const struct queue_filter *f, bool json);
int queue_show(struct tool *t, const struct queue_filter *f, enum show_part part);

#endif
