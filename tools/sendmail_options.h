/* sendmail_options - the command line of sendmail(1), as programs have called it for decades. */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H

#include "base/err.h"
#include "base/vec.h"

enum sendmail_mode {
	SENDMAIL_DELIVER, /* -bm: a message on standard input */
	SENDMAIL_SMTP,    /* -bs */
	SENDMAIL_LIST,    /* -bp, mailq */
	SENDMAIL_ALIASES, /* -bi, newaliases */
	SENDMAIL_FLUSH,   /* -q */
	SENDMAIL_NOTHING, /* -q30m: what Postern does by itself */
};

struct sendmail_options {
	enum sendmail_mode mode;
	bool from_header;                                 /* -t */
	bool dot_is_text;                                 /* -i, -oi */
	bool verbose;                                     /* -v */
	bool quiet;                                       /* -oeq */
	const char *conf;                                 /* -C; NULL: the default */
	char notify[32];                                  /* -N, as RFC 3461 4.1 writes it; "" not given */
	char ret[5];                                      /* -R: FULL or HDRS; "" not given */
	const char *envid;                                /* -V; NULL: not given */
	const char *verp;                                 /* -XV: delimiters; NULL: not given */
	const char *sender;                               /* -f, -r; NULL: the caller */
	const char *full_name;                            /* -F; NULL: the caller's */
	const char *flush_id, *flush_rcpt, *flush_sender; /* -qI, -qR, -qS; NULL: all */
	char **recipients;                                /* NULL-terminated */
};

/* argv[0] chooses mailq and newaliases. e: what is wrong, for EX_USAGE. */
bool sendmail_parse(int argc, char **argv, struct sendmail_options *ret, struct err *e) MUST_CHECK;

#endif
