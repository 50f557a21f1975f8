/* place - a queue directory and a home for the tests of mailbox/ and local-delivery/: below /var/tmp on disk, as root with a user
 * of its own (a bare number: no account is needed), otherwise all of one's own. */
#ifndef UNIT_PLACE_H
#define UNIT_PLACE_H

#include "mailbox/mbx.h"

#define PLACE_USER 65533u /* the mailbox's, when root runs the test */
#define PLACE_STRANGER 65532u

struct place {
	char base[100], home[150];
	int base_fd, queue_fd, home_fd;
	bool root;
	struct mbx_user user;
};

/* base/queue and base/home/Maildir/{tmp,new,cur}. */
void place_init(struct place *p);
void place_free(struct place *p);
/* A file of the queue's. */
void place_put(int dir, const char *name, const char *text);
void place_chown(const struct place *p, int dir, const char *name, uid_t uid); /* as root; otherwise nothing */
/* The content of a file, "" when there is none; valid until the next call. */
const char *place_get(int dir, const char *name);
bool place_has(int dir, const char *name);
unsigned place_count(int dir, const char *sub); /* entries but for . and .. */
void place_clear(int dir, const char *name);    /* removes a file, link or whole directory */

#endif
