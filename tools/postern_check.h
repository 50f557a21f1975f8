/* postern_check - what `postern check` looks at, a function per field. Each adds what it finds. */
#ifndef POSTERN_CHECK_H
#define POSTERN_CHECK_H

#include "tool.h"

enum check_level { CHECK_ERROR, CHECK_WARNING, CHECK_NOTE };
struct check_finding {
	enum check_level level;
	unsigned line; /* 0: none */
	char file[256];
	char text[500];
};
struct check {
	struct tool *t;
	struct vec found; /* of struct check_finding */
};
#define CHECK_FINDINGS_MAX 2000

/* file NULL: about the system, not a file. */
void check_add(struct check *c, enum check_level level, const char *file, unsigned line, const char *fmt, ...) PRINTF_LIKE(5, 6);

void check_relaying(struct check *c); /* who may send where */
void check_rules(struct check *c);    /* their tables, and relaying by them */
void check_aliases(struct check *c);
void check_mailboxes(struct check *c);
void check_system(struct check *c); /* users, directories, kernel */
void check_tls(struct check *c);    /* certificates */
void check_auth(struct check *c);   /* the user data base */
void check_homes(struct check *c);  /* .forward; rename or copy */

#endif
