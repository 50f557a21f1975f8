/* sendmail_submit - hands a message to the submit socket of smtpd, and keeps what could not be handed over. */
#ifndef SENDMAIL_SUBMIT_H
#define SENDMAIL_SUBMIT_H

#include "sendmail_header.h"
#include "sendmail_draft.h"
#include "tool.h"

struct submission {
	const struct tool *tool;
	const char *sender; /* envelope; "" for the null sender */
	const struct recipients *to;
	struct sv head; /* with its empty line */
	const struct draft *draft;
	uint64_t body;                    /* where the body begins in the draft */
	const char *notify, *ret, *envid; /* of RFC 3461; "" not given */
	const char *verp;                 /* delimiters of XVERP; "" not given */
	bool verbose, quiet;
};

/* 0 when all recipients were taken; else an exit code of sysexits(3), after the reasons were printed and what was not sent was
 * saved in dead.letter. */
int submit(const struct submission *s);

/* Connects to the submit socket, waiting for a system that is just starting. hello: also wait for its greeting. */
#define SUBMIT_WAIT_MS 10000
struct conn;
bool submit_connect(const struct tool *t, bool quiet, int *ret_fd, struct err *e) MUST_CHECK;

/* dead.c: appends to ~/dead.letter in mbox form. */
bool dead_letter(const struct submission *s, const struct vec *unsent, char *ret_path, size_t path_size, struct err *e) MUST_CHECK;

/* sendmail_relay.c: -bs, bytes to and fro. Returns an exit code. */
int relay_smtp(const struct tool *t);

/* sendmail_aliases.c: newaliases. Returns an exit code. */
int rebuild_aliases(const struct tool *t);

#endif
