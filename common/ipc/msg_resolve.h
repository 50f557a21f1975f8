/* Messages of resolve: who is this recipient? */
/* clang-format off */
#ifndef IPC_MSG_RESOLVE_H
#define IPC_MSG_RESOLVE_H

#include "ipc/ipc.h"

#define ADDRESS_MAX 320 /* 64 + @ + 255 (RFC 5321 4.5.3.1), as in mail/maddr.h */
/* A question whose channel ended is asked again on a new one. At a reload both generations accept: a kept channel may end, and a
 * new one may still have reached a predecessor that ends, too. */
#define RESOLVE_TRIES 4

enum rcpt_class { CLASS_LOCAL = 1, CLASS_REMOTE = 2 };
enum resolve_status {
	RESOLVE_OK,
	RESOLVE_UNKNOWN, /* our domain, no such user: 5.1.1 */
	RESOLVE_TEMP,    /* a table or NSS does not answer: 4.x */
	RESOLVE_BAD,     /* alias loop, broken table entry: 5.x or 4.x by `dsn` */
};

/* smtpd, tools to resolve: at RCPT. Answer: one resolve_rcpt per final recipient, in order; `last` is 1 in the last. A status
 * other than OK comes alone. An alias with |command, /file, :include: or an unusable target stays one recipient under its own
 * address (class local). CLASS_REMOTE: not our domain; `relayed` is 1 if a [relay] section has accept_from = anyone.
 * The null sender's and postmaster's special cases are resolve's: `<postmaster>` without domain comes as local part only. */
#define RESOLVE_REQ(F, T) \
	F(T, STR, address, ADDRESS_MAX) /* as in RCPT, syntax already checked; may lack a domain */ \
	F(T, U64, local_client, 1) /* from a local program: a missing domain is `origin` */
#define RESOLVE_RCPT(F, T) \
	F(T, U64, status, 8) \
	F(T, U64, last, 1) \
	F(T, U64, class, 255) \
	F(T, U64, relayed, 1) \
	F(T, U64, reports, 1) /* a sender that we rewrote (SRS): mail to it is taken when it is a report */ \
	F(T, U64, aliased, 1) /* the final address differs from what was asked */ \
	F(T, STR, address, ADDRESS_MAX) /* final address, canonical: domain in lower case */ \
	F(T, STR, route, 300) /* next hop for CLASS_REMOTE; empty: the domain's MX */ \
	F(T, STR, dsn, 11) \
	F(T, STR, text, 400)
IPC_DECLARE(resolve_req, RESOLVE_REQ);
IPC_DECLARE(resolve_rcpt, RESOLVE_RCPT);

/* local-delivery to resolve: where does this final address live? Asked again at each delivery (D3): nothing in a queue file
 * becomes a uid or a path. */
enum box_kind {
	BOX_SYSTEM,      /* a system user's Maildir */
	BOX_VIRTUAL,     /* a virtual mailbox below virtual_base */
	BOX_UNSUPPORTED, /* what `text` names cannot be done yet: defer with it */
	BOX_REMOTE,      /* the address is not (or no longer) local: `text` */
};
#define RESOLVE_BOX_REQ(F, T) \
	F(T, STR, address, ADDRESS_MAX)
#define RESOLVE_BOX(F, T) \
	F(T, U64, status, 8) \
	F(T, U64, kind, 8) \
	F(T, U64, uid, 4294967294) \
	F(T, U64, gid, 4294967294) \
	F(T, STR, groups, 4000) /* supplementary groups, decimal, blanks between */ \
	F(T, STR, user, 64) \
	F(T, STR, home, 1024) /* system: the home; virtual: virtual_base */ \
	F(T, STR, maildir, 1024) /* relative to home, no "..", no leading slash */ \
	F(T, STR, detail, 128) \
	F(T, STR, dsn, 11) \
	F(T, STR, text, 400)
IPC_DECLARE(resolve_box_req, RESOLVE_BOX_REQ);
IPC_DECLARE(resolve_box, RESOLVE_BOX);

/* The name of a uid: smtpd for local submissions. status UNKNOWN: no such user. */
#define RESOLVE_UID_REQ(F, T) F(T, U64, uid, 4294967294)
#define RESOLVE_UID(F, T) F(T, U64, status, 8) F(T, STR, user, 64)
IPC_DECLARE(resolve_uid_req, RESOLVE_UID_REQ);
IPC_DECLARE(resolve_uid, RESOLVE_UID);

/* smtpd: a key in a table that the configuration names (rules, sender_logins...); any other specification is refused.
 * result: enum map_result; FAILED: text says why. */
#define RESOLVE_TABLE_REQ(F, T) F(T, STR, spec, 1000) F(T, STR, key, 512)
#define RESOLVE_TABLE(F, T) F(T, U64, result, 2) F(T, STR, value, 4000) F(T, STR, text, 400)
IPC_DECLARE(resolve_table_req, RESOLVE_TABLE_REQ);
IPC_DECLARE(resolve_table, RESOLVE_TABLE);

/* smtpd: the host name of an IP address, if it leads back to it; "" there is none, or with `failed`: it cannot be found out now. */
#define RESOLVE_NAME_REQ(F, T) F(T, STR, address, 56)
#define RESOLVE_NAME(F, T) F(T, STR, name, 255) F(T, U64, failed, 1)
IPC_DECLARE(resolve_name_req, RESOLVE_NAME_REQ);
IPC_DECLARE(resolve_name, RESOLVE_NAME);

/* EXPN (authenticated clients and tools only): answered by resolve_rcpt packets like RESOLVE_REQ. */

#endif
