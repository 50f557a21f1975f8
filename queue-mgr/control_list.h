/* control_list - which messages a request is about, and what is told of them. Part of control.c. */
#ifndef QUEUE_CONTROL_LIST_H
#define QUEUE_CONTROL_LIST_H

#include "qmgr.h"

#include <dirent.h>

struct chan { /* one admin's tool */
	struct chan *prev, *next;
	struct qmgr *q;
	struct ev_io watch;
	struct ev_timer timer; /* the next turn of the walk */
	struct ipc_seen seen;
	uid_t uid;
	bool admin;
	bool walking, syncing;
	struct queue_filter req;
	uint32_t cursor, end;
	uint64_t matched, pending, dirs;
	char failed[300];
	struct io_job job;
	/* what is being told */
	struct msg *msg; /* read for this request only; has no lock and no entry */
	uint32_t msg_slot;
	enum { TELL_NOTHING, TELL_ENTRY, TELL_RCPTS, TELL_CONTENT, TELL_DEST } tell;
	size_t next_rcpt, told;
	struct queue_entry entry;
	size_t dest_cursor;
	struct queue_dest dest;
	DIR *corrupt;
	bool corrupt_read;
};

bool list_entry_matches(const struct chan *c, uint32_t slot); /* as far as the index knows */
bool list_file_matches(struct chan *c, uint32_t slot);        /* reads the file into c->msg */
void list_begin(struct chan *c, uint32_t slot);               /* c->msg is to be told */
enum list_sent { LIST_SENT, LIST_BLOCKED, LIST_FAILED };
enum list_sent list_send(struct chan *c, struct err *e); /* goes on telling; SENT: nothing is left */
bool list_corrupt(struct chan *c);                       /* the next file of corrupt/ is to be told; false: none is left */
void list_end(struct chan *c);

#endif
